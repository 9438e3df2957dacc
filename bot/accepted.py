"""Messages that were accepted with 202 and are answered by whichever server is free.

They wait in a Redis stream, so that a message is handled although the server that took it dies: at least once, and its
id makes that once."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict
from dataclasses import asdict
from typing import Any

import structlog

from bot.background import ended
from bot.manager import Manager, UserMessage
from bot.stores.redis import RedisStore, Streams
from retrieval.errors import DeskhandError, Unavailable

log = structlog.get_logger()

STREAM, GROUP = "deskhand:accepted", "servers"
BATCH = 16
WAIT_MS = 1000
STUCK_MS = 60_000
"""A message that a server took and did not finish within this time is taken by another."""
PAUSE_S = 1.0


class Inbound:
    def __init__(self, store: RedisStore, manager: Manager) -> None:
        self._streams = Streams(store, STREAM, GROUP, consumer=uuid.uuid4().hex)
        self._manager = manager
        self._task: asyncio.Task[None] | None = None

    async def add(self, message: UserMessage) -> None:
        """Durable when it returns."""
        await self._streams.add({"message": json.dumps(asdict(message))})

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._handle(await self._streams.take(count=BATCH, wait_ms=WAIT_MS, stuck_ms=STUCK_MS))
            except Unavailable as error:
                log.warning("accepted messages wait", error=str(error))
                await asyncio.sleep(PAUSE_S)
            except Exception:
                log.exception("answering accepted messages failed")
                await asyncio.sleep(PAUSE_S)

    async def _handle(self, entries: list[tuple[str, dict[str, str]]]) -> None:
        """Conversations side by side, the messages of one in their order."""
        by_conversation: dict[str, list[tuple[str, UserMessage]]] = defaultdict(list)
        for id_, fields in entries:
            message = UserMessage(**_fields(fields))
            by_conversation[message.conversation_id].append((id_, message))
        await asyncio.gather(*(self._in_order(messages) for messages in by_conversation.values()))

    async def _in_order(self, messages: list[tuple[str, UserMessage]]) -> None:
        for id_, message in messages:
            try:
                await self._manager.handle(message)
            except Unavailable:
                return  # no bundle, or Redis is gone: it stays in the stream, with all after it
            except DeskhandError as error:
                log.error("an accepted message was refused", conversation=message.conversation_id, error=str(error))
            await self._streams.done(id_)


def _fields(fields: dict[str, str]) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(fields["message"])
    return message
