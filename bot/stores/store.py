"""Where conversations are kept while they live: the contract of `redis.py` and of the fake beside it, `memory.py`."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from bot.conversation import Conversation, Mode
from bot.events import Event
from retrieval.errors import Conflict

MODES: tuple[Mode, ...] = ("bot", "waiting", "person", "closed")


class Lost(Conflict):
    """Another writer was quicker; nothing was stored, read again and decide again."""


@dataclass(frozen=True)
class Listed:
    """A conversation in an index: its id and the time of its last event in seconds since the epoch."""

    id: str
    at: float


class Turn:
    """One writer's view of a conversation: what was read, plus what has been added since. Nothing is kept before
    `commit`, which raises Lost when somebody else has appended in the meantime and Unavailable when the store is
    gone; either way nothing of the turn is stored."""

    def __init__(self, conversation: Conversation, append: Callable[[Turn], Awaitable[None]]) -> None:
        self.conversation = conversation
        self.read_version = conversation.version
        self.stored = False
        self._append = append

    @property
    def new_events(self) -> tuple[Event, ...]:
        return self.conversation.events[self.read_version :]

    def add(self, *events: Event) -> None:
        self.conversation = self.conversation.apply(*events)

    async def commit(self) -> None:
        if self.new_events:
            await self._append(self)
            self.read_version, self.stored = self.conversation.version, True


Note = dict[str, Any]
"""Something that passes and is not kept: somebody types, or the first reply of a turn that is still going on."""


class Watch:
    """Tells one listener that something was appended to one conversation, and what was told about it."""

    def __init__(self) -> None:
        self._signal = asyncio.Event()
        self._notes: list[Note] = []

    def tell(self, note: Note | None = None) -> None:
        if note is not None:
            self._notes.append(note)
        self._signal.set()

    def notes(self) -> list[Note]:
        """Those that came since the last call, oldest first."""
        notes, self._notes = self._notes, []
        return notes

    async def changed(self, timeout_s: float) -> bool:
        """True when something came since the last call (or since the watch began), False after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._signal.wait()
        changed = self._signal.is_set()
        self._signal.clear()
        return changed


class Watches:
    """The listeners of this process, by conversation."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = defaultdict(set)

    @contextmanager
    def open(self, conversation_id: str) -> Iterator[Watch]:
        watch = Watch()
        self._watches[conversation_id].add(watch)
        try:
            yield watch
        finally:
            self._watches[conversation_id].discard(watch)
            if not self._watches[conversation_id]:
                del self._watches[conversation_id]

    def tell(self, conversation_id: str, note: Note | None = None) -> None:
        for watch in self._watches.get(conversation_id, ()):
            watch.tell(note)

    def tell_all(self) -> None:
        for conversation_id in self._watches:
            self.tell(conversation_id)


class ConversationStore(Protocol):
    """Every method raises Unavailable when the store cannot be reached."""

    def turn(self, conversation_id: str) -> AbstractAsyncContextManager[Turn]:
        """Waits for its turn on this conversation, then reads it. Raises Conflict when it waited too long."""
        ...

    async def read(self, conversation_id: str) -> Conversation: ...

    async def since(self, conversation_id: str, offset: int) -> Sequence[Event]:
        """The events from `offset` (0 = the first) on; the next offset is `offset + len(...)`."""
        ...

    def watch(self, conversation_id: str) -> AbstractAsyncContextManager[Watch]: ...

    async def tell(self, conversation_id: str, note: Note) -> None:
        """Brings a note to everybody who watches this conversation now, in any process. It is not kept."""
        ...

    async def listed(
        self, mode: Mode, *, before: float | None = None, limit: int = 100, oldest_first: bool = False
    ) -> Sequence[Listed]:
        """Conversations in this mode by the time of their last event, newest first; with `before`, only older ones."""
        ...

    async def retire(self, conversation_id: str, *, version: int, keep_s: float) -> bool:
        """The first `version` events are archived: drop it from the indexes and keep it `keep_s` seconds more.
        False, and nothing happens, when more events have come since. A later message brings it back whole."""
        ...

    async def due(self, before: float, *, limit: int = 100) -> Sequence[str]:
        """Conversations with a reminder that was due before this time, longest first."""
        ...

    async def forget_due(self, conversation_id: str) -> None:
        """A conversation that is gone, or was changed by hand, has no reminder after all."""
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
