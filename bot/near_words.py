"""Entries of lookup tables that a customer mistyped: "Fern Rian Jacket" for "Fern Rain Jacket". Home of rapidfuzz.

As many letters may differ as Elasticsearch's `fuzziness: AUTO` lets, a little less: none in short words, one from five
letters on (from four in an entry of several words), two from nine on; two swapped neighbours count as one (optimal
string alignment). The first letter has to be right, and a word that the desk's own examples use is no typo.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from rapidfuzz.distance import OSA

ONE, ONE_OF_SEVERAL, TWO = 5, 4, 9
_WORD = re.compile(r"\w+")

Near = tuple[str, str, int, int, float]
"""Name, entry, start, end, similarity in [0, 1]."""


class NearWords:
    """Entries by the number of their words and their first letter, so that few are compared."""

    def __init__(self, lookups: Mapping[str, Collection[str]], known: Iterable[str]) -> None:
        """`known` are texts whose words are no typos."""
        self._known = {word for text in known for word in _WORD.findall(text.casefold())}
        self._entries: dict[tuple[int, str], list[tuple[str, str, list[str]]]] = defaultdict(list)
        for name, values in lookups.items():
            for value in values:
                if said := _WORD.findall(value.casefold()):
                    self._known.update(said)
                    self._entries[len(said), said[0][0]].append((name, value, said))
        self._sizes = sorted({size for size, _ in self._entries}, reverse=True)

    def find(self, text: str) -> Iterator[Near]:
        """What is close to an entry and none itself; the closest of each place, longest first."""
        words = [(match[0].casefold(), match.start(), match.end()) for match in _WORD.finditer(text)]
        for size in self._sizes:
            for at in range(len(words) - size + 1):
                said = [word for word, _, _ in words[at : at + size]]
                if all(word in self._known for word in said):
                    continue
                if best := self._closest(said):
                    name, value, similarity = best
                    yield name, value, words[at][1], words[at + size - 1][2], similarity

    def _closest(self, said: list[str]) -> tuple[str, str, float] | None:
        found = []
        for name, value, entry in self._entries.get((len(said), said[0][0]), ()):
            least = ONE if len(entry) == 1 else ONE_OF_SEVERAL
            apart = [self._apart(one, other, least) for one, other in zip(said, entry, strict=True)]
            if None not in apart:
                letters = sum(map(len, entry))
                found.append((1 - sum(one or 0 for one in apart) / letters, name, value))
        best = max(found, default=None)
        return (best[1], best[2], best[0]) if best else None

    def _apart(self, said: str, entry: str, least: int) -> int | None:
        """How many letters, None when too many. A number is right or another number."""
        if said == entry:
            return 0
        fixed = said in self._known or any(letter.isdigit() for letter in entry)
        most = 0 if fixed else (len(entry) >= least) + (len(entry) >= TWO)
        found = OSA.distance(said, entry, score_cutoff=most)
        return found if 0 < found <= most and said[0] == entry[0] else None


def close(said: str, meant: str) -> bool:
    """One letter wrong, missing or too many, or two neighbours swapped, and not the first."""
    return said[:1] == meant[:1] and OSA.distance(said, meant, score_cutoff=1) <= 1
