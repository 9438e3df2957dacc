"""Which role or group an entity has in its sentence ("from Oslo to Rome"), by the words around it. Pure.

A naive Bayes classifier over the two words before and the one after, fitted on the annotated examples: these are few,
and prepositions tell most of it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.nlu_file import Example

KEYS = ("role", "group")
SMOOTHING = 0.1
_WORD = re.compile(r"\w+|[^\w\s]")

Feature = tuple[str, str]


class Roles:
    def __init__(self, examples: Iterable[Example]) -> None:
        self._seen: dict[tuple[str, str], dict[str, Counter[Feature]]] = {}
        self._count: Counter[tuple[str, str, str]] = Counter()
        for example in examples:
            for entity in example.entities:
                for key in KEYS:
                    if entity.get(key) is not None:
                        self._learn(str(entity["entity"]), key, str(entity[key]), around(example.text, entity))

    def _learn(self, name: str, key: str, value: str, features: Iterable[Feature]) -> None:
        values = self._seen.setdefault((name, key), {})
        values.setdefault(value, Counter()).update(features)
        self._count[name, key, value] += 1

    def named(self, entity: Mapping[str, Any], text: str) -> dict[str, Any]:
        """The entity with the role and group that its place in the text speaks for, where examples teach some."""
        found = dict(entity)
        features = list(around(text, entity))
        for key in KEYS:
            values = self._seen.get((str(entity.get("entity")), key))
            if values and found.get(key) is None:
                found[key] = max(values, key=lambda value: self._score(str(entity["entity"]), key, value, features))
        return found

    def _score(self, name: str, key: str, value: str, features: Iterable[Feature]) -> float:
        count, seen = self._count[name, key, value], self._seen[name, key][value]
        return math.log(count) + sum(math.log((seen[one] + SMOOTHING) / (count + 2 * SMOOTHING)) for one in features)


def around(text: str, entity: Mapping[str, Any]) -> Iterator[Feature]:
    """The words before and after, with where they stand; "" beyond the ends of the text."""
    before = _WORD.findall(text[: entity.get("start") or 0].casefold())
    after = _WORD.findall(text[entity.get("end") or 0 :].casefold())
    yield "before", before[-1] if before else ""
    yield "before that", before[-2] if len(before) > 1 else ""
    yield "after", after[0] if after else ""
