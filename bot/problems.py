"""What is wrong with the dialogue files: where, what, and the cure. Collected, so that one run shows all of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from bot.yaml_file import Items, Place


@dataclass(frozen=True, order=True)
class Problem:
    """An `error` stops the load; a `warning` is for `deskhand check`."""

    place: Place
    text: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.place}: {self.level}: {self.text}"


class Problems(list[Problem]):
    def error(self, place: Place, text: str) -> None:
        self.append(Problem(place, text))

    def warn(self, place: Place, text: str) -> None:
        self.append(Problem(place, text, "warning"))

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self if problem.level == "error"]

    def keys(self, place: Place, block: dict[str, Any], known: Iterable[str], what: str) -> None:
        """An error for every key of a mapping that nobody reads."""
        for key in block:
            if key not in known:
                self.error(place, f"unknown key {key!r} in {what}{nearest(key, known)}")

    def items(self, place: Place, value: Any, what: str) -> Items:
        """The value as a list; anything else is an error and an empty list."""
        if isinstance(value, Items):
            return value
        if value is not None:
            self.error(place, f"{what} must be a list, found {type(value).__name__}; write one `- ` a line")
        return Items()


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` or what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names[:12])}" if names else ""
