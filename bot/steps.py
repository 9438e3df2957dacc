"""What `decide` may ask for. A step is a frozen wish; `Manager` carries it out and turns it into events."""

from __future__ import annotations

from dataclasses import dataclass, field

from retrieval.policy import LearnedPolicy
from retrieval.types import AnswerHit, Passage, Vector


@dataclass(frozen=True)
class Wait:
    """The desk has said what it had to say; the customer is next."""


@dataclass(frozen=True)
class RunAction:
    """A response (`utter_x`), a default action, a form, or a custom action, by its domain name."""

    name: str
    policy: str = "rule"
    confidence: float = 1.0


@dataclass(frozen=True)
class Answer:
    """Send a mined answer whose P(correct) clears the threshold; `text` has its placeholders filled."""

    hit: AnswerHit
    text: str


@dataclass(frozen=True)
class Cite:
    """Send an answer composed from passages, with its sources."""

    text: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Clarify:
    """Two or three candidates are close: ask which. Each option is (title, payload)."""

    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class HandOff:
    """Give the conversation to a person. With `gap` the question is recorded as one the bot could not answer."""

    reason: str
    gap: bool = False


@dataclass(frozen=True)
class StillWaiting:
    """Say that a person is coming, to a customer who was handed off and writes something that the bot cannot answer."""


Step = Wait | RunAction | Answer | Cite | Clarify | HandOff | StillWaiting


@dataclass(frozen=True)
class Candidates:
    """What the engine offers for the latest message; computed once a turn, before the first decision. `vector` is the
    encoded message, for the learned `policy`; None for a payload, which has no words."""

    answers: tuple[AnswerHit, ...] = ()
    passages: tuple[Passage, ...] = ()
    policy: LearnedPolicy | None = None
    vector: Vector | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Limits:
    """Thresholds of the bundle in service and the operator's rules; see `config/deskhand.yml`."""

    answer: float = 0.9
    passage: float = 0.5
    intent: float = 0.5
    in_scope: float = 0.5
    clarify_margin: float = 0.1
    answers_while_waiting: bool = True
