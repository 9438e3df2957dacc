"""Reminders: an action asks to be reminded, and when the time has come the conversation goes on by itself.

What is due is kept with the conversation and in one index of the store, so a reminder outlives every server, and one
whose time came while none ran is late, not lost. Any number of servers look: who opens the turn first fires it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.background import ended
from bot.events import now
from bot.manager import Manager, Replies
from bot.metrics import Metrics
from retrieval.errors import DeskhandError

log = structlog.get_logger()

Deliver = Callable[[Replies], Awaitable[None]]


class Reminders:
    """`deliver` says by channel how to bring what was said to a customer who has not asked: channels that push, such as
    callback and Socket.IO, put themselves in. The widget reads the store."""

    def __init__(self, manager: Manager, metrics: Metrics, *, every_s: float = 1.0) -> None:
        self.deliver: dict[str, Deliver] = {}
        self._manager = manager
        self._metrics = metrics
        self._every_s = every_s
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._watcher is not None:
            await ended(self._watcher)

    async def run_once(self) -> int:
        """Fires what is due; how many conversations went on. Raises Unavailable when the store cannot be reached."""
        fired = 0
        for conversation_id in await self._manager.store.due(now()):
            try:
                fired += await self._fire(conversation_id)
            except DeskhandError as error:
                log.error("a reminder did not fire, and is tried again", conversation=conversation_id, error=str(error))
                self._metrics.errors.labels("reminders").inc()
        return fired

    async def _fire(self, conversation_id: str) -> bool:
        replies = await self._manager.remind(conversation_id)
        if replies is None:
            return False
        if deliver := self.deliver.get(replies.channel):
            await deliver(replies)
        return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.run_once()
            except Exception as error:
                self._metrics.errors.labels("reminders").inc()
                log.error("looking for reminders failed", error=str(error))
