"""What goes into a turn and what comes out of it: the contract of the channels."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from bot.conversation import Mode
from bot.events import BotSaid, encode


@dataclass(frozen=True)
class UserMessage:
    """`id` is the sender's own: the same id again gets the same reply. `parts` are messages that are read as one,
    `payload` an explicit (intent, entities) that needs no understanding."""

    conversation_id: str
    text: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    channel: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    parts: tuple[dict[str, Any], ...] = ()
    payload: tuple[str, tuple[dict[str, Any], ...]] | None = None


@dataclass(frozen=True)
class Replies:
    """What the desk said to one message; empty while a person has it, or when newer words are."""

    conversation_id: str
    messages: tuple[BotSaid, ...]
    mode: Mode
    channel: str = ""


def draft(said: BotSaid, *, whole: bool) -> dict[str, Any]:
    """The note of a reply whose turn still goes on; a later one of the same message replaces it. `whole` says that only
    the turn is unfinished, not the message."""
    return {"type": "draft", "event": encode(said), "whole": whole}
