"""Is a sentence that somebody wrote supported by the passages? What is not is never sent.

A sentence is compared with every run of up to three neighbouring sentences of one passage. All its numbers, dates,
prices, addresses and names have to stand in that run, nearly all of its other words as well, and it has to say yes or
no as the run does. A rewording with words of its own is dropped sooner than a wrong one is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from retrieval.blocks import sentences, units
from retrieval.facts import NUMBER_WORDS, denies, numbers
from retrieval.types import Passage
from retrieval.words import stems

SHARE = 0.8  # of the words
RUN = 3  # sentences
_ADDRESS = re.compile(r"https?://[^\s)>\]]+|\b[\w.+-]+@[\w-]+\.[\w.]+|\bwww\.[^\s)>\]]+", re.IGNORECASE)
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'’-]*")
# Words that turn a true sentence into another one, though they are few.
_TURNS = re.compile(r"\b(?:always|all|every|any|only|must|free|guaranteed?|immediately|instantly)\b", re.IGNORECASE)
# What an answer may say around its facts.
_FREE = frozenset(stems("yes sure certainly course answer according article page help information note also"))


def supported(sentence: str, passages: Sequence[Passage]) -> bool:
    asked = _Said(sentence)
    return any(asked.follows_from(head, run) for passage in passages for head, run in _runs(passage))


def keep_supported(text: str, passages: Sequence[Passage]) -> tuple[list[str], list[str]]:
    """The sentences of a text that are supported, and those that are not, both in order."""
    kept: list[str] = []
    dropped: list[str] = []
    for line in text.splitlines():
        for sentence in sentences(line):
            if re.search(r"\w", sentence):
                (kept if supported(sentence, passages) else dropped).append(sentence)
    return kept, dropped


class _Said:
    def __init__(self, text: str) -> None:
        addresses = {found.rstrip(".,;:!?").lower() for found in _ADDRESS.findall(text)}
        rest = _ADDRESS.sub(" ", text)
        self.exact = addresses | numbers(rest)
        self.names = {stem for name in _NAME.findall(rest) for stem in stems(name)}
        self.stems = set(stems(rest)) - set(NUMBER_WORDS)
        self.no = denies(rest)
        self.turns = {found.lower() for found in _TURNS.findall(rest)}

    def follows_from(self, head: _Said, run: Sequence[_Said]) -> bool:
        """Whether a run of sentences under this heading says it. Yes or no, and words that turn a sentence, have to be
        those of the closest sentence of the run: its neighbours may well say no to something else."""
        words = {stem for stem in self.stems - _FREE if not stem.isdigit()}
        there = head.stems.union(*(one.stems for one in run))
        closest = max(run, key=lambda one: len(words & one.stems))
        return (
            bool(words)
            and len(words & there) >= SHARE * len(words)
            and self.exact <= head.exact.union(*(one.exact for one in run))
            and self.names - _FREE <= there
            and self.turns <= closest.turns
            and self.no == closest.no
        )


def _runs(passage: Passage) -> Iterator[tuple[_Said, list[_Said]]]:
    head = _Said(f"{passage.title}. {passage.heading}")
    pieces = [_Said(piece) for piece in units(passage.text)]
    for first in range(len(pieces)):
        for last in range(first + 1, min(first + RUN, len(pieces)) + 1):
            yield head, pieces[first:last]
