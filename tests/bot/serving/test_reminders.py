"""Reminders fire when their time has come, once, and whatever happened to the servers in between."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from serving_desk import Running, Server

from bot.events import BotSaid, ReminderFired, ReminderSet, UserSaid
from bot.manager import Replies
from bot.settings import Settings
from bot.widget.view import frame

pytestmark = pytest.mark.asyncio

RULES = """
version: "3.1"
intents: [EXTERNAL_reminder, EXTERNAL_unheard]
entities: [name]
slots: {name: {type: text, mappings: [{type: from_entity, entity: name}]}}
responses: {utter_remind: [{text: "Remember to call {name}!"}]}
rules:
  - {rule: remind, steps: [{intent: EXTERNAL_reminder}, {action: utter_remind}]}
"""


@pytest.fixture(autouse=True)
def remind_rule(settings: Settings) -> None:
    (settings.config_dir / "data").mkdir()
    (settings.config_dir / "data" / "reminders.yml").write_text(RULES)


async def ask_for(server: Server, *, in_s: float, intent: str = "EXTERNAL_reminder", keep: bool = False) -> None:
    """What an action's ReminderScheduled leaves in the log."""
    await server.texts("hello", message_id=f"hello-{time.monotonic()}")
    due = datetime.fromtimestamp(time.time() + in_s, UTC).isoformat()
    async with server.parts.store.turn("u1") as turn:
        turn.add(
            ReminderSet(name="call", intent=intent, due=due, entities={"name": "Ada"}, cancelled_by_message=not keep)
        )
        await turn.commit()


async def said(server: Server) -> list[str | None]:
    return [event.text for event in (await server.parts.store.read("u1")).events if isinstance(event, BotSaid)]


async def test_a_reminder_is_said_when_its_time_has_come_and_once(serve: Running) -> None:
    async with serve() as one, serve() as two:
        await ask_for(one, in_s=-1)
        fired = await asyncio.gather(one.parts.reminders.run_once(), two.parts.reminders.run_once())
        assert sum(fired) <= 1, "the servers' own watch may have been quicker"
        async with asyncio.timeout(5):
            while len(await said(one)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await said(one) == ["Hi, I am a bot.", "Remember to call Ada!"]
        events = (await one.parts.store.read("u1")).events
        assert len([event for event in events if isinstance(event, ReminderFired)]) == 1
        assert await one.parts.store.due(time.time()) == []
        assert [e["text"] for e in frame(0, events)["events"] if e["kind"] == "customer"] == ["hello"]


async def test_a_reminder_outlives_the_server_that_took_it(serve: Running) -> None:
    async with serve() as server:
        await ask_for(server, in_s=0.05)
        await server.parts.reminders.stop()
    async with serve() as again:
        async with asyncio.timeout(5):
            while len(await said(again)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await said(again))[-1] == "Remember to call Ada!"


async def test_a_message_of_the_customer_cancels_a_reminder_unless_it_is_to_stay(serve: Running) -> None:
    async with serve() as server:
        await ask_for(server, in_s=3600)
        assert (await server.parts.store.read("u1")).due is not None
        await server.texts("hello")
        assert (await server.parts.store.read("u1")).due is None
        await ask_for(server, in_s=3600, keep=True)
        await server.texts("hello")
        assert (await server.parts.store.read("u1")).due is not None
        assert await server.parts.store.due(time.time() + 4000) == ["u1"]
        await server.texts("/restart")
        assert await server.parts.store.due(time.time() + 4000) == []


async def test_an_intent_that_nothing_follows_says_nothing(serve: Running) -> None:
    async with serve() as server:
        await ask_for(server, in_s=-1, intent="EXTERNAL_unheard")
        await server.parts.reminders.run_once()
        async with asyncio.timeout(5):
            while await server.parts.store.due(time.time()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        conversation = await server.parts.store.read("u1")
        assert await said(server) == ["Hi, I am a bot."]
        assert conversation.mode == "bot", "nobody asked, so nobody is handed off"
        last = [event for event in conversation.events if isinstance(event, UserSaid)][-1]
        assert (last.text, last.metadata) == ("EXTERNAL: EXTERNAL_unheard", {"is_external": True})


async def test_a_channel_that_pushes_gets_what_was_said(serve: Running) -> None:
    async with serve() as server:
        got: list[Replies] = []

        async def deliver(replies: Replies) -> None:
            got.append(replies)

        server.parts.reminders.deliver["rest"] = deliver
        await ask_for(server, in_s=-1)
        await server.parts.reminders.run_once()
        async with asyncio.timeout(5):
            while not got:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert [message.text for message in got[0].messages] == ["Remember to call Ada!"]
        assert got[0].conversation_id == "u1"


async def test_a_program_can_trigger_an_intent(serve: Running) -> None:
    async with serve() as server:
        replies = await server.parts.manager.trigger(
            "u1", "EXTERNAL_reminder", ({"entity": "name", "value": "Bob"},), channel="rest"
        )
        assert [message.text for message in replies.messages] == ["Remember to call Bob!"]


async def test_a_reminder_of_a_conversation_that_is_gone_is_forgotten(serve: Running) -> None:
    async with serve() as server:
        await ask_for(server, in_s=3600)
        await server.parts.store._redis.delete("deskhand:c:u1")  # type: ignore[attr-defined]
        await server.parts.store._redis.zadd("deskhand:due", {"u1": 1.0})  # type: ignore[attr-defined]
        await server.parts.reminders.run_once()
        assert await server.parts.store.due(time.time()) == []
