"""When a session begins and what it takes over from the one before. Pure."""

from __future__ import annotations

from typing import Any

from bot.conversation import Conversation
from bot.domain import Domain
from bot.events import Event, SessionStarted, SlotSet, UserSaid, now

METADATA = "session_started_metadata"
"""The slot that holds what a channel said when the session began; as in Rasa it is set where the domain has it."""


def open_session(
    conversation: Conversation,
    domain: Domain,
    *,
    channel: str = "",
    metadata: dict[str, Any] | None = None,
    at: float | None = None,
) -> tuple[Event, ...]:
    """The events that come before a customer's message at `at` (seconds): none while a session lasts.

    A new session begins with the conversation, and after `session_expiration_time` minutes without a word; never while
    the people have the conversation.
    """
    at = now() if at is None else at
    if not _due(conversation, domain, at):
        return ()
    return begin_session(conversation, domain, channel=channel, metadata=metadata, at=at)


def begin_session(
    conversation: Conversation, domain: Domain, *, channel: str = "", metadata: dict[str, Any] | None = None, at: float
) -> tuple[Event, ...]:
    """A new session, with the slots of the old one when the domain says so."""
    slots = conversation.slots if domain.session.carries_slots else {}
    carried = (SlotSet(name=name, value=value, at=at) for name, value in slots.items() if value is not None)
    return (SessionStarted(channel=channel, metadata=metadata or {}, at=at), *carried)


def session_metadata(conversation: Conversation) -> dict[str, Any] | None:
    latest = next((event for event in reversed(conversation.events) if isinstance(event, SessionStarted)), None)
    return (latest.metadata or None) if latest else None


def _due(conversation: Conversation, domain: Domain, at: float) -> bool:
    if not conversation.events:
        return True
    if conversation.mode in ("waiting", "person") or domain.session.minutes <= 0:
        return False
    last = next((event.at for event in reversed(conversation.events) if isinstance(event, UserSaid)), None)
    return last is not None and at - last > domain.session.minutes * 60
