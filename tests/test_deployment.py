"""No container engine where this is tested: the files are held to what they name, they are not built."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import Settings

ROOT = Path(__file__).parents[1]
VARIABLES = {f"DESKHAND_{name.upper()}" for name in Settings.model_fields} | {"DESKHAND_SHOP_DB"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    data = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_services_of_the_plan_are_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {"server", "worker", "actions", "redis", "postgres"} <= {
        name for name, service in services.items() if "profiles" not in service
    }
    assert {profile for service in services.values() for profile in service.get("profiles", ())} == {
        "gpu",
        "monitoring",
    }


def test_every_volume_dependency_and_stage_that_is_named_exists(compose: dict[str, Any], dockerfile: str) -> None:
    stages = set(re.findall(r"^FROM .+ AS (\S+)$", dockerfile, re.MULTILINE))
    for service in compose["services"].values():
        named = {volume.split(":")[0] for volume in service.get("volumes", ()) if volume[0].isalpha()}
        assert named <= compose["volumes"].keys()
        assert set(service.get("depends_on", ())) <= compose["services"].keys()
        assert set(service.get("build", {}).get("target", "desk").split()) <= stages
        assert {config["source"] for config in service.get("configs", ())} <= compose.get("configs", {}).keys()


def test_only_settings_that_exist_are_set(compose: dict[str, Any], dockerfile: str) -> None:
    given = {key for service in compose["services"].values() for key in service.get("environment", {})}
    given |= set(re.findall(r"\b(DESKHAND_\w+)=", dockerfile))
    assert {name for name in given if name.startswith("DESKHAND_")} <= VARIABLES


def test_commands_that_the_containers_run_exist(compose: dict[str, Any]) -> None:
    cli = pytest.importorskip("bot.cli")
    import typer

    known = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    asked = [service["command"] for service in compose["services"].values() if "command" in service]
    assert {command[1] for command in asked if command[0] == "deskhand"} <= known.keys()


def test_files_that_the_image_copies_exist_and_are_not_ignored(dockerfile: str) -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    copied = [shlex.split(line)[1:-1] for line in re.findall(r"^COPY (?!--).+$", dockerfile, re.MULTILINE)]
    sources = [source for line in copied for source in line]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert not set(sources) & set(ignored)


def test_images_do_not_run_as_root(dockerfile: str) -> None:
    for stage in ("actions", "desk"):
        body = re.split(rf"^FROM .+ AS {stage}$", dockerfile, flags=re.MULTILINE)[1].split("\nFROM ")[0]
        assert "\nUSER desk\n" in body


def test_secrets_are_asked_for_and_never_written_down(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN", key):
                assert str(value).startswith("${")


def test_the_ci_script_is_valid_shell() -> None:
    bash = shutil.which("bash")
    assert bash
    checked = subprocess.run([bash, "-n", ROOT / ".ci" / "run"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_every_target_of_the_makefile_is_explained() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    shown = subprocess.run([make, "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0]
    assert {line.split()[0] for line in shown.splitlines()} == set(phony.split())


def test_the_pins_cover_what_is_required() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    required = re.findall(r'^    "([\w-]+)[\[><=";]', project, re.MULTILINE)
    absent = {re.sub(r"[-_.]+", "-", name).lower() for name in required} - pinned - {"deskhand"}
    assert not absent, f"constraints.txt lacks {', '.join(sorted(absent))}; run 'make pins'"
