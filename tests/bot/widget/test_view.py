from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from bot.events import (
    ActionRan,
    BotSaid,
    Closed,
    Event,
    GapFound,
    HandedOff,
    PersonJoined,
    PersonSaid,
    Rated,
    Released,
    SessionStarted,
    SlotSet,
    UserSaid,
)
from bot.stores.memory import MemoryStore
from bot.widget.view import feed, public

SECRET = "never for a customer"


def test_a_customer_sees_words_and_nothing_of_what_was_understood() -> None:
    said = UserSaid(
        text="where is it",
        message_id="m1",
        intent=SECRET,
        entities=({"value": SECRET},),
        bundle=SECRET,
        metadata={"x": SECRET},
    )
    assert public(3, said) == {"offset": 3, "at": said.at, "kind": "customer", "id": "m1", "text": "where is it"}


def test_a_button_is_seen_by_its_title_and_not_by_its_payload() -> None:
    said = UserSaid(text="/start_return", message_id="m1", metadata={"title": "Start a return"})
    assert public(0, said) == {"offset": 0, "at": said.at, "kind": "customer", "id": "m1", "text": "Start a return"}


def test_a_reply_shows_text_buttons_and_sources_only() -> None:
    reply = BotSaid(
        text="Within 60 days.",
        message_id="r1",
        in_reply_to="m1",
        buttons=({"title": "Start", "payload": "/start_return", "intent": SECRET}, {"payload": "no title"}),
        citations=({"title": "Returns", "url": "https://shop.example/r", "score": SECRET},),
        source="answer",
        answer=SECRET,
        response=SECRET,
        custom=SECRET,
        bundle=SECRET,
        p_correct=0.98,
    )
    assert public(0, reply) == {
        "offset": 0,
        "at": reply.at,
        "kind": "bot",
        "id": "r1",
        "in_reply_to": "m1",
        "text": "Within 60 days.",
        "ratable": True,
        "buttons": [{"title": "Start", "payload": "/start_return"}],
        "citations": [{"title": "Returns", "url": "https://shop.example/r"}],
    }


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        (HandedOff(reason=SECRET, note=SECRET), {"kind": "notice", "notice": "waiting"}),
        (PersonJoined(person="Maya"), {"kind": "notice", "notice": "joined", "person": "Maya"}),
        (
            PersonSaid(text="Hi", person="Maya", message_id="p1"),
            {"kind": "person", "id": "p1", "text": "Hi", "person": "Maya"},
        ),
        (Released(person="Maya"), {"kind": "notice", "notice": "released", "person": "Maya"}),
        (Closed(resolved=True, csat=5), {"kind": "notice", "notice": "closed"}),
        (Rated(message_id="r1", rating=-1, comment=SECRET), {"kind": "rating", "in_reply_to": "r1", "rating": -1}),
    ],
)
def test_what_people_do_is_seen_as_a_notice(event: Event, seen: dict[str, Any]) -> None:
    assert public(0, event) == {"offset": 0, "at": event.at, **seen}


@pytest.mark.parametrize(
    "event",
    [
        SessionStarted(metadata={"x": SECRET}),
        SlotSet(name="email", value=SECRET),
        ActionRan(name=SECRET),
        GapFound(text=SECRET, message_id="m", reason=SECRET),
        BotSaid(custom=SECRET),
    ],
)
def test_everything_else_stays_inside(event: Event) -> None:
    assert public(0, event) is None


async def store_with(*texts: str) -> MemoryStore:
    store = MemoryStore()
    await say(store, *texts)
    return store


async def say(store: MemoryStore, *texts: str) -> None:
    async with store.turn("c") as turn:
        turn.add(*(UserSaid(text=text, message_id=text) for text in texts))
        await turn.commit()


async def first(frames: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    return await asyncio.wait_for(anext(frames), 5)


def texts(frame: dict[str, Any]) -> list[str]:
    return [event["text"] for event in frame["events"]]


@pytest.mark.asyncio
async def test_a_feed_goes_on_from_its_offset_and_brings_what_comes_next() -> None:
    store = await store_with("one", "two", "three")
    async with aclosing(feed(store, "c", 2)) as frames:
        seen = await first(frames)
        assert (texts(seen), seen["next"], seen["events"][0]["offset"]) == (["three"], 3, 2)
        await say(store, "four")
        seen = await first(frames)
        assert (texts(seen), seen["next"]) == (["four"], 4)


@pytest.mark.asyncio
async def test_a_feed_that_has_everything_says_so_at_once() -> None:
    async with aclosing(feed(await store_with("one"), "c", 1)) as frames:
        assert await first(frames) == {"type": "events", "next": 1, "events": []}


@pytest.mark.asyncio
async def test_a_feed_of_a_conversation_that_was_forgotten_starts_again() -> None:
    async with aclosing(feed(await store_with("one"), "c", 7)) as frames:
        seen = await first(frames)
        assert (seen["reset"], texts(seen), seen["next"]) == (True, ["one"], 1)


@pytest.mark.asyncio
async def test_private_events_move_the_offset_and_show_nothing() -> None:
    store = await store_with("one")
    async with store.turn("c") as turn:
        turn.add(SlotSet(name="email", value=SECRET))
        await turn.commit()
    async with aclosing(feed(store, "c", 0)) as frames:
        seen = await first(frames)
        assert seen["next"] == 2
        assert SECRET not in json.dumps(seen)
