"""What is said, as text that fits a platform: split, shortened, with its sources and its buttons. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from bot.conversation import Conversation
from bot.events import BotSaid, PersonSaid, UserSaid

ENDS = ("\n\n", "\n", ". ", "? ", "! ", "。", " ")
Button = dict[str, Any]


def utf16(text: str) -> int:
    """Telegram counts as JavaScript does."""
    return len(text.encode("utf-16-le")) // 2


def split(text: str, most: int, *, size: Callable[[str], int] = len) -> list[str]:
    """`text` in parts of at most `most`, cut where a paragraph, line, sentence or word ends; [] when it is blank."""
    parts, rest = [], text.strip()
    while size(rest) > most:
        head = rest[:most]
        while size(head) > most:
            head = head[: len(head) - max((size(head) - most) // 2, 1)]
        cut = _end(head)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*parts, rest] if rest else parts


def _end(head: str) -> int:
    """After the last end of the best kind in the second half of it, so that parts are not tiny."""
    for end in ENDS:
        if (at := head.rfind(end)) >= len(head) // 2:
            return at + len(end)
    return len(head)


def shorten(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def words(said: BotSaid | PersonSaid) -> str:
    """The text with its sources, and with what a text-only platform can show of an attachment."""
    lines = [(said.words if isinstance(said, PersonSaid) else said.text) or ""]
    if isinstance(said, BotSaid):
        lines += [f"{cited.get('title') or ''} {cited.get('url') or ''}".strip() for cited in said.citations]
        if link := attachment(said):
            lines.append(link)
    return "\n\n".join([lines[0], "\n".join(line for line in lines[1:] if line)]).strip()


def attachment(said: BotSaid) -> str | None:
    """Its address: Rasa domains write `attachment: https://...` or a payload with `src` or `url` somewhere in it."""
    found = said.attachment
    for key in ("payload", "src", "url"):
        found = found.get(key, found) if isinstance(found, dict) else found
    return found if isinstance(found, str) and found else None


def shown(said: BotSaid) -> tuple[Button, ...]:
    return tuple(button for button in said.buttons if button.get("title"))


def link(button: Button) -> str | None:
    """Where a button leads that opens a page instead of saying something."""
    url = button.get("url")
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None


def numbered(buttons: Sequence[Button]) -> str:
    """Buttons for a platform that has none: the customer answers with the number."""
    return "\n".join(
        f"{number}. {button['title']}" + (f": {address}" if (address := link(button)) else "")
        for number, button in enumerate(buttons, 1)
    )


def with_numbers(said: BotSaid) -> str:
    return "\n\n".join(part for part in (words(said), numbered(shown(said))) if part)


def reference(said: BotSaid, number: int) -> str:
    """What a platform gives back when the button is pressed. It is short: some take 64 bytes, and payloads are long."""
    return f"{said.message_id}:{number}"


def pressed(conversation: Conversation, ref: str) -> Button | None:
    """The button that a reference names."""
    id_, _, number = ref.rpartition(":")
    for event in reversed(conversation.events):
        if isinstance(event, BotSaid) and event.message_id == id_:
            return _nth(shown(event), number)
    return None


def counted(conversation: Conversation, text: str) -> Button | None:
    """The button that a bare number means: one of those that were just offered."""
    number = re.fullmatch(r"\s*(\d{1,2})\s*[.)]?\s*", text)
    if not number:
        return None
    for event in reversed(conversation.events):
        if isinstance(event, UserSaid | PersonSaid):
            return None
        if isinstance(event, BotSaid) and shown(event):
            return _nth(shown(event), str(int(number[1]) - 1))
    return None


def _nth(buttons: Sequence[Button], number: str) -> Button | None:
    return buttons[int(number)] if number.isdigit() and int(number) < len(buttons) else None
