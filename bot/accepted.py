"""Messages that were accepted with 202 and are answered by whichever server is free.

They wait in a Redis stream, so that a message is handled although the server that took it dies: at least once, and its
id makes that once."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict
from dataclasses import asdict

import structlog

from bot.background import ended
from bot.manager import Manager, UserMessage
from bot.metrics import Metrics
from bot.stores.redis import RedisStore, Streams
from retrieval.errors import DeskhandError, Unavailable

log = structlog.get_logger()

STREAM, FAILED, GROUP = "deskhand:accepted", "deskhand:accepted:failed", "servers"
BATCH = 16
WAIT_MS = 1000
STUCK_MS = 60_000
"""A message that a server took and did not finish within this time is taken by another."""
PAUSE_S = 1.0
TRIES = 3


class Inbound:
    def __init__(self, store: RedisStore, manager: Manager, metrics: Metrics) -> None:
        self._metrics = metrics
        self._streams = Streams(store, STREAM, GROUP, consumer=uuid.uuid4().hex)
        self._failed = Streams(store, FAILED, GROUP, consumer="")
        self._tried: dict[str, int] = {}
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
                self._metrics.errors.labels("accepted").inc()
                log.exception("answering accepted messages failed")
                await asyncio.sleep(PAUSE_S)

    async def _handle(self, entries: list[tuple[str, dict[str, str]]]) -> None:
        """Conversations side by side, the messages of one in their order."""
        by_conversation: dict[str, list[tuple[str, dict[str, str]]]] = defaultdict(list)
        for id_, fields in entries:
            by_conversation[_conversation(fields)].append((id_, fields))
        await asyncio.gather(*(self._in_order(messages) for messages in by_conversation.values()))

    async def _in_order(self, messages: list[tuple[str, dict[str, str]]]) -> None:
        for id_, fields in messages:
            try:
                await self._manager.handle(UserMessage(**json.loads(fields["message"])))
            except Unavailable:
                return  # no bundle, or Redis is gone: it stays in the stream, with all after it
            except DeskhandError as error:
                log.error("an accepted message was refused", conversation=_conversation(fields), error=str(error))
            except Exception as error:
                if not await self._given_up(id_, fields, error):
                    return
            self._tried.pop(id_, None)
            await self._streams.done(id_)

    async def _given_up(self, id_: str, fields: dict[str, str], error: Exception) -> bool:
        """What nobody foresaw is tried `TRIES` times and then put aside, so that it holds up nothing for ever."""
        self._metrics.errors.labels("accepted").inc()
        self._tried[id_] = self._tried.get(id_, 0) + 1
        over = self._tried[id_] >= TRIES
        log.exception("an accepted message failed", conversation=_conversation(fields), given_up=over)
        if over:
            await self._failed.add({**fields, "error": f"{type(error).__name__}: {error}"})
        return over


def _conversation(fields: dict[str, str]) -> str:
    try:
        return str(json.loads(fields["message"])["conversation_id"])
    except (KeyError, TypeError, ValueError):
        return ""  # nothing of ours; it fails where it is read
