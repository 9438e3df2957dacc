"""The fake beside `redis.py`: one process, nothing kept. For the terminal chat and for tests."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bot.conversation import Conversation, Mode, fold
from bot.events import Event, decode, encode
from bot.stores.store import Listed, Lost, Note, Turn, Watch, Watches


class MemoryStore:
    def __init__(self) -> None:
        self._events: dict[str, list[str]] = defaultdict(list)
        self._index: dict[str, tuple[Mode, float]] = {}
        self._due: dict[str, float | None] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._watches = Watches()

    @asynccontextmanager
    async def turn(self, conversation_id: str) -> AsyncIterator[Turn]:
        async with self._locks[conversation_id]:
            yield Turn(await self.read(conversation_id), self._append)

    async def _append(self, turn: Turn) -> None:
        conversation = turn.conversation
        stored = self._events[conversation.id]
        if len(stored) != turn.read_version:
            raise Lost(f"conversation {conversation.id!r} has moved on to version {len(stored)}; send it again")
        stored.extend(json.dumps(encode(event)) for event in turn.new_events)
        self._index[conversation.id] = (conversation.mode, conversation.events[-1].at)
        self._due[conversation.id] = conversation.due
        self._watches.tell(conversation.id)

    async def read(self, conversation_id: str) -> Conversation:
        return fold(conversation_id, await self.since(conversation_id, 0))

    async def since(self, conversation_id: str, offset: int) -> Sequence[Event]:
        return [decode(json.loads(row)) for row in self._events.get(conversation_id, [])[offset:]]

    @asynccontextmanager
    async def watch(self, conversation_id: str) -> AsyncIterator[Watch]:
        with self._watches.open(conversation_id) as watch:
            yield watch

    async def tell(self, conversation_id: str, note: Note) -> None:
        self._watches.tell(conversation_id, note)

    async def listed(
        self, mode: Mode, *, before: float | None = None, limit: int = 100, oldest_first: bool = False
    ) -> Sequence[Listed]:
        found = [Listed(id_, at) for id_, (is_mode, at) in self._index.items() if is_mode == mode]
        found = [item for item in found if before is None or item.at < before]
        return sorted(found, key=lambda item: item.at, reverse=not oldest_first)[:limit]

    async def retire(self, conversation_id: str, *, version: int, keep_s: float) -> bool:
        if len(self._events.get(conversation_id, [])) != version:
            return False
        self._index.pop(conversation_id, None)
        return True

    async def due(self, before: float, *, limit: int = 100) -> Sequence[str]:
        waiting = sorted((at, id_) for id_, at in self._due.items() if at is not None and at < before)
        return [id_ for _, id_ in waiting[:limit]]

    async def forget_due(self, conversation_id: str) -> None:
        self._due.pop(conversation_id, None)

    async def ping(self) -> None:
        return None

    async def close(self) -> None:
        return None
