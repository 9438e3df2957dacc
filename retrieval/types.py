"""What the language side says about a message: frozen values, no behaviour beyond lookups."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class IntentScore:
    """One intent and its softmax probability in [0, 1]."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Entity:
    """A typed span of the text. `start` and `end` are character offsets, end exclusive."""

    name: str
    value: str
    start: int
    end: int
    confidence: float = 1.0
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an encoder says of each token of a text: `states` (t, d) and `spans` (t, 2), character offsets."""

    states: Matrix
    spans: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Understanding:
    """What `Engine.understand` heard in one message.

    `ranking` is sorted by confidence, best first, and may be empty when a bundle has no intents. `in_scope` is the
    probability that the message is something this desk deals with at all. `vector` is the encoded message with its
    context, as the answer index expects it; it is no part of equality.
    """

    text: str
    ranking: tuple[IntentScore, ...]
    in_scope: float
    entities: tuple[Entity, ...] = ()
    context: tuple[str, ...] = ()
    bundle: str = ""
    vector: Vector | None = field(default=None, compare=False, repr=False)

    @property
    def intent(self) -> IntentScore | None:
        return self.ranking[0] if self.ranking else None


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A customer turn of a transcript that supports an answer: where it stands and how close it is (cosine)."""

    conversation: str
    turn: int
    text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class AnswerHit:
    """A candidate answer. `text` is a template; `slots` names the `<PLACEHOLDERS>` that must be filled before sending.

    `p_correct` is calibrated on validation conversations: the probability that this answer is the right one.
    `servable` is false for replies that only a person can give (they ask, stall, promise or need facts). `threshold` is
    set where an answer has one of its own, because what speaks for it is another evidence: a person taught it.
    """

    answer: str
    text: str
    p_correct: float
    score: float
    slots: tuple[str, ...] = ()
    servable: bool = True
    intent: str | None = None
    threshold: float | None = None
    requests: tuple[LoggedRequest, ...] = ()

    def limit(self, threshold: float) -> float:
        """From which P(correct) on it is sent, where `threshold` is that of all answers."""
        return threshold if self.threshold is None else self.threshold

    def clears(self, threshold: float) -> bool:
        return self.p_correct >= self.limit(threshold)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a knowledge article. `p_relevant` is calibrated; `score` orders the passages of one search.

    `language` is an ISO 639-1 code or "" when unknown; dates are ISO dates or "", and a validity includes both ends.
    """

    id: str
    article: str
    title: str
    heading: str
    text: str
    url: str
    score: float
    p_relevant: float
    language: str = ""
    tags: tuple[str, ...] = ()
    updated: str = ""
    valid_from: str = ""
    valid_until: str = ""
