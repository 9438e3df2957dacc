"""Several requests in one message: each is dealt with in its turn. Pure; `Manager` hears the parts.

The first is what the message is about; the others are `Queued`, and are worked off when it has been dealt with: at
once, or when the form that it opened is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.conversation import LISTEN, Conversation
from bot.courtesy import courtesy
from bot.domain import Domain
from bot.events import REPEATS, Event, Queued, UserSaid
from bot.messages import UserMessage
from bot.payload import parse_payload
from bot.policy import decide
from bot.steps import Answer, Candidates, Cite, Limits, RunAction, Step
from bot.wording import without_greeting

MOST = 4
WORDS = 3
"""A request has at least so many words."""

_ASKS = (
    r"(?:(?:can|could|do|does|did|is|are|will|would|should|may) (?:i|we|you|it|they|there|this|that|the|my|your)\b"
    r"|(?:how|what|when|where|which|why|who)\b)"
)
_ENDS = re.compile(
    r"(?<=[?!.？！。])\s+|\n+|\s*;\s+|,?\s+(?:and also|and then|also|plus)\s+|,\s+and\s+"
    rf"|,?\s+(?:and|&)\s+(?={_ASKS})",
    re.IGNORECASE,
)

Heard = tuple[UserSaid, Candidates]


def parts(text: str) -> list[str]:
    """What may be requests of their own: sentences, what "and also" joins, and questions joined by "and". Courtesy
    beside them ("Thanks!") is no part. One part when nothing can be split."""
    if parse_payload(text):
        return [text]
    pieces = [piece.strip() for piece in _ENDS.split(without_greeting(text)) if piece and piece.strip()]
    pieces = [piece for piece in pieces if not courtesy(piece)]
    if not 2 <= len(pieces) <= MOST or any(len(piece.split()) < WORDS for piece in pieces):
        return [text]
    return pieces


def divisible(conversation: Conversation) -> bool:
    """Whether several requests in one message would be dealt with one by one: inside a form they are its answer, and a
    person reads the message as it is."""
    return conversation.loop is None and conversation.mode == "bot"


def leads(conversation: Conversation, heard: Heard, domain: Domain, limits: Limits) -> bool:
    """Whether a message is dealt with by itself: by a rule, a story, an answer or an article."""
    said, offers = heard
    return _leads(decide(conversation.apply(said), domain, offers, limits))


def recognised(conversation: Conversation, heard: Sequence[Heard], domain: Domain, limits: Limits) -> list[Heard]:
    """Of several questions that are not known as one, those that are known, and then the others, so that each is
    answered or asked about; none unless one is known."""
    if not divisible(conversation):
        return []
    known = [one for one in heard if leads(conversation, one, domain, limits)]
    return [*known, *(one for one in heard if one not in known)] if known else []


def separate(conversation: Conversation, heard: Iterable[Heard], domain: Domain, limits: Limits) -> list[Heard]:
    """The parts, where each leads somewhere of its own; else none, and those after the first that does not are never
    heard. A part that leads nowhere is a part of the others: "My tent broke. What now?" is one request."""
    if not divisible(conversation):
        return []
    found: list[Heard] = []
    goals: set[str] = set()
    for said, offers in heard:
        step = decide(conversation.apply(said), domain, offers, limits)
        if not _leads(step) or _goal(step) in goals:
            return []
        goals.add(_goal(step))
        found.append((said, offers))
    return found


def _leads(step: Step) -> bool:
    acts = isinstance(step, RunAction) and step.policy in ("rule", "story", "learned") and step.name != LISTEN
    return acts or isinstance(step, Answer | Cite)


def _goal(step: Step) -> str:
    match step:
        case RunAction(name=name):
            return name
        case Answer(text=text) | Cite(text=text):
            return text
        case _:
            return ""


def in_turn(message: UserMessage, heard: Sequence[UserSaid]) -> list[Event]:
    """The first request as what the customer said, the others queued behind it."""
    first, *others = heard
    if not others:
        return [first]
    whole = message.parts or ({"id": message.id, "text": message.text},)
    return [replace(first, parts=whole), *(Queued(text=one.text, message_id=message.id) for one in others)]


def next_in_turn(conversation: Conversation, message: UserMessage) -> UserMessage:
    """The first queued request as a message of its own, which the customer sees no second time."""
    queued = conversation.queued[0]
    return replace(
        message,
        id=f"{queued.message_id}#{len(conversation.queued)}",
        text=queued.text,
        metadata={**message.metadata, REPEATS: queued.message_id},
        parts=(),
        payload=None,
    )
