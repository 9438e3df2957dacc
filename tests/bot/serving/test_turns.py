"""A message in, replies out, through the real app on a real Redis and a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from serving_desk import OPERATOR, Running
from trained_desk import RETURNS

from bot.archive import to_transcript
from bot.events import BotSaid, Closed, GapFound, HandedOff, Queued, SessionStarted, UserSaid
from bot.manager import UserMessage
from bot.settings import Settings
from bot.widget.view import frame
from retrieval.errors import BadInput, Unavailable

pytestmark = pytest.mark.asyncio


async def test_a_rule_answers_and_a_mined_answer_is_split_at_blank_lines(serve: Running) -> None:
    async with serve() as server:
        assert (await server.say("hello")).json() == [{"recipient_id": "u1", "text": "Hi, I am a bot."}]
        texts = await server.texts(RETURNS[0], sender="u2")
        assert texts == ["You have 30 days.", "Shoes must be unworn."]
        (said,) = [e for e in (await server.parts.store.read("u2")).events if isinstance(e, BotSaid)]
        assert said.answer.startswith("a-")
        assert said.p_correct == pytest.approx(0.9, abs=0.1)
        assert said.bundle == server.parts.engines.id


async def test_what_the_bot_does_not_know_goes_to_a_person_once_and_is_a_gap(serve: Running) -> None:
    async with serve() as server:
        first = await server.texts("do you sell gift cards")
        assert first == [server.parts.config.replies.unknown]
        assert await server.texts("and what about vouchers") == [server.parts.config.replies.waiting]
        assert await server.texts("or what about coupons") == [], "it has been said that somebody is coming"
        assert await server.texts("hello") == ["Hi, I am a bot."], "nobody has joined: what is known is still said"
        events = (await server.parts.store.read("u1")).events
        assert [e.reason for e in events if isinstance(e, HandedOff)] == ["unknown"]
        assert [e.text for e in events if isinstance(e, GapFound)] == ["do you sell gift cards"]
        assert await server.metric('deskhand_handoffs_total{reason="unknown"}') == 1
        assert await server.metric('deskhand_messages_total{channel="rest",outcome="silent"}') == 1


STATUS_RULE = """
version: "3.1"
responses: {utter_status: [{text: It is on its way.}]}
rules: [{rule: status, steps: [{intent: order_status}, {action: utter_status}]}]
"""


async def test_two_requests_in_one_message_are_both_answered(serve: Running, settings: Settings) -> None:
    (settings.config_dir / "rules.yml").write_text(STATUS_RULE)
    async with serve() as server:
        text = f"{RETURNS[0]}, and where is my order"
        both = [*RETURNS[1].split("\n\n"), "It is on its way."]
        assert await server.texts(text, message_id="m1") == both
        assert await server.texts(text, message_id="m1") == both, "a retry gets the same"
        events = (await server.parts.store.read("u1")).events
        assert [e.text for e in events if isinstance(e, Queued)] == ["where is my order"]
        seen = [one["text"] for one in frame(0, events)["events"] if one["kind"] == "customer"]
        assert seen == [text], "the customer sees it as it was written"
        (turn, *_) = to_transcript("u1", events, ratings={}).turns
        assert turn.text == text, "and so does training"


async def test_a_customer_who_asks_gets_a_person(serve: Running) -> None:
    async with serve() as server:
        assert await server.texts("/talk_to_person") == [server.parts.config.replies.asked]
        assert (await server.parts.store.read("u1")).mode == "waiting"


async def test_outside_business_hours_the_customer_is_told(serve: Running, settings: Settings) -> None:
    config = settings.config_dir / "deskhand.yml"
    config.write_text("business_hours: {days: {}}\n")
    async with serve() as server:
        assert await server.texts("i want to talk to a person please") == [server.parts.config.replies.closed]


async def test_the_same_message_id_gets_the_same_reply_and_happens_once(serve: Running) -> None:
    async with serve() as server:
        answers = await asyncio.gather(*(server.texts("hello", message_id="m1") for _ in range(5)))
        assert answers == [["Hi, I am a bot."]] * 5
        events = (await server.parts.store.read("u1")).events
        assert len([e for e in events if isinstance(e, UserSaid)]) == 1
        assert await server.metric('deskhand_messages_total{channel="rest",outcome="repeated"}') == 4


async def test_messages_of_one_customer_are_handled_in_turn_and_none_is_lost(serve: Running) -> None:
    async with serve() as server:
        await asyncio.gather(*(server.say("hello", message_id=f"m{n}") for n in range(20)))
        events = (await server.parts.store.read("u1")).events
        said = [e for e in events if isinstance(e, UserSaid | BotSaid)]
        assert [type(e) for e in said] == [UserSaid, BotSaid] * 20
        assert all(reply.in_reply_to == asked.message_id for asked, reply in zip(said[::2], said[1::2], strict=True))


async def test_a_failure_inside_a_turn_is_said_politely_and_ends_in_a_hand_off(serve: Running) -> None:
    async with serve() as server:

        def breaks(text: str, **more: object) -> object:
            raise ZeroDivisionError("the engine broke")

        server.parts.engines.engine.understand = breaks  # type: ignore[assignment, method-assign]
        assert await server.texts("hello") == [server.parts.config.replies.failed]
        events = (await server.parts.store.read("u1")).events
        assert [e.reason for e in events if isinstance(e, HandedOff)] == ["failed"]
        assert [e.text for e in events if isinstance(e, UserSaid)] == ["hello"], "the message is kept"
        assert await server.metric('deskhand_errors_total{part="turn"}') == 1


async def test_an_action_server_that_is_down_ends_in_a_hand_off(serve: Running) -> None:
    async with serve(actions_url="http://127.0.0.1:1/webhook") as server:
        assert await server.texts("where is my order") == [server.parts.config.replies.failed]
        events = (await server.parts.store.read("u1")).events
        assert [e.reason for e in events if isinstance(e, HandedOff)] == ["action_failed"]
        assert await server.metric('deskhand_errors_total{part="action_server"}') == 1


async def test_a_customer_who_comes_back_after_the_close_gets_a_new_session(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards")
        await server.client.post("/api/v1/conversations/u1/close", json={"resolved": True}, headers=OPERATOR)
        assert await server.texts("hello") == ["Hi, I am a bot."]
        kinds = [type(e) for e in (await server.parts.store.read("u1")).events]
        assert kinds.count(SessionStarted) == 2
        assert kinds.index(Closed) < len(kinds) - kinds[::-1].index(SessionStarted) - 1


@pytest.mark.parametrize("text", ["x" * 4001, "   "])
async def test_a_message_beyond_the_limits_is_refused_and_not_stored(serve: Running, text: str) -> None:
    async with serve() as server:
        with pytest.raises(BadInput):
            await server.parts.manager.handle(UserMessage("u1", text))
        assert (await server.parts.store.read("u1")).version == 0


@pytest.mark.parametrize("id_", ["", "x" * 256, "a\x00b", "\ud800"])
async def test_an_id_that_no_store_could_hold_is_refused(serve: Running, id_: str) -> None:
    async with serve() as server:
        with pytest.raises(BadInput, match="conversation id"):
            await server.parts.manager.handle(UserMessage(id_, "hello"))


async def test_without_a_bundle_nothing_is_stored_and_the_error_has_the_cure(serve: Running, tmp_path: Path) -> None:
    async with serve(data_dir=tmp_path / "empty") as server:
        with pytest.raises(Unavailable, match="deskhand train"):
            await server.parts.manager.handle(UserMessage("u1", "hello"))
        answer = await server.say("hello")
        assert answer.status_code == 503
        assert (await server.parts.store.read("u1")).version == 0


async def test_what_is_said_before_a_slow_action_is_told_to_who_watches_while_the_turn_goes_on(serve: Running) -> None:
    async with serve(actions_url="http://127.0.0.1:1/webhook") as server:
        async with server.parts.store.watch("u1") as watch:
            replies = await server.texts("/look_up")
            assert await watch.changed(5)
            (note,) = watch.notes()
        assert note["type"] == "draft"
        assert note["event"]["text"] == replies[0] == "Hi, I am a bot."
        kept = [event for event in await server.parts.store.since("u1", 0) if isinstance(event, BotSaid)]
        assert kept[0].message_id == note["event"]["message_id"]
