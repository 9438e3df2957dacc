"""A Rasa project becomes a desk: what its files ask for, our configuration written beside them, trained, tested."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.domain import Domain
from bot.domain_check import examine
from bot.problems import Problem
from bot.rasa_project.config import read_config
from bot.rasa_project.credentials import read_credentials
from bot.rasa_project.endpoints import read_endpoints
from bot.rasa_project.findings import Finding, Findings
from bot.settings import Settings
from bot.testing.files import NoTests, read_tests
from bot.testing.outcome import Coverage, Outcome
from bot.testing.run import run_tests
from bot.yaml_file import Place, read_yaml
from retrieval.errors import BadInput, NotFound

HEAD = """# Written by `deskhand migrate` from the files of this Rasa project. Every other key, with its default:
# config/deskhand.yml of Deskhand, and docs/settings.md.
"""


@dataclass(frozen=True)
class Project:
    """What a folder holds: the dialogue with its problems, what its other files ask for, its own tests."""

    path: Path
    domain: Domain
    problems: Sequence[Problem]
    config: Findings
    unread: Sequence[Finding]
    tests: int

    @property
    def findings(self) -> list[Finding]:
        return sorted([*self.config.all, *self.unread])


def read_project(path: Path) -> Project:
    """Raises NotFound for no folder, BadInput for one without a domain."""
    if not path.is_dir():
        raise NotFound(f"{path}: no such folder; name the folder of a Rasa project, the one with domain.yml")
    domain, problems = examine(path)
    if not domain.intents and not domain.responses:
        raise BadInput(f"{path} has no domain.yml (or domain/) with intents and responses; name the project's folder")
    tests = 0
    try:
        tests = len(read_tests([path]))
    except NoTests:
        pass
    except BadInput as error:
        problems.error(Place(str(path), 0), f"the project's test stories: {error}")
    return Project(path, domain, problems, read_settings(path), list(_unread(path)), tests)


def read_settings(project: Path) -> Findings:
    """What `config.yml`, `endpoints.yml` and `credentials.yml` ask for. Raises BadInput for what is no YAML."""
    found = Findings()
    readers = (("config", read_config), ("endpoints", read_endpoints), ("credentials", read_credentials))
    for name, read in readers:
        for path in (project / f"{name}.yml", project / f"{name}.yaml"):
            if path.is_file():
                read(read_yaml(path, expand=False), found)
    found.all.sort()
    return found


def _unread(path: Path) -> list[Finding]:
    """Training data of formats that Rasa itself has given up, or that nobody reads here."""
    found = []
    for file in sorted(path.rglob("*")):
        inside = any(part in ("data", "domain", "tests") for part in file.relative_to(path).parts[:-1])
        if inside and file.suffix == ".md":
            text = (
                "Markdown training data; convert it with `rasa data convert` of Rasa 2, Rasa 3 does not read it either"
            )
            found.append(Finding(Place(str(file), 1), "unsupported", text))
        elif inside and file.suffix == ".json" and "rasa_nlu_data" in file.read_text("utf-8", errors="replace")[:2000]:
            text = "JSON training data is not read; convert it to YAML with `rasa data convert nlu`"
            found.append(Finding(Place(str(file), 1), "unsupported", text))
    return found


def write_config(project: Project, *, overwrite: bool = False) -> Path | None:
    """`deskhand.yml` beside the project's own files; None when there is one already."""
    path = project.path / "deskhand.yml"
    if path.exists() and not overwrite:
        return None
    channels: dict[str, Any] = {"rest": {"enabled": True}, **project.config.channels, "rasa_api": {"enabled": True}}
    text = HEAD + yaml.safe_dump({"channels": channels}, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return path


def tested(settings: Settings) -> tuple[list[Outcome], list[Coverage]]:
    """The project's own test stories with the bundle in service."""
    return asyncio.run(run_tests(settings, [settings.config_dir]))
