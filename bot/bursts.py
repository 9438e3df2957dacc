"""Several short messages within a moment are read as one. Pure; `Manager` waits.

A short message is stored as `Held`, and whoever got it waits a moment before it reads what is held by then. What comes
in between, on whatever server process, is read with it: only the handler of the last message replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.config import BurstsConfig
from bot.conversation import Conversation
from bot.events import BotSaid, Held
from bot.messages import UserMessage
from bot.payload import parse_payload
from bot.wording import asks, without_greeting

WHOLE = 3
"""More words than this may be a sentence."""


def may_wait(message: UserMessage, config: BurstsConfig) -> bool:
    """Whether these words may go on: few, no question, no button, no file."""
    return (
        config.moment_s > 0
        and message.payload is None
        and message.channel in config.channels
        and len(message.text.split()) <= config.words
        and not (asks(message.text) or parse_payload(message.text) or message.metadata.get("title"))
        and not message.metadata.get("files")
    )


def waits_for_more(conversation: Conversation) -> bool:
    """Not where the customer was asked something: a short answer is a whole one."""
    if conversation.mode != "bot" or conversation.paused or conversation.loop:
        return False
    last = next((event for event in reversed(conversation.trail) if isinstance(event, BotSaid)), None)
    return last is None or not (last.buttons or asks(last.text or ""))


def superseded(message: UserMessage, held: Sequence[Held]) -> bool:
    """Whether newer words are held already: the message is answered together with them."""
    return any(one.message_id == message.id for one in held[:-1])


def joined(message: UserMessage, held: Sequence[Held]) -> UserMessage:
    """The message with what was held before it; a greeting before a whole sentence says nothing and is left out."""
    if not held:
        return message
    parts = [{"id": one.message_id, "text": one.text, "held": True} for one in held]
    if [one.message_id for one in held] == [message.id]:
        return replace(message, parts=tuple(parts))
    if held[-1].message_id != message.id:
        parts.append({"id": message.id, "text": message.text})
    text = " ".join(str(part["text"]).strip() for part in parts)
    rest = without_greeting(text)
    return replace(message, text=rest if len(rest.split()) > WHOLE else text, parts=tuple(parts))
