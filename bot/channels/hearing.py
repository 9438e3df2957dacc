"""From what a platform brings to a turn: buttons become what they stand for, and nothing is too long to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.channels.platform import Inbound
from bot.channels.texts import Button, counted, pressed
from bot.manager import Manager, Replies, UserMessage


class Hearing:
    """`tell` is called after each turn: something may have to be sent."""

    def __init__(self, manager: Manager, *, message_chars: int, tell: Callable[[], None]) -> None:
        self._manager = manager
        self._most = message_chars
        self._tell = tell

    async def hear(self, channel: str, said: Inbound) -> Replies | None:
        """The turn of this message, or what it led to when the platform sends it again; None when it is not for us.
        Raises as `Manager.handle` does; then the platform has to hear of a failure, so that it tries again."""
        if not said.begins and not (await self._manager.store.read(said.conversation)).events:
            return None
        said = await self._resolved(said)
        metadata: dict[str, Any] = {**said.extra, "to": dict(said.to)}
        if len(said.text) > self._most:
            metadata["cut_from"] = len(said.text)  # the platform would send it again and again if we refused it
        if said.attachments:
            metadata["attachments"] = list(said.attachments)
        text = said.text[: self._most]
        replies = await self._manager.handle(
            UserMessage(said.conversation, text, id=said.id, channel=channel, metadata=metadata)
        )
        self._tell()
        return replies

    async def _resolved(self, said: Inbound) -> Inbound:
        if not said.pressed and not said.text.strip().rstrip(".)").isdigit():
            return _worded(said)
        conversation = await self._manager.store.read(said.conversation)
        if conversation.replies_to(said.id) is not None:
            return _worded(said)  # it was resolved the first time, when the number meant what it meant
        button = pressed(conversation, said.pressed) if said.pressed else counted(conversation, said.text)
        return _meant(said, button) if button else _worded(said)


def _meant(said: Inbound, button: Button) -> Inbound:
    payload = str(button.get("payload") or button["title"])
    return replace(said, text=payload, extra={**said.extra, "title": str(button["title"])})


def _worded(said: Inbound) -> Inbound:
    """A message without words says what it holds, so that it can be handed to a person."""
    if said.text.strip():
        return said
    kinds = ", ".join(str(one.get("type", "file")) for one in said.attachments) or "empty message"
    return replace(said, text=f"[{kinds}]")
