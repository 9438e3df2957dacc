"""Fills the placeholders of a mined answer (`<NAME>`, `<ORDER>`) from what the conversation knows. Pure."""

from __future__ import annotations

import re
from typing import Any

from bot.conversation import Conversation
from bot.events import UserSaid

_PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]*)>")


def fill(template: str, conversation: Conversation) -> str | None:
    """The template with every placeholder filled, None when one of them is not known.

    A slot wins over an entity, and a later message over an earlier one. `<ORDER>` is met by a slot or entity `order`,
    `order_number`, `order_id` or `customer_order`.
    """
    known = _known(conversation)
    filled = template
    for name in set(_PLACEHOLDER.findall(template)):
        value = _lookup(name.lower(), known)
        if value is None:
            return None
        filled = filled.replace(f"<{name}>", str(value))
    return filled


def _known(conversation: Conversation) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for mark in conversation.marks:
        if isinstance(mark.event, UserSaid):
            known.update({str(entity.get("entity")).lower(): entity.get("value") for entity in mark.event.entities})
    known.update({name.lower(): value for name, value in conversation.slots.items() if value is not None})
    return {name: value for name, value in known.items() if isinstance(value, str | int | float) and value != ""}


def _lookup(name: str, known: dict[str, Any]) -> Any:
    if name in known:
        return known[name]
    ends = (f"{name}_number", f"{name}_id", f"customer_{name}")
    return next((known[end] for end in ends if end in known), None)
