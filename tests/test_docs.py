"""The docs fail the build when they rot: what a user can set, type, call or watch is in docs/, and links resolve."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from fastapi.routing import iter_route_contexts

from bot import events
from bot.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs").glob("**/*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))]
BUILT_IN = ("/static-offline-docs", "/docs/")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


@cache
def docs() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.is_file())


def missing(names: Iterable[str]) -> list[str]:
    """Those that stand nowhere in the docs as a word of their own."""
    return [name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", docs())]


def test_every_setting_is_documented() -> None:
    absent = missing(f"DESKHAND_{name.upper()}" for name in Settings.model_fields)
    assert not absent, f"docs/settings.md does not mention {', '.join(absent)}"


@pytest.mark.parametrize("file", ["deskhand.yml", "training.yml"])
def test_every_key_of_the_configuration_is_documented(file: str) -> None:
    path = ROOT / "config" / file
    absent = missing(keys(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert not absent, f"no page of docs/ mentions these keys of config/{file}: {', '.join(absent)}"


def keys(values: Any) -> Iterator[str]:
    for key, value in values.items() if isinstance(values, dict) else ():
        yield str(key)
        yield from keys(value)


def test_every_event_is_documented() -> None:
    absent = missing(cls.__name__ for cls in events.Event.__subclasses__())
    assert not absent, f"no page of docs/ mentions the events {', '.join(absent)}"


def test_every_metric_is_documented() -> None:
    source = (ROOT / "bot" / "metrics.py").read_text(encoding="utf-8")
    names = re.findall(r'"(deskhand_\w+)"', source)
    assert names
    absent = [name for name in names if missing([name]) and missing([f"{name}_total"])]
    assert not absent, f"no page of docs/ mentions the metrics {', '.join(absent)}"


def test_every_endpoint_is_documented(tmp_path: Path) -> None:
    from bot.app import create_app

    app = create_app(Settings(data_dir=tmp_path, config_dir=ROOT / "config"))
    paths = [str(route.path) for route in iter_route_contexts(app.routes) if route.path]
    paths = [re.sub(r":path\}", "}", path) for path in paths if not path.startswith(BUILT_IN)]
    assert "/health/live" in paths
    absent = [path for path in dict.fromkeys(paths) if path.rstrip("/") and path not in docs()]
    assert not absent, f"no page of docs/ mentions the endpoints {', '.join(absent)}"


def test_every_command_and_option_is_documented() -> None:
    cli = pytest.importorskip("bot.cli")
    absent = [line for line in commands(typer.main.get_command(cli.app), "deskhand") if line not in docs()]
    assert not absent, f"no page of docs/ mentions the commands: {', '.join(absent)}"


def commands(command: Any, name: str) -> Iterator[str]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        yield name
    for child, sub in children.items():
        if not sub.hidden:
            yield from commands(sub, f"{name} {child}")


def anchors(page: Path) -> set[str]:
    """Anchors as GitHub makes them from headings."""
    headings = re.findall(r"^#{1,6} +(.+?)\s*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_resolve(page: Path) -> None:
    broken = []
    for target in (first or second for first, second in LINK.findall(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place)):
            broken.append(target)
    assert not broken, f"{page.relative_to(ROOT)}: broken links {', '.join(broken)}"


def test_every_page_is_found_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    absent = [page.name for page in PAGES if page.parent.name == "docs" and f"]({page.name})" not in index]
    assert absent == ["index.md"], f"docs/index.md does not link {', '.join(absent)}"


def test_the_changelog_says_what_is_unreleased() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(r"^## \[Unreleased\]\n(.+?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert "- " in section[1]
