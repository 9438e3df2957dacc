"""Entities that the dialogue files teach: regexes, lookups, annotated examples and synonyms. Pure.

The bundle's own entities (order numbers, e-mail addresses, what its token head found) come from `Engine.understand`;
`merged` joins the two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.amounts import money, numbers
from bot.dates import days, times
from bot.dates import zone as zone_of
from bot.domain import Domain
from bot.entity_roles import Roles
from bot.near_words import NearWords

Found = dict[str, Any]

ALIASES = {"amount-of-money": "money", "phone-number": "phone"}
"""Duckling's names for what patterns find."""
RECOGNISED = frozenset({"number", "money", "date", "time"})
"""An entity of such a name that no example, lookup or regex teaches is found by itself, as Duckling's are."""


class Finder:
    """Finds the entities of a domain in a text: `{entity, value, start, end, confidence}`, longest first where they
    overlap. Words match whole and without regard to case; patterns as they are written."""

    def __init__(self, domain: Domain, *, zone: str = "UTC") -> None:
        """`zone` is that of customers whose client does not name theirs."""
        nlu = domain.nlu
        words: dict[str, set[str]] = {}
        synonyms: dict[str, Any] = {}
        for example in nlu.examples:
            for entity in example.entities:
                surface = example.text[entity["start"] : entity["end"]]
                words.setdefault(str(entity["entity"]), set()).add(surface)
                if entity["value"] != surface:
                    synonyms[surface.casefold()] = entity["value"]
        listed = {name: [*values] for name, values in nlu.lookups.items() if values}
        for surface, value in nlu.synonyms.items():  # "nest egg" names an account as "savings" does
            for name in {*words, *listed}:
                if value.casefold() in map(str.casefold, (*words.get(name, ()), *listed.get(name, ()))):
                    listed.setdefault(name, []).append(surface)
        self._annotated = [(name, _words(values)) for name, values in words.items() if name in domain.entities]
        self._patterns = [(name, _words(values)) for name, values in listed.items() if name in domain.entities]
        for name, regexes in nlu.regexes.items():
            if name in domain.entities:
                self._patterns += [(name, re.compile(one)) for one in regexes if _valid(one)]
        taught = {name for name, _ in (*self._annotated, *self._patterns)}
        self._recognised = {name: ALIASES.get(name, name) for name in domain.entities if name not in taught}
        self._near = NearWords(
            {name: values for name, values in listed.items() if name in domain.entities},
            (example.text for example in nlu.examples),
        )
        self._zone = zone
        self._roles = Roles(nlu.examples)
        self._synonyms: Mapping[str, Any] = {**synonyms, **nlu.synonyms}
        self._intents: dict[str, str | None] = {}
        for example in nlu.examples:
            before = self._intents.setdefault(_bare(example.text), example.intent)
            if before != example.intent:
                self._intents[_bare(example.text)] = None

    def intent(self, text: str) -> str | None:
        """The intent that a text is an example of, word for word; None when it is of none, or of several."""
        return self._intents.get(_bare(text))

    def now(self, metadata: Mapping[str, Any]) -> datetime:
        """In the zone of the customer, which a client may name as `timezone`."""
        return datetime.now(zone_of(metadata.get("timezone"), self._zone))

    def find(self, text: str, *, learned: Collection[str] = (), now: datetime | None = None) -> list[Found]:
        """`learned` are entities that a token head finds: the words of their examples are then no longer looked up.
        What is said of days and times counts from `now`, by default the present in the zone of the desk."""
        annotated = [(name, pattern) for name, pattern in self._annotated if name not in learned]
        found = [
            {"entity": name, "value": self._synonyms.get(match[0].casefold(), match[0]), "start": match.start(),
             "end": match.end(), "confidence": 1.0}
            for name, pattern in (*annotated, *self._patterns)
            for match in pattern.finditer(text)
            if match[0].strip()
        ]  # fmt: skip
        found += [
            {"entity": name, "value": value, "start": start, "end": end, "confidence": round(similarity, 3)}
            for name, value, start, end, similarity in self._near.find(text)
        ]
        apart = _apart(sorted(found, key=lambda one: (one["start"] - one["end"], one["start"])))
        apart += [one for one in self._by_themselves(text, now) if not any(_overlap(one, other) for other in apart)]
        return [self._roles.named(one, text) for one in sorted(apart, key=lambda one: one["start"])]

    def _by_themselves(self, text: str, now: datetime | None) -> list[Found]:
        wanted = {kind: name for name, kind in self._recognised.items() if kind in RECOGNISED}
        found = {kind: list(_recognise(kind, text, now or self.now({}))) for kind in wanted}
        others = [one for kind, ones in found.items() if kind != "number" for one in ones]
        if "number" in found:  # 15 of "15 EUR" is told as money
            found["number"] = [one for one in found["number"] if not any(_overlap(one, other) for other in others)]
        return [{"entity": wanted[kind], "confidence": 1.0, **one} for kind, ones in found.items() for one in ones]

    def merged(
        self,
        heard: Iterable[Mapping[str, Any]],
        text: str,
        *,
        learned: Collection[str] = (),
        now: datetime | None = None,
    ) -> tuple[Found, ...]:
        """What the engine heard, with synonyms put in, and what the files teach; spans may overlap under two names."""
        known = [
            {**one, "value": self._synonyms.get(str(one.get("value")).casefold(), one.get("value"))} for one in heard
        ]
        alias = {kind: name for name, kind in self._recognised.items() if name in ALIASES}
        known += [{**one, "entity": alias[str(one["entity"])]} for one in known if one.get("entity") in alias]
        found = self.find(text, learned=learned, now=now)
        return (*known, *(one for one in found if not any(_again(one, other) for other in known)))


def _recognise(kind: str, text: str, now: datetime) -> list[Found]:
    match kind:
        case "number":
            return numbers(text)
        case "money":
            return money(text)
        case "date":
            return days(text, now)
        case _:
            return times(text, now)


def _again(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """The same entity in the same place, or a piece of it."""
    return one["entity"] == other.get("entity") and _overlap(one, other)


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(one["start"] < (other.get("end") or 0) and one["end"] > (other.get("start") or 0))


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(" ?!.")


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
        if not any(_overlap(one, other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one["start"])
