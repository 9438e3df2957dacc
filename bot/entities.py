"""Entities that the dialogue files teach: regexes, lookups, annotated examples and synonyms. Pure.

The bundle's own entities (order numbers, e-mail addresses, what its token head found) come from `Engine.understand`;
`merged` joins the two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bot.domain import Domain
from bot.entity_roles import Roles

Found = dict[str, Any]

NUMBER = "number"
"""An entity of this name that no example, lookup or regex teaches is found by itself, as Duckling's dimension is."""


class Finder:
    """Finds the entities of a domain in a text: `{entity, value, start, end, confidence}`, longest first where they
    overlap. Words match whole and without regard to case; patterns as they are written."""

    def __init__(self, domain: Domain) -> None:
        nlu = domain.nlu
        words: dict[str, set[str]] = {}
        synonyms: dict[str, Any] = {}
        for example in nlu.examples:
            for entity in example.entities:
                surface = example.text[entity["start"] : entity["end"]]
                words.setdefault(str(entity["entity"]), set()).add(surface)
                if entity["value"] != surface:
                    synonyms[surface.casefold()] = entity["value"]
        listed = {name: values for name, values in nlu.lookups.items() if values}
        self._annotated = [(name, _words(values)) for name, values in words.items() if name in domain.entities]
        self._patterns = [(name, _words(values)) for name, values in listed.items() if name in domain.entities]
        for name, regexes in nlu.regexes.items():
            if name in domain.entities:
                self._patterns += [(name, re.compile(one)) for one in regexes if _valid(one)]
        taught = {name for name, _ in (*self._annotated, *self._patterns)}
        self._numbers = NUMBER in domain.entities and NUMBER not in taught
        self._roles = Roles(nlu.examples)
        self._synonyms: Mapping[str, Any] = {**synonyms, **nlu.synonyms}

    def find(self, text: str, *, learned: Collection[str] = ()) -> list[Found]:
        """`learned` are entities that a token head finds: the words of their examples are then no longer looked up."""
        annotated = [(name, pattern) for name, pattern in self._annotated if name not in learned]
        found = [
            {"entity": name, "value": self._synonyms.get(match[0].casefold(), match[0]), "start": match.start(),
             "end": match.end(), "confidence": 1.0}
            for name, pattern in (*annotated, *self._patterns)
            for match in pattern.finditer(text)
            if match[0].strip()
        ]  # fmt: skip
        found += _numbers(text) if self._numbers else []
        apart = _apart(sorted(found, key=lambda one: (one["start"] - one["end"], one["start"])))
        return [self._roles.named(one, text) for one in apart]

    def merged(
        self, heard: Iterable[Mapping[str, Any]], text: str, *, learned: Collection[str] = ()
    ) -> tuple[Found, ...]:
        """What the engine heard, with synonyms put in, and what the files teach; spans may overlap under two names."""
        known = [
            {**one, "value": self._synonyms.get(str(one.get("value")).casefold(), one.get("value"))} for one in heard
        ]
        found = self.find(text, learned=learned)
        return (*known, *(one for one in found if not any(_again(one, other) for other in known)))


def _again(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """The same entity in the same place, or a piece of it."""
    start, end = other.get("start") or 0, other.get("end") or 0
    return one["entity"] == other.get("entity") and bool(one["start"] < end and one["end"] > start)


_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_WRITTEN = {word: value for value, word in enumerate(_SMALL)}
_NUMBER = re.compile(rf"(?<![\w.,-])(?:\d+(?:[.,]\d+)?|{'|'.join(_SMALL)})(?!\w|[.,-]\d)", re.IGNORECASE)


def _numbers(text: str) -> list[Found]:
    """Digits and English number words up to twenty, as numbers."""
    return [
        {"entity": NUMBER, "value": _value(match[0]), "start": match.start(), "end": match.end(), "confidence": 1.0}
        for match in _NUMBER.finditer(text)
    ]


def _value(written: str) -> int | float:
    if written.casefold() in _WRITTEN:
        return _WRITTEN[written.casefold()]
    return int(written) if written.isdigit() else float(written.replace(",", "."))


def _words(values: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted((re.escape(value) for value in values), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", re.IGNORECASE)


def _valid(pattern: str) -> bool:
    """A broken pattern is reported by `deskhand check`; it finds nothing."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _apart(found: Sequence[Found]) -> list[Found]:
    kept: list[Found] = []
    for one in found:
        if all(one["end"] <= other["start"] or one["start"] >= other["end"] for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one["start"])
