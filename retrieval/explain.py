"""Why this answer: the words that carried it, and what would have changed it. Nothing is asked but the engine itself.

Each word is left out in turn (occlusion, Zeiler and Fergus 2014), so what is shown is what the engine would really have
done, not a gradient's guess. It costs an encoding a word, and is for people who look, not for every message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from retrieval.engine import Engine
from retrieval.types import AnswerHit, Understanding

MOST_WORDS = 40
CANDIDATES = 10
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class WordEffect:
    """A word of the message, where it stands, and what P(correct) of the first answer loses without it."""

    word: str
    start: int
    end: int
    effect: float


@dataclass(frozen=True, slots=True)
class Change:
    """A message close to the one that was heard, for which the bot would have done something else.

    `answer` is the first answer then, `sent` whether the bot would have said it by itself.
    """

    text: str
    answer: str
    p_correct: float
    sent: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of the first answer: `sent` by itself or not, its words in the order of the message, the nearest changes."""

    answer: str
    p_correct: float
    threshold: float
    sent: bool
    words: tuple[WordEffect, ...]
    changes: tuple[Change, ...]

    def carried_by(self, most: int = 3) -> tuple[WordEffect, ...]:
        """The words without which the answer would be least sure, the weightiest first."""
        helpful = (word for word in self.words if word.effect > 0)
        return tuple(sorted(helpful, key=lambda word: (-word.effect, word.start))[:most])


def explain(engine: Engine, heard: Understanding) -> Explanation | None:
    """None when the engine has no answer to explain. Of a long message the first `MOST_WORDS` words are tried."""
    first = next(iter(engine.answer(heard, k=CANDIDATES)), None)
    if first is None:
        return None
    spans = [match.span() for match in _WORD.finditer(heard.text)][:MOST_WORDS]
    without = [" ".join((heard.text[:a] + heard.text[b:]).split()) for a, b in spans] if len(spans) > 1 else []
    logged = [request.text for request in first.requests if request.text != heard.text]
    texts = [*without, *logged]
    found = engine.answer_all(engine.understand_all(texts, contexts=[heard.context] * len(texts)), k=CANDIDATES)
    words = tuple(
        WordEffect(heard.text[a:b], a, b, first.p_correct - _sure_of(first.answer, hits))
        for (a, b), hits in zip(spans, found[: len(without)], strict=False)
    )
    threshold = engine.thresholds.answer
    changes = _changes(first, texts, [hits[0] for hits in found], threshold)
    limit = first.limit(threshold)
    return Explanation(first.answer, first.p_correct, limit, _sent(first, threshold), words, changes)


def _sure_of(answer: str, hits: list[AnswerHit]) -> float:
    return next((hit.p_correct for hit in hits if hit.answer == answer), 0.0)


def _sent(hit: AnswerHit, threshold: float) -> bool:
    return hit.servable and hit.clears(threshold)


def _changes(first: AnswerHit, texts: list[str], found: list[AnswerHit], threshold: float) -> tuple[Change, ...]:
    """Where another answer would be first, or the same one would now be sent or not; each text once."""
    sent = _sent(first, threshold)
    changed = {
        text: Change(text, hit.answer, hit.p_correct, _sent(hit, threshold))
        for text, hit in zip(texts, found, strict=True)
        if hit.answer != first.answer or _sent(hit, threshold) != sent
    }
    return tuple(changed.values())
