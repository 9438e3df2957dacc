"""What every ConversationStore promises; the fake and the real one take the same test."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.events import BotSaid, Closed, Event, HandedOff, ReminderFired, ReminderSet, UserSaid, decode, encode
from bot.stores.memory import MemoryStore
from bot.stores.redis import RedisStore
from bot.stores.store import ConversationStore, Lost
from retrieval.errors import Conflict, Unavailable


def said(text: str, *, id_: str = "m1", at: float = 1.0) -> UserSaid:
    return UserSaid(text=text, message_id=id_, at=at, entities=({"entity": "city", "value": "Kyōto"},))


class StoreContract:
    """`self.make()` gives a store; conversation ids are fresh, so that tests may share a server."""

    make: Callable[[], ConversationStore]

    def run(self, test: Callable[[ConversationStore, str], Awaitable[None]]) -> None:
        async def body() -> None:
            store = self.make()
            try:
                await test(store, f"c-{uuid.uuid4().hex}")
            finally:
                await store.close()

        asyncio.run(body())

    def test_what_is_committed_is_read_back_as_the_same_events(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            events: list[Event] = [
                said("Grüße, 你好 \ud800 \x00 <b>"),
                BotSaid(text="a\n\nb", buttons=({"title": "yes", "payload": "/affirm"},), custom={"k": [1, None]}),
            ]
            async with store.turn(id_) as turn:
                assert turn.conversation.events == ()
                turn.add(*events)
                assert turn.new_events == tuple(events)
                assert (await store.read(id_)).events == ()
                await turn.commit()
                assert turn.new_events == ()
            assert list((await store.read(id_)).events) == [decode(encode(event)) for event in events]
            assert list(await store.since(id_, 1)) == [decode(encode(events[1]))]
            assert list(await store.since(id_, 7)) == []

        self.run(test)

    def test_a_turn_that_fails_leaves_nothing_and_lets_the_next_one_in(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            async def fail() -> None:
                async with store.turn(id_) as turn:
                    turn.add(said("lost"))
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await fail()
            async with store.turn(id_) as turn:
                assert turn.conversation.version == 0

        self.run(test)

    def test_turns_of_one_conversation_come_one_after_the_other(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            async def add(number: int) -> None:
                async with store.turn(id_) as turn:
                    await asyncio.sleep(0)
                    turn.add(said(str(turn.conversation.version), id_=str(number)))
                    await turn.commit()

            await asyncio.gather(*(add(number) for number in range(12)))
            texts = [event.text for event in (await store.read(id_)).events if isinstance(event, UserSaid)]
            assert texts == [str(number) for number in range(12)]

        self.run(test)

    def test_a_writer_that_lost_its_lock_cannot_overwrite(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            async with store.turn(id_) as slow:
                slow.add(said("slow"))
                await self.steal_lock(store, id_)
                async with store.turn(id_) as quick:
                    quick.add(said("quick", id_="m2"))
                    await quick.commit()
                with pytest.raises(Lost, match="moved on"):
                    await slow.commit()
            assert [event.text for event in (await store.read(id_)).events if isinstance(event, UserSaid)] == ["quick"]

        self.run(test)

    async def queued(self, store: ConversationStore, conversation_id: str) -> int:
        """How many wait for their turn."""
        raise NotImplementedError

    async def steal_lock(self, store: ConversationStore, conversation_id: str) -> None:
        raise NotImplementedError

    def test_who_waits_longest_writes_next(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            async def write(number: int) -> None:
                async with store.turn(id_) as turn:
                    turn.add(said(f"{number}", id_=f"m{number}"))
                    await asyncio.sleep(0)
                    await turn.commit()

            waiting = []
            async with store.turn(id_):
                for number in range(12):
                    waiting.append(asyncio.create_task(write(number)))
                    async with asyncio.timeout(5):
                        while await self.queued(store, id_) <= number:  # noqa: ASYNC110
                            await asyncio.sleep(0.001)
            await asyncio.gather(*waiting)
            said_ = [event.text for event in (await store.read(id_)).events if isinstance(event, UserSaid)]
            assert said_ == [str(number) for number in range(12)]

        self.run(test)

    def test_conversations_are_listed_by_mode_and_time(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            for name, at in (("old", 10.0), ("new", 20.0)):
                async with store.turn(f"{id_}-{name}") as turn:
                    turn.add(said("help", at=at), HandedOff(reason="asked", at=at))
                    await turn.commit()
            mine = [item for item in await store.listed("waiting", limit=1000) if item.id.startswith(id_)]
            assert [(item.id, item.at) for item in mine] == [(f"{id_}-new", 20.0), (f"{id_}-old", 10.0)]
            early = await store.listed("waiting", before=15.0, limit=1000, oldest_first=True)
            assert [item.id for item in early if item.id.startswith(id_)] == [f"{id_}-old"]
            async with store.turn(f"{id_}-old") as turn:
                turn.add(Closed(at=30.0))
                await turn.commit()
            assert f"{id_}-old" not in [item.id for item in await store.listed("waiting", limit=1000)]
            assert f"{id_}-old" in [item.id for item in await store.listed("closed", limit=1000)]

        self.run(test)

    def test_a_retired_conversation_leaves_the_lists_and_comes_back_whole_with_a_new_message(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            async with store.turn(id_) as turn:
                turn.add(said("hi"), Closed())
                await turn.commit()
            assert not await store.retire(id_, version=1, keep_s=60), "more events than were archived"
            assert await store.retire(id_, version=2, keep_s=60)
            assert id_ not in [item.id for item in await store.listed("closed", limit=1000)]
            async with store.turn(id_) as turn:
                turn.add(said("again", id_="m2"))
                await turn.commit()
            assert (await store.read(id_)).version == 3
            assert id_ in [item.id for item in await store.listed("bot", limit=1000)]

        self.run(test)

    def test_a_conversation_is_due_until_its_reminder_fired(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            async with store.turn(id_) as turn:
                turn.add(said("hi"), ReminderSet(name="r", intent="call", due="2001-01-01T00:00:00+00:00"))
                await turn.commit()
            due = datetime(2001, 1, 1, tzinfo=UTC).timestamp()
            assert id_ not in await store.due(due, limit=1000)
            assert id_ in await store.due(due + 1, limit=1000)
            assert await store.retire(id_, version=2, keep_s=60)
            assert id_ in await store.due(due + 1, limit=1000), "the archive does not end it"
            async with store.turn(id_) as turn:
                turn.add(ReminderFired(name="r"))
                await turn.commit()
            assert id_ not in await store.due(due + 1, limit=1000)
            await store.forget_due(id_)

        self.run(test)

    def test_a_watch_hears_of_a_commit_and_times_out_without_one(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            async with store.watch(id_) as watch:
                await watch.changed(0.05)  # opening a subscription may tell once: there may have been something
                assert not await watch.changed(0.05)
                async with store.turn(id_) as turn:
                    turn.add(said("hi"))
                    await turn.commit()
                assert await watch.changed(5)
                assert not await watch.changed(0.05)

        self.run(test)

    def test_a_note_reaches_who_watches_and_is_not_kept(self) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            await store.tell(id_, {"type": "typing", "person": "too early"})
            async with store.watch(id_) as watch:
                await watch.changed(0.05)
                for person in ("Maya", "Priya"):
                    await store.tell(id_, {"type": "typing", "person": person})
                await store.tell(f"{id_}-other", {"type": "typing", "person": "elsewhere"})
                heard: list[str] = []
                while len(heard) < 2:
                    assert await watch.changed(5)
                    heard += [note["person"] for note in watch.notes()]
                assert (heard, watch.notes()) == (["Maya", "Priya"], [])
            assert await store.since(id_, 0) == []

        self.run(test)


class TestMemoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _make(self) -> None:
        self.make = MemoryStore

    async def queued(self, store: ConversationStore, conversation_id: str) -> int:
        assert isinstance(store, MemoryStore)
        return len(store._locks[conversation_id]._waiters or ())

    async def steal_lock(self, store: ConversationStore, conversation_id: str) -> None:
        assert isinstance(store, MemoryStore)
        del store._locks[conversation_id]


class TestRedisStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _make(self, redis_url: str) -> None:
        self.make = lambda: RedisStore(redis_url)

    async def queued(self, store: ConversationStore, conversation_id: str) -> int:
        assert isinstance(store, RedisStore)
        return int(await store._redis.llen(f"deskhand:queue:{conversation_id}"))

    async def steal_lock(self, store: ConversationStore, conversation_id: str) -> None:
        assert isinstance(store, RedisStore)
        assert await store._redis.delete(f"deskhand:lock:{conversation_id}") == 1

    def test_a_second_turn_does_not_wait_for_ever(self, redis_url: str) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            impatient = RedisStore(redis_url, wait_s=0.02)
            async with store.turn(id_):
                with pytest.raises(Conflict, match="busy"):
                    async with impatient.turn(id_):
                        pass
            await impatient.close()

        self.run(test)

    def test_somebody_who_died_in_the_queue_holds_nobody_up(self, redis_url: str, monkeypatch: Any) -> None:
        monkeypatch.setattr("bot.stores.redis.PATIENCE_S", 0.05)

        async def test(store: ConversationStore, id_: str) -> None:
            async with store.turn(id_):
                dead = asyncio.create_task(store.turn(id_).__aenter__())
                await asyncio.sleep(0.02)
                dead.cancel()
                await asyncio.gather(dead, return_exceptions=True)
            async with asyncio.timeout(1), store.turn(id_) as turn:
                turn.add(said("next"))
                await turn.commit()

        self.run(test)

    def test_a_turn_reads_only_what_is_new_since_the_last(self, redis_url: str) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            other = RedisStore(redis_url)
            for number in range(3):
                for one in (store, other, store):
                    async with one.turn(id_) as turn:
                        turn.add(said("hi", id_=f"m{number}"), BotSaid(text="hello"))
                        await turn.commit()
            async with store.turn(id_) as mine, asyncio.timeout(5):
                assert mine.conversation == await other.read(id_), "whoever wrote what"
            await other.close()

        self.run(test)

    def test_a_conversation_that_was_deleted_begins_anew(self, redis_url: str) -> None:
        async def test(store: ConversationStore, id_: str) -> None:
            assert isinstance(store, RedisStore)
            for texts in (["a", "b"], ["c"], ["d", "e", "f"]):
                for text in texts:
                    async with store.turn(id_) as turn:
                        turn.add(said(text))
                        await turn.commit()
                async with store.turn(id_) as turn:
                    assert [event.text for event in turn.conversation.events] == texts  # type: ignore[attr-defined]
                await store._redis.delete(f"deskhand:c:{id_}")

        self.run(test)

    def test_a_turn_that_takes_long_keeps_its_lock(self, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bot.stores.redis.LOCK_S", 0.06)

        async def test(store: ConversationStore, id_: str) -> None:
            assert isinstance(store, RedisStore)
            async with store.watch(id_) as watch, store.turn(id_) as turn:
                turn.add(said("slow"))
                await watch.changed(0.3)  # five times as long as the lock is good for
                assert await store._redis.exists(f"deskhand:lock:{id_}") == 1
                await turn.commit()
            assert await store._redis.exists(f"deskhand:lock:{id_}") == 0

        self.run(test)

    def test_a_redis_that_is_not_there_is_unavailable_with_the_cure(self) -> None:
        async def test() -> None:
            store = RedisStore("redis://127.0.0.1:1/0")
            with pytest.raises(Unavailable, match="DESKHAND_REDIS_URL"):
                await store.read("x")
            with pytest.raises(Unavailable):
                async with store.turn("x"):
                    pass
            await store.close()

        asyncio.run(test())


class TestSystemRedisStore(TestRedisStore):
    @pytest.fixture
    def redis_url(self, system_redis_url: str) -> str:
        return system_redis_url
