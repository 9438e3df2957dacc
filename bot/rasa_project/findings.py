"""What becomes of each line of a Rasa project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.yaml_file import Block, Items, Place

Verdict = Literal["works", "differs", "unsupported"]


@dataclass(frozen=True, order=True)
class Finding:
    """One line of a Rasa project and what becomes of it."""

    place: Place
    verdict: Verdict
    text: str


@dataclass
class Findings:
    """`channels` are those of `credentials.yml` under our names and keys, fit for `deskhand.yml`; `environment` are
    settings that belong into the environment, because they are places and secrets."""

    all: list[Finding] = field(default_factory=list)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    language: str = "en"

    def note(self, place: Place, verdict: Verdict, text: str) -> None:
        self.all.append(Finding(place, verdict, text))

    def counted(self) -> dict[Verdict, int]:
        counts: dict[Verdict, int] = {"works": 0, "differs": 0, "unsupported": 0}
        for finding in self.all:
            counts[finding.verdict] += 1
        return counts


def listed(block: Block, key: str) -> Iterator[tuple[Place, Any]]:
    """The items under a key, each with its place; a value that is no list is its only item."""
    value = block.get(key)
    if isinstance(value, Items):
        yield from value.placed()
    elif value is not None:
        yield block.at(key), str(value)
