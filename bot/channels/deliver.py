"""What is said in a conversation reaches its customer's platform: in order, at least once, also after a restart.

The store's outbox says which conversations hold something new; this sends it, part by part, and moves on only when the
platform has taken a part. A part that was refused, or that failed for a day, whatever the failure was, is given up and
noted in the conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from bot.channels.platform import Address, Channel, Later, Refused
from bot.conversation import Conversation
from bot.events import BotSaid, DeliveryFailed, Event, PersonSaid, UserSaid
from bot.metrics import Metrics
from bot.stores.outbox import Claim, Outbox
from bot.stores.store import ConversationStore, Lost
from retrieval.errors import Unavailable

log = structlog.get_logger()

READER = "channels"
LADDER_S = (2, 10, 60, 300, 1800, 7200, 18_000, 36_000)
"""Waits before the next try; all together most of a day, which is how long most platforms let a bot answer."""

LOOK_S = 0.5
AT_ONCE = 32


def speaker(events: Sequence[Event]) -> UserSaid | None:
    """The customer's last message: where it came from is where we answer. A reminder or a program is no customer."""
    return next((event for event in reversed(events) if isinstance(event, UserSaid) and event.by_customer), None)


def concerns(channels: Mapping[str, Channel], conversation: Conversation) -> bool:
    said = speaker(conversation.events)
    return said is not None and said.channel in channels


def work(channels: Mapping[str, Channel], events: Sequence[Event], offset: int) -> tuple[Channel, Sequence[Any]] | None:
    """The channel and the parts to send for the event at `offset`; None when nothing has to be."""
    event, said = events[offset], speaker(events[:offset])
    channel = channels.get(said.channel) if said else None
    to: Address | None = said.metadata.get("to") if said else None
    if channel is None or not to or _known_there(event, channel, events[:offset]):
        return None
    return channel, channel.parts(event, to)


def _known_there(event: Event, channel: Channel, before: Sequence[Event]) -> bool:
    """It went out with the response to the customer's request, or it was written over there."""
    if isinstance(event, PersonSaid):
        return event.channel == channel.name
    if not channel.answers_itself or not isinstance(event, BotSaid):
        return False
    asked = (one for one in reversed(before) if isinstance(one, UserSaid) and one.message_id == event.in_reply_to)
    return any(one.by_customer for one in asked)


class Deliveries:
    def __init__(
        self, store: ConversationStore, outbox: Outbox, channels: Mapping[str, Channel], metrics: Metrics
    ) -> None:
        self.outbox = outbox
        self._store = store
        self._channels = channels
        self._metrics = metrics
        self._signal = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    def tell(self) -> None:
        """Something may be due: look now."""
        self._signal.set()

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """What is being sent is sent; the rest is due at the next start."""
        self._stopping = True
        self.tell()
        if self._loop is not None:
            await self._loop
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
        for channel in self._channels.values():
            await channel.aclose()

    async def _run(self) -> None:
        while not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._signal.wait()
            self._signal.clear()
            try:
                await self._look()
            except Unavailable as error:
                log.warning("deliveries wait for the store", error=str(error))

    async def _look(self) -> None:
        while not self._stopping and (claims := await self.outbox.claim()):
            for claim in claims:
                await self._room.acquire()
                task = asyncio.create_task(self._deliver(claim))
                self._tasks.add(task)
                task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._room.release()
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._metrics.errors.labels("deliveries").inc()
            log.error("a delivery broke off and is tried again in a minute", exc_info=error)

    async def _deliver(self, claim: Claim) -> None:
        conversation = await self._store.read(claim.id)
        for offset in range(claim.offset, conversation.version):
            done = claim.part if offset == claim.offset else 0
            going = await self._send(claim, conversation.events, offset, done)
            if going is None:
                return
            claim = going
        await self.outbox.finish(claim, conversation.version)
        self.tell()

    async def _send(self, claim: Claim, events: Sequence[Event], offset: int, done: int) -> Claim | None:
        """The claim to go on with, None when the conversation has to wait or is somebody else's by now."""
        found = await self._work(claim, events, offset)
        channel, parts = found if found else (None, ())
        for number, part in enumerate(parts[done:], done + 1):
            assert channel is not None
            try:
                await self._sent(channel, part)
                self._count(channel, "sent")
            except Later as error:
                if claim.attempts < len(LADDER_S):
                    await self._postpone(claim, channel, error)
                    return None
                await self._give_up(claim.id, channel.name, events[offset], f"given up after a day: {error}")
            except Refused as error:
                await self._give_up(claim.id, channel.name, events[offset], str(error))
            if not await self.outbox.move(claim, offset, number):
                return None
            claim = replace(claim, attempts=0)
        return claim

    async def _work(self, claim: Claim, events: Sequence[Event], offset: int) -> tuple[Channel, Sequence[Any]] | None:
        """What a channel cannot word now, it never can: that message is given up, not all that come after it."""
        try:
            return work(self._channels, events, offset)
        except Exception as error:
            self._metrics.errors.labels("deliveries").inc()
            log.exception("a message cannot be worded", conversation=claim.id, offset=offset)
            said = speaker(events[:offset])
            channel = said.channel if said else ""
            await self._give_up(claim.id, channel, events[offset], f"it cannot be worded: {_named(error)}")
            return None

    async def _sent(self, channel: Channel, part: Any) -> None:
        """A failure that the channel does not know (an answer in another shape, say) is tried again as the others."""
        try:
            await channel.send(part)
        except (Later, Refused):
            raise
        except Exception as error:
            self._metrics.errors.labels("deliveries").inc()
            log.exception("a channel failed unexpectedly", channel=channel.name)
            raise Later(f"unexpectedly: {_named(error)}") from error

    async def _postpone(self, claim: Claim, channel: Channel, error: Later) -> None:
        self._count(channel, "failed")
        delay = LADDER_S[claim.attempts] if error.after_s is None else max(error.after_s, 0.1)
        log.warning("not delivered", channel=channel.name, conversation=claim.id, again_s=delay, error=str(error))
        await self.outbox.postpone(claim, delay_s=delay, error=str(error))

    async def _give_up(self, conversation_id: str, channel: str, event: Event, error: str) -> None:
        self._metrics.deliveries.labels(channel, "given_up").inc()
        log.error("a message was not delivered", channel=channel, conversation=conversation_id, error=error)
        failed = DeliveryFailed(message_id=str(getattr(event, "message_id", "")), channel=channel, error=error)
        while True:
            with suppress(Lost):
                async with self._store.turn(conversation_id) as turn:
                    turn.add(failed)
                    await turn.commit()
                return

    def _count(self, channel: Channel, outcome: str) -> None:
        self._metrics.deliveries.labels(channel.name, outcome).inc()


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
