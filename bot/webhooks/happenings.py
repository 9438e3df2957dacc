"""What the world is told about: events of conversations, of bundles, of the desk's knowledge. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.conversation import Conversation, Mode, fold
from bot.events import (
    BotSaid,
    Closed,
    Event,
    GapFound,
    HandedOff,
    PersonJoined,
    PersonSaid,
    Rated,
    Released,
    Scored,
    UserSaid,
    encode,
)

TYPES = (
    "conversation.created",
    "conversation.handed_off",
    "conversation.joined",
    "conversation.released",
    "conversation.resolved",
    "conversation.reopened",
    "message.created",
    "feedback.received",
    "gap.detected",
    "bundle.evaluated",
    "bundle.promoted",
    "bundle.rolled_back",
    "drift.detected",
)
TEST = "webhook.test"

_ONE_TO_ONE: dict[type[Event], str] = {
    HandedOff: "conversation.handed_off",
    PersonJoined: "conversation.joined",
    Released: "conversation.released",
    Closed: "conversation.resolved",
    UserSaid: "message.created",
    BotSaid: "message.created",
    PersonSaid: "message.created",
    Rated: "feedback.received",
    Scored: "feedback.received",
    GapFound: "gap.detected",
}
_BY = {UserSaid: "customer", BotSaid: "bot", PersonSaid: "person"}
_INNER = ("event", "at", "bundle", "ranking", "confidence", "in_scope")


@dataclass(frozen=True)
class Happening:
    """`id` is made of what happened: telling it twice is telling it once. `thin` names things, `full` says them."""

    id: str
    type: str
    at: float
    thin: dict[str, Any]
    full: dict[str, Any]

    def payload(self, *, full: bool) -> dict[str, Any]:
        when = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"type": self.type, "timestamp": when, "data": self.full if full else self.thin}


def happening(
    type_: str, at: float, thin: dict[str, Any], full: dict[str, Any] | None = None, *, key: str
) -> Happening:
    digest = hashlib.sha256(f"{type_} {key}".encode("utf-8", "surrogatepass")).hexdigest()
    return Happening(f"msg_{digest[:32]}", type_, at, thin, {**thin, **(full or {})})


def of_conversation(conversation: Conversation, offset: int) -> Iterator[Happening]:
    """What the events from `offset` on tell."""
    at = fold(conversation.id, conversation.events[:offset])
    for number, event in enumerate(conversation.events[offset:], offset):
        before, at = at.mode, at.apply(event)
        for type_ in _types(number, event, before, at.mode):
            thin = {"conversation": conversation.id, "offset": number, **_named(event)}
            yield happening(type_, event.at, thin, _said(event), key=f"{conversation.id} {number}")


def _types(number: int, event: Event, before: Mode, after: Mode) -> Iterator[str]:
    if number == 0:
        yield "conversation.created"
    if before == "closed" and after != "closed":
        yield "conversation.reopened"
    if type_ := _ONE_TO_ONE.get(type(event)):
        yield type_


def _named(event: Event) -> dict[str, Any]:
    message_id = getattr(event, "message_id", "")
    by = {"by": _BY[type(event)]} if type(event) in _BY else {}
    return {**({"message": message_id} if message_id else {}), **by}


def _said(event: Event) -> dict[str, Any]:
    """The fields of the event that mean something outside."""
    return {name: value for name, value in encode(event).items() if name not in _INNER and name != "message_id"}


def asked_and_gaps(conversation: Conversation, offset: int) -> Iterator[tuple[str, int, int]]:
    """(day, questions put to the bot, gaps) for the events from `offset` on."""
    at = fold(conversation.id, conversation.events[:offset])
    for event in conversation.events[offset:]:
        before, at = at.mode, at.apply(event)
        asked = isinstance(event, UserSaid) and before in ("bot", "closed")
        if asked or isinstance(event, GapFound):
            yield f"{datetime.fromtimestamp(event.at, UTC):%Y-%m-%d}", int(asked), int(isinstance(event, GapFound))
