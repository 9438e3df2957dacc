"""Precision, recall and F1 of entities: a span counts when its name, its ends, its role and its group are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from retrieval.types import Entity


@dataclass
class EntityScores:
    """Counts by entity name, over the messages that were added."""

    messages: int = 0
    right: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    gold: Counter[str] = field(default_factory=Counter)

    def add(self, gold: Iterable[Entity], found: Iterable[Entity]) -> None:
        wanted, got = {_key(one) for one in gold}, {_key(one) for one in found}
        self.messages += 1
        self.gold.update(key[0] for key in wanted)
        self.found.update(key[0] for key in got)
        self.right.update(key[0] for key in wanted & got)

    @property
    def f1(self) -> float:
        return self._measures(sum(self.right.values()), sum(self.found.values()), sum(self.gold.values()))["f1"] or 0.0

    def summary(self) -> dict[str, Any]:
        """Micro measures, and those of each name; None where nothing can be measured."""
        whole = self._measures(sum(self.right.values()), sum(self.found.values()), sum(self.gold.values()))
        each = {
            name: {**self._measures(self.right[name], self.found[name], self.gold[name]), "n": self.gold[name]}
            for name in sorted(self.gold | self.found)
        }
        return {**whole, "entities": each}

    @staticmethod
    def _measures(right: int, found: int, gold: int) -> dict[str, float | None]:
        return {
            "precision": right / found if found else None,
            "recall": right / gold if gold else None,
            "f1": 2 * right / (found + gold) if found + gold else None,
        }


def _key(one: Entity) -> tuple[str, int, int, str | None, str | None]:
    return one.name, one.start, one.end, one.role, one.group
