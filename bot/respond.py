"""From events to what a channel sends, and from a response's name to the event of saying it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bot.conversation import Conversation
from bot.domain import Domain
from bot.events import BotSaid, Event, UserSaid
from bot.responses import Variation
from retrieval.errors import NotFound

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n\"' ]+)\}")


def respond(events: Iterable[Event], recipient: str) -> list[dict[str, Any]]:
    """The replies of a turn in Rasa's shape: `{"recipient_id", "text", "buttons", "image", ...}`, only what is there.

    Text with its buttons comes first; an image, a custom payload and an attachment are messages of their own.
    """
    return [
        {"recipient_id": recipient, **part} for event in events if isinstance(event, BotSaid) for part in _parts(event)
    ]


def _parts(said: BotSaid) -> Iterable[dict[str, Any]]:
    if said.text or said.buttons:
        yield {"text": said.text or "", **({"buttons": list(said.buttons)} if said.buttons else {})}
    for key in ("custom", "image", "attachment"):
        if value := getattr(said, key):
            yield {key: value}


def render(name: str, conversation: Conversation, domain: Domain, *, extra: Mapping[str, Any] | None = None) -> BotSaid:
    """What the bot says as response `utter_x` in this conversation, slots and `extra` filled in.

    The variation depends on the conversation and its length only, so a replayed turn says the same. Raises NotFound
    when the domain has no such response, or none for this channel and these slots.
    """
    latest = conversation.latest
    variations = domain.response_of(name, latest.intent if latest else None) or domain.response_of(name)
    if not variations:
        raise NotFound(f"response {name!r} is not in the domain; add it under `responses:`")
    values = {**domain.values(conversation), **(extra or {})}
    fitting = _fitting(variations, latest.channel if latest else "", values)
    if not fitting:
        raise NotFound(f"no variation of {name!r} fits the channel and the slots; add one without `condition:`")
    chosen = fitting[_choice(conversation, name) % len(fitting)]
    return BotSaid(
        text=fill_in(chosen.text, values),
        buttons=tuple(_filled(button, values) for button in chosen.buttons),
        image=fill_in(chosen.image, values),
        custom=_filled(chosen.custom, values),
        attachment=_filled(chosen.attachment, values),
        response=_full_name(name, latest.intent if latest else None, domain),
    )


def _full_name(name: str, intent: str | None, domain: Domain) -> str:
    """Of a retrieval response `utter_faq` the one that was said, `utter_faq/ask_x`."""
    full = f"utter_{intent}"
    return full if full.startswith(f"{name}/") and full in domain.responses else name


def _fitting(variations: tuple[Variation, ...], channel: str, values: Mapping[str, Any]) -> list[Variation]:
    """Those for this channel before those for any; then those with a condition that holds."""
    holding = [v for v in variations if all(values.get(slot) == value for slot, value in v.conditions)]
    fitting = [v for v in holding if v.channel and v.channel == channel] or [v for v in holding if not v.channel]
    return [v for v in fitting if v.conditions] or fitting


def _choice(conversation: Conversation, name: str) -> int:
    turns = sum(isinstance(mark.event, UserSaid) for mark in conversation.marks)
    return int.from_bytes(hashlib.sha256(f"{conversation.id}/{turns}/{name}".encode()).digest()[:4], "big")


def fill_in(text: str | None, values: Mapping[str, Any]) -> str | None:
    """`{slot}` replaced by its value; unknown names stay as they are, as in Rasa an empty slot reads None. Where a
    payload has doubled braces (`/inform{{"size": "{size}"}}`), they are single ones."""
    if text is None:
        return None

    def put(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0] if doubled else found[0]
        return str(values[found[1]]) if found[1] in values else found[0]

    doubled = "{{" in text and "}}" in text
    return _PLACEHOLDER.sub(put, str(text))


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return fill_in(value, values)
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, values) for item in value]
    return value
