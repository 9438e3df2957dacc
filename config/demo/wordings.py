"""Reads the hand-written material of the demo shop.

A block of text holds one wording a line. `{slot}` is filled from the conversation's facts, `[a|b]` is one of its sides.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

HELD_BACK = 4
FOLDER = Path(__file__).with_name("material")
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


def lines(block: str | None) -> tuple[str, ...]:
    return tuple(line.strip() for line in (block or "").splitlines() if line.strip())


def fill(text: str, rng: Random, facts: dict[str, str]) -> str:
    """Choose a side of every `[a|b]`, then fill every `{slot}`; an unknown slot is a KeyError."""
    text = _CHOICE.sub(lambda m: rng.choice(m[1].split("|")), text)
    return _SLOT.sub(lambda m: facts[m[1]], text)


@dataclass(frozen=True)
class FollowUp:
    """A question that only makes sense after its kind. `answer` is the id of the right answer."""

    intent: str
    answer: str
    ask: tuple[str, ...]
    say: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of request. `say`: one or two wordings an agent, in their order; `late`: unusual ones of weeks 7-8."""

    name: str
    ask: tuple[str, ...]
    late: tuple[str, ...]
    say: tuple[str, ...]
    wrong: tuple[str, ...]
    probe: tuple[str, ...]
    reply: tuple[str, ...]
    follow: tuple[FollowUp, ...]
    needs_order: bool
    since: int
    changed_in: int
    say_changed: tuple[str, ...]
    answers: tuple[str, str]

    def asked_in(self, week: int, rng: Random) -> tuple[str, ...]:
        """What customers may say: the last ordinary wordings and the unusual ones are not heard before week 7."""
        if not self.ask:
            return self.late
        if week < 7:
            return self.ask[:-HELD_BACK]
        return rng.choices([self.late, self.ask[-HELD_BACK:], self.ask[:-HELD_BACK]], [15, 25, 60])[0]

    def answer(self, week: int) -> str:
        return self.answers[1] if self.changed_in and week >= self.changed_in else self.answers[0]

    def wordings(self, week: int) -> tuple[str, ...]:
        return self.say_changed if self.changed_in and week >= self.changed_in else self.say


class Deck:
    """Hands out the least used wording first, so that none is heard more often than it must be."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def draw(self, wordings: tuple[str, ...], rng: Random) -> str:
        least = min(self._used[w] for w in wordings)
        chosen = rng.choice([w for w in wordings if self._used[w] == least])
        self._used[chosen] += 1
        return chosen


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return data


def _follow_up(parent: str, data: dict[str, Any], say: dict[str, tuple[str, ...]]) -> FollowUp:
    if other := data.get("kind"):
        return FollowUp(other, other, lines(data["ask"]), say[other])
    return FollowUp(parent, f"{parent}.{data['id']}", lines(data["ask"]), lines(data["say"]))


def load_kinds(folder: Path = FOLDER) -> dict[str, Kind]:
    raw = {name: data for path in sorted((folder / "kinds").glob("*.yml")) for name, data in _read(path).items()}
    say = {name: lines(data["say"]) for name, data in raw.items()}
    kinds = {}
    for name, data in raw.items():
        changed = data.get("changed", {})
        kinds[name] = Kind(
            name=name,
            ask=lines(data.get("ask")),
            late=lines(data["late"]),
            say=say[name],
            wrong=lines(data.get("wrong")),
            probe=lines(data.get("probe")),
            reply=lines(data.get("reply")),
            follow=tuple(_follow_up(name, f, say) for f in data.get("follow", ())),
            needs_order=data.get("needs_order", False),
            since=data.get("since", 1),
            changed_in=changed.get("week", 0),
            say_changed=lines(changed.get("say")),
            answers=(data.get("answer", name), changed.get("answer", name)),
        )
    return kinds


def load_lines(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """A material file whose text blocks, at any depth, are read as wordings."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: walk(v) for k, v in value.items()}
        return lines(value) if isinstance(value, str) and "\n" in value else value

    walked: dict[str, Any] = walk(_read(folder / f"{name}.yml"))
    return walked
