"""Short messages that belong together, and the order of messages, whatever server process they come to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from serving_desk import Running, Server

from bot.events import BotSaid, Held, UserSaid
from bot.manager import Replies, UserMessage
from bot.settings import Settings
from bot.widget.view import frame

pytestmark = pytest.mark.asyncio

HELLO = "Hi, I am a bot."
QUESTION = "how long do i have to return something"


@pytest_asyncio.fixture
async def servers(serve: Running, settings: Settings) -> AsyncIterator[list[Server]]:
    """Two servers on one Redis, whose customers in the widget have a moment of 0.3 s."""
    (settings.config_dir / "deskhand.yml").write_text("bursts: {moment_s: 0.3, words: 3}\n")
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serve()) for _ in range(2)]


async def write(server: Server, text: str, id_: str, channel: str = "widget") -> Replies:
    return await server.parts.manager.handle(UserMessage("u1", text, id=id_, channel=channel))


def texts(replies: Replies) -> list[str | None]:
    return [said.text for said in replies.messages]


async def both(first: asyncio.Task[Replies], server: Server, text: str, id_: str, version: int) -> Replies:
    """Says the next words as soon as the first are held."""
    async with asyncio.timeout(5):
        while (await server.parts.store.read("u1")).version < version:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    return await write(server, text, id_)


async def test_short_messages_that_come_quickly_are_read_as_one_even_by_two_servers(servers: list[Server]) -> None:
    one, two = servers
    first = asyncio.create_task(write(one, "hello", "m1"))
    last = await both(first, two, QUESTION, "m2", 2)
    assert texts(last) == ["You have 30 days.\n\nShoes must be unworn."]
    assert texts(await first) == [], "who wrote first hears nothing twice"
    events = (await one.parts.store.read("u1")).events
    (said,) = [event for event in events if isinstance(event, UserSaid)]
    assert said.text == QUESTION, "a greeting says nothing"
    assert [part["id"] for part in said.parts] == ["m1", "m2"]
    shown = frame(0, events)["events"]
    assert [(one["id"], one["text"]) for one in shown if one["kind"] == "customer"] == [
        ("m1", "hello"),
        ("m2", QUESTION),
    ]
    assert texts(await write(two, QUESTION, "m2")) == texts(last), "a retry gets the same"
    assert texts(await write(two, "hello", "m1")) == []


async def test_several_short_messages_are_answered_once_by_the_last(servers: list[Server]) -> None:
    one, two = servers
    first = asyncio.create_task(write(one, "hello", "m1"))
    second = asyncio.create_task(both(first, two, "there", "m2", 2))
    assert sorted(map(texts, await asyncio.gather(first, second))) == [[], [HELLO]]
    (said,) = [e for e in (await one.parts.store.read("u1")).events if isinstance(e, UserSaid)]
    assert (said.text, said.message_id) == ("hello there", "m2")


async def test_a_short_message_that_nothing_follows_is_answered_after_the_moment(servers: list[Server]) -> None:
    assert texts(await write(servers[0], "hello", "m1")) == [HELLO]
    events = (await servers[0].parts.store.read("u1")).events
    assert [type(event) for event in events if isinstance(event, Held | UserSaid)] == [Held, UserSaid]


async def test_what_a_dead_server_held_is_read_with_the_next_message(servers: list[Server]) -> None:
    dying = asyncio.create_task(write(servers[0], "hello", "m1"))
    async with asyncio.timeout(5):
        while (await servers[1].parts.store.read("u1")).version < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    dying.cancel()
    said = await write(servers[1], QUESTION, "m2")
    assert texts(said) == ["You have 30 days.\n\nShoes must be unworn."]


@pytest.mark.parametrize("text", ["where is it?", "/greet", "this has far more than three words"])
async def test_a_question_a_button_and_a_whole_sentence_do_not_wait(servers: list[Server], text: str) -> None:
    await write(servers[0], text, "m1")
    assert not [e for e in (await servers[0].parts.store.read("u1")).events if isinstance(e, Held)]


async def test_a_program_is_answered_at_once(servers: list[Server]) -> None:
    assert texts(await write(servers[0], "hello", "m1", channel="rest")) == [HELLO]
    assert not [e for e in (await servers[0].parts.store.read("u1")).events if isinstance(e, Held)]


async def test_messages_to_two_servers_are_handled_in_the_order_they_came(servers: list[Server]) -> None:
    queue = "deskhand:queue:u1"
    store = servers[0].parts.store
    waiting = []
    async with store.turn("u1"):
        for number in range(10):
            task = asyncio.create_task(write(servers[number % 2], "hello", f"m{number}", channel="rest"))
            waiting.append(task)
            async with asyncio.timeout(5):
                while await store._redis.llen(queue) <= number:  # type: ignore[attr-defined]  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
    assert [texts(replies) for replies in await asyncio.gather(*waiting)] == [[HELLO]] * 10
    events = (await store.read("u1")).events
    assert [e.message_id for e in events if isinstance(e, UserSaid)] == [f"m{number}" for number in range(10)]
    assert [e.in_reply_to for e in events if isinstance(e, BotSaid)] == [f"m{number}" for number in range(10)]
