"""Words of a message, and what is known of each without an encoder: letters, shape, the lists and patterns it is in.

The features are those of Lample et al. (arXiv 1603.01360) and of python-crfsuite's tutorial: the word, its first and
last letters, its shape; what stands around it is the business of `token_head`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

Span = tuple[int, int]

_CJK = "\u3040-\u30ff\u4e00-\u9fff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[^\w\s]")
LONGEST_SHAPE = 8


def words(text: str) -> list[Span]:
    """Character spans: runs of letters and digits, single signs, single CJK characters."""
    return [match.span() for match in _WORD.finditer(text)]


def shape(word: str) -> str:
    """`Paris` -> `Xxxxx`, `AB-12` -> `XX-dd`; long runs are cut, since 8 and 12 digits are both many."""
    marks = "".join("d" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word)
    return marks[:LONGEST_SHAPE]


@dataclass(frozen=True)
class Lexicon:
    """`vocabulary` numbers the features that training has seen; `lookups` and `patterns` are those of the desk."""

    vocabulary: Mapping[str, int] = field(default_factory=dict)
    lookups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def numbers(self, text: str, spans: Sequence[Span], marked: Iterable[tuple[str, int, int]]) -> list[list[int]]:
        """For each word the numbers of its known features."""
        known = self.vocabulary
        return [[known[one] for one in names if one in known] for names in self.features(text, spans, marked)]

    def features(
        self, text: str, spans: Sequence[Span], marked: Iterable[tuple[str, int, int]] = ()
    ) -> list[list[str]]:
        """`marked` are spans that somebody else recognised (e-mail, order number): (name, start, end)."""
        found = [_of_word(text[start:end]) for start, end in spans]
        for kind, name, start, end in (*self._patterned(text), *(("is", *one) for one in marked)):
            for number, span in enumerate(spans):
                if span[0] < end and span[1] > start:
                    found[number].append(f"{kind} {name}")
        self._listed(text, spans, found)
        return found

    def _patterned(self, text: str) -> Iterable[tuple[str, str, int, int]]:
        return [
            ("pattern", name, *match.span())
            for name, patterns in self._compiled.items()
            for pattern in patterns
            for match in pattern.finditer(text)
        ]

    def _listed(self, text: str, spans: Sequence[Span], found: list[list[str]]) -> None:
        for first, length, names in self._matches(text, spans):
            for name in names:
                found[first].append(f"begins {name}")
                for inside in range(first + 1, first + length):
                    found[inside].append(f"inside {name}")

    def listed(self, text: str, spans: Sequence[Span]) -> list[Span]:
        """Where entries of lookup tables stand; they may overlap."""
        return [(spans[at][0], spans[at + length - 1][1]) for at, length, _ in self._matches(text, spans)]

    def _matches(self, text: str, spans: Sequence[Span]) -> Iterator[tuple[int, int, list[str]]]:
        """(first word, words, names) of the longest entries that begin at each word."""
        said = [text[start:end].casefold() for start, end in spans]
        for at in range(len(said)):
            for length in range(min(self._longest, len(said) - at), 0, -1):
                if names := self._entries.get(tuple(said[at : at + length])):
                    yield at, length, names
                    break

    @cached_property
    def _entries(self) -> dict[tuple[str, ...], list[str]]:
        entries: dict[tuple[str, ...], list[str]] = {}
        for name, values in self.lookups.items():
            for value in values:
                key = tuple(value[start:end].casefold() for start, end in words(value))
                if key and name not in entries.setdefault(key, []):
                    entries[key].append(name)
        return entries

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._entries), default=0)

    @cached_property
    def _compiled(self) -> dict[str, list[re.Pattern[str]]]:
        return {name: [re.compile(one) for one in patterns] for name, patterns in self.patterns.items()}

    def check(self) -> None:
        """ValueError when a pattern is no regular expression."""
        try:
            _ = self._compiled
        except re.error as error:
            raise ValueError(f"a pattern is no regular expression: {error}") from error


def _of_word(word: str) -> list[str]:
    low = word.casefold()
    return [
        f"word {low}",
        f"shape {shape(word)}",
        f"size {min(len(word), 12)}",
        *(f"starts {low[:size]}" for size in (1, 2, 3)),
        *(f"ends {low[-size:]}" for size in (1, 2, 3)),
    ]
