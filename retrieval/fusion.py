"""How the evidence for a passage adds up to one score. The weights are measured, see `docs/knowledge.md`.

score = closeness of the text and, for a question article, of its question
      + WORDS * BM25 of the passage for the question and, less and less, for what was said before
      + TOPIC * BM25 of everything that is written on the passage's subject, for the whole conversation
      + MENTION * how clearly the conversation named that subject

The last question of a conversation leaves out what it is about ("and how long does that take?"). Its words are those
of the earlier turns, and word search needs no second run of the encoder for them. Without history the words count for
less, because people paraphrase: a fixed sum loses to dense search alone there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from retrieval.lexical import Postings, bm25, hashed, ranges
from retrieval.words import stems

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

QUESTION = 0.5  # of the closeness, where an article is a question
WORDS = 1.0
WORDS_ALONE = 0.33  # without history
TOPIC = 2.0
MENTION = 1.0

EARLIER = 0.2  # weight of the turn before in the words of the question
FADES = 0.85  # from turn to turn
NAME_FADES = 0.95
TURNS = 12
CLEAR_NAME = 6.0  # nats of a name that cannot be meant by chance


@dataclass(frozen=True, eq=False)
class Asked:
    """A question as word search sees it; `history` is what was said before, oldest first."""

    text: str
    history: tuple[str, ...] = ()

    @cached_property
    def turns(self) -> list[list[str]]:
        """The words of the question and of the turns before it, latest first."""
        kept = [part for part in reversed(self.history) if part.strip()][:TURNS]
        return [list(dict.fromkeys(stems(part))) for part in (self.text, *kept)]

    @property
    def follows(self) -> bool:
        return len(self.turns) > 1

    @cached_property
    def fading(self) -> dict[str, float]:
        return self.words(EARLIER, FADES)

    def words(self, earlier: float, fades: float) -> dict[str, float]:
        weights: dict[str, float] = {}
        for age, words in enumerate(self.turns):
            weight = earlier * fades ** (age - 1) if age else 1.0
            for word in words:
                weights[word] = max(weight, weights.get(word, 0.0))
        return weights


class Topics:
    """What articles are about; `names[t]` is the name of topic t, "" when it has none.

    Built from the postings of the passages: `of_passage[i]` (p_i,) is the topic of each passage of part i, -1 where the
    passage is out of service.
    """

    def __init__(self, parts: Sequence[Postings], of_passage: Sequence[Ints], names: Sequence[str]) -> None:
        self._text = Postings.joined(parts, of_passage, len(names))
        words = [list(dict.fromkeys(stems(name))) for name in names]
        self._names = Postings.build(words)
        named = max(1, sum(1 for own in words if own))
        frequency = np.diff(self._names.starts)
        self._idf = np.log(1 + named / np.maximum(frequency, 1)).astype(np.float32)
        self._whole = np.zeros(len(names), np.float32)
        np.add.at(self._whole, self._names.docs, np.repeat(self._idf, frequency))

    def written(self, asked: Asked) -> Floats:
        """BM25 (t,) of all that is written on each topic, for all that was said."""
        return bm25([self._text], asked.words(1.0, 1.0))[0]

    def named(self, asked: Asked) -> Floats:
        """(t,) from 0 to 1: the share of the name that a turn holds, squared; short common names never reach 1."""
        best = np.zeros(len(self._whole), np.float32)
        if not len(self._names.docs):
            return best
        clear = np.minimum(1.0, self._whole / CLEAR_NAME)
        for age, words in enumerate(asked.turns):
            first, sizes = self._names.find(hashed(words))
            worth = self._idf[np.searchsorted(self._names.starts, first)]
            held = np.bincount(self._names.docs[ranges(first, sizes)], np.repeat(worth, sizes), len(best))
            share = held / np.maximum(self._whole, 1e-6)
            np.maximum(best, share**2 * clear * NAME_FADES**age, out=best)
        return best


@dataclass(frozen=True, eq=False)
class Evidence:
    """One value a candidate (n,): cosine of its best window, of its article's question (NaN without one), BM25 of its
    words for the question in its history and for the question alone, and what `Topics` says of its topic."""

    text: Floats
    question: Floats
    words: Floats
    words_alone: Floats
    written: Floats
    named: Floats

    @property
    def close(self) -> Floats:
        asked = np.where(np.isnan(self.question), self.text, self.question)
        return np.asarray((1 - QUESTION) * self.text + QUESTION * asked, np.float32)

    def at(self, places: Ints) -> Evidence:
        return Evidence(*(getattr(self, name)[places] for name in self.__dataclass_fields__))

    def score(self, *, follows: bool) -> Floats:
        said = WORDS * self.words + TOPIC * self.written if follows else WORDS_ALONE * self.words_alone
        return np.asarray(self.close + said + MENTION * self.named, np.float32)


def best(scores: Floats, most: int) -> Ints:
    """The numbers of the `most` highest scores above zero, in no order."""
    if len(scores) <= most:
        return np.flatnonzero(scores > 0)
    near = np.argpartition(-scores, most)[:most]
    return np.asarray(near[scores[near] > 0], np.int64)


def same_text(one: str, other: str) -> bool:
    """Near copies: nine tenths of their words in common."""
    first, second = _words(one), _words(other)
    return len(first & second) >= 0.9 * max(1, len(first | second))


@lru_cache(maxsize=1_000)
def _words(text: str) -> frozenset[str]:
    return frozenset(stems(text))
