"""Webhooks out: a real server, a real Redis, a real receiver that verifies with the library of Standard Webhooks."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hook_receiver import Receiver, receiving
from serving_desk import OPERATOR, Running, Server
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bot.drift import Day, drift
from bot.settings import Settings
from bot.stores.hooks import Delivery, Hooks
from bot.webhooks.deliver import LADDER_S, outcome
from bot.webhooks.relay import Relay
from bot.webhooks.run import Webhooks
from bot.webhooks.send import Result, Sender, check_url
from retrieval.bundle import Bundles
from retrieval.errors import BadInput

pytestmark = pytest.mark.asyncio
V1 = "/api/v1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def private(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhooks_private": True})


@pytest_asyncio.fixture
async def webhooks(private: Settings) -> AsyncIterator[Webhooks]:
    """What the worker runs beside itself, here step by step."""
    made = Webhooks(str(private.redis_url), private)
    yield made
    await made.close()


async def call(server: Server, method: str, path: str, **more: Any) -> httpx.Response:
    return await server.client.request(method, f"{V1}{path}", headers=OPERATOR, **more)


async def endpoint(server: Server, receiver: Receiver, **more: Any) -> dict[str, Any]:
    answer = await call(server, "POST", "/webhooks", json={"url": receiver.url, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def work(webhooks: Webhooks) -> None:
    while await webhooks.work():
        pass


async def test_everything_that_happens_in_a_conversation_is_told_in_order_and_verified(
    serve: Running, receiver: Receiver, webhooks: Webhooks
) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, body="full")
        await server.say("hello", message_id="m1")
        bot = (await call(server, "GET", "/conversations/u1/messages")).json()["data"][1]
        await call(server, "POST", "/conversations/u1/feedback", json={"message_id": bot["id"], "rating": -1})
        await call(server, "POST", "/conversations/u1/handoff", json={"note": "invoice"})
        await call(server, "POST", "/conversations/u1/messages", json={"person": "Ada", "text": "Here."})
        await call(server, "POST", "/conversations/u1/close", json={"resolved": True, "csat": 5})
        await server.say("hello", message_id="m2")
        await work(webhooks)
        events = sorted(receiver.events(made["secret"]), key=lambda one: (one["data"]["offset"], one["type"]))
        assert [one["type"] for one in events] == [
            "conversation.created", "message.created", "message.created", "feedback.received",
            "conversation.handed_off", "conversation.joined", "message.created", "conversation.resolved",
            "conversation.reopened", "message.created", "message.created",
        ]  # fmt: skip
        by_type = {one["type"]: one["data"] for one in events}
        assert by_type["conversation.resolved"] | {"resolved": True, "csat": 5} == by_type["conversation.resolved"]
        assert by_type["conversation.handed_off"]["note"] == "invoice"
        assert by_type["feedback.received"]["message"] == bot["id"]
        assert [one["data"]["by"] for one in events if one["type"] == "message.created"] == [
            "customer", "bot", "person", "customer", "bot",
        ]  # fmt: skip
        assert all(datetime.fromisoformat(one["timestamp"]).tzinfo for one in events)
        assert len(set(receiver.ids())) == len(events)


async def test_thin_bodies_name_things_and_an_endpoint_gets_what_it_asked_for(
    serve: Running, receiver: Receiver, webhooks: Webhooks
) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, events=["message.created"])
        await server.say("hello", message_id="m1")
        await work(webhooks)
        customer, bot = receiver.events(made["secret"])
        said = {"conversation": "u1", "offset": customer["data"]["offset"], "message": "m1", "by": "customer"}
        assert customer["data"] == said, "no word of the customer leaves the desk"
        assert bot["data"]["by"] == "bot"


async def test_what_happened_before_is_not_told_and_what_is_told_is_told_once(
    serve: Running, receiver: Receiver, webhooks: Webhooks
) -> None:
    async with serve(webhooks_private=True) as server:
        await server.say("hello")
        await endpoint(server, receiver)
        await work(webhooks)
        assert receiver.got == []
        await server.say("hello")
        await work(webhooks)
        # As after a kill between SQL and Redis: the conversation is still in the outbox.
        await server.parts.store.client.zadd("deskhand:outbox:webhooks", {"u1": 0})
        await work(webhooks)
        assert len(receiver.got) == len(set(receiver.ids())) == 2


async def test_a_receiver_that_fails_is_tried_again_with_the_same_id(
    serve: Running, receiver: Receiver, webhooks: Webhooks
) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, events=["conversation.created"])
        receiver.answers = [500]
        await server.say("hello")
        await work(webhooks)
        (failed,) = (await call(server, "GET", f"/webhooks/{made['id']}/deliveries")).json()["data"]
        assert (failed["status"], failed["attempts"], failed["last_status"]) == ("pending", 1, 500)
        assert 4 <= failed["next_at"] - failed["last_at"] <= 6, "the second rung"
        webhooks.hooks.replay(made["id"], delivery_id=failed["id"])
        await work(webhooks)
        first, second = receiver.ids()
        assert first == second


async def test_the_ladder_is_that_of_standard_webhooks_and_ends() -> None:
    delivery = Delivery("d", "e", "x", "pending", 0, 0.0, 0.0, None, None, None)
    waits = []
    while delivery.status == "pending":
        delivery = outcome(delivery, Result(503, "answered 503"), now=0.0)
        waits.append(delivery.next_at)
    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400, None]
    assert (delivery.status, delivery.attempts) == ("failed", len(LADDER_S))
    spread = outcome(replace(delivery, attempts=1), Result(None, "refused"), now=0.0, jitter=1.0)
    assert spread.next_at == pytest.approx(330)


async def test_410_disables_an_endpoint_until_it_is_enabled_again(
    serve: Running, receiver: Receiver, webhooks: Webhooks
) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, events=["conversation.created"])
        receiver.answers = [410]
        await server.say("hello")
        await work(webhooks)
        seen = (await call(server, "GET", f"/webhooks/{made['id']}")).json()
        assert (seen["enabled"], seen["disabled_because"]) == (False, "it answered 410 Gone")
        await server.say("hello", sender="u2")
        await work(webhooks)
        assert len(receiver.got) == 1
        assert (await call(server, "POST", f"/webhooks/{made['id']}/test")).status_code == 409
        again = (await call(server, "PATCH", f"/webhooks/{made['id']}", json={"enabled": True})).json()
        assert again["enabled"]
        await server.say("hello", sender="u3")
        await work(webhooks)
        assert len(receiver.got) == 2


async def test_while_a_secret_is_rotated_both_verify_and_afterwards_the_new_one_only(
    serve: Running, receiver: Receiver, webhooks: Webhooks
) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, events=["conversation.created"])
        rotated = (await call(server, "POST", f"/webhooks/{made['id']}/rotate")).json()
        assert rotated["secret"] != made["secret"]
        await server.say("hello")
        await work(webhooks)
        assert receiver.got[0][0]["webhook-signature"].count("v1,") == 2
        assert receiver.events(made["secret"]) == receiver.events(rotated["secret"])
        newest = (await call(server, "POST", f"/webhooks/{made['id']}/rotate", json={"grace_hours": 0})).json()
        await server.say("hello", sender="u2")
        await work(webhooks)
        headers, body = receiver.got[1]
        Webhook(newest["secret"]).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(rotated["secret"]).verify(body, headers)


async def test_failures_are_listed_and_replayed(serve: Running, receiver: Receiver, webhooks: Webhooks) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, events=["conversation.created"])
        await server.say("hello")
        receiver.answers = [500]
        await work(webhooks)
        (row,) = webhooks.hooks.deliveries(made["id"], limit=9)
        webhooks.hooks.record([replace(row[0], status="failed", next_at=None)])
        path = f"/webhooks/{made['id']}"
        assert len((await call(server, "GET", f"{path}/deliveries?status=failed")).json()["data"]) == 1
        assert (await call(server, "POST", f"{path}/replay")).json() == {"deliveries": 1}
        await work(webhooks)
        (done,) = (await call(server, "GET", f"{path}/deliveries")).json()["data"]
        assert (done["status"], done["last_status"]) == ("delivered", 204)
        wrong = await call(server, "POST", f"{path}/replay", json={"delivery": "none"})
        assert wrong.status_code == 404


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    sender = Sender(private=True)
    receiver.answers = [302]
    result = sender.post(receiver.url, id_="m", payload={}, secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    assert (result.status, result.arrived, "not followed" in result.error) == (302, False, True)
    assert len(receiver.got) == 1
    sender.close()


@pytest.mark.parametrize(
    "url",
    ["http://shop.example/", "https://127.0.0.1/", "https://10.1.2.3/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
     "https://169.254.169.254/latest", "https://[64:ff9b::7f00:1]/", "https://user:pw@shop.example/", "https:///x",
     "ftp://shop.example", "https://shop.example:99999/"],
)  # fmt: skip
async def test_an_address_that_no_webhook_may_go_to_is_refused_when_it_is_given(serve: Running, url: str) -> None:
    with pytest.raises(BadInput):
        check_url(url, private=False)


async def test_a_name_that_turns_private_after_it_was_checked_is_not_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the second look at a name gives another address. There is no second look."""
    looks: list[str] = []
    answers = ["93.184.216.34", "127.0.0.1"]

    def rebinding(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        looks.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[min(len(looks), 2) - 1], port))]

    connected: list[str] = []

    def connect(address: tuple[str, int], *args: Any, **more: Any) -> Any:
        connected.append(address[0])
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    port = int(receiver.url.split(":")[2].split("/")[0])
    sender = Sender(private=False)
    for _ in range(2):
        result = sender.post(f"http://shop.example:{port}/", id_="m", payload={}, secrets=["whsec_MfKQ9r8GKYqr"])
        assert not result.arrived
    assert connected == ["93.184.216.34"], "the first look was public, and that address was connected to"
    assert "private address (127.0.0.1)" in result.error
    assert receiver.got == []
    sender.close()


async def test_bundles_that_come_and_go_are_told(serve: Running, receiver: Receiver, webhooks: Webhooks) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, body="full")
        bundles = Bundles(server.parts.settings.bundles)
        first = bundles.current()
        second = next(id_ for id_ in reversed(bundles.ids()) if id_ != first)
        bundles.promote(second)
        await call(server, "POST", "/bundles/rollback")
        await work(webhooks)
        made_now = bundles.root / "20991231T000000-0000abcd"
        shutil.copytree(bundles.path(str(first)), made_now)
        (made_now / "manifest.json").touch()
        await work(webhooks)
        await asyncio.to_thread(webhooks.look_around)
        await work(webhooks)
        told = [
            (one["type"], one["data"]["bundle"], one["data"].get("before")) for one in receiver.events(made["secret"])
        ]
        assert sorted(told) == [
            ("bundle.evaluated", made_now.name, None),
            ("bundle.promoted", second, first),
            ("bundle.rolled_back", first, second),
        ]


def days(today: date, asked: int, before: float, recent: float) -> list[Day]:
    made = []
    for back in range(35):
        share = recent if back < 7 else before
        made.append(Day((today - timedelta(days=back)).isoformat(), asked, round(asked * share)))
    return made


async def test_drift_is_a_rise_that_chance_does_not_explain() -> None:
    today = date(2026, 5, 20)
    found = drift(days(today, 40, before=0.1, recent=0.25), today)
    assert found is not None
    assert (round(found.before, 2), round(found.recent, 2)) == (0.1, 0.25)
    assert drift(days(today, 40, before=0.1, recent=0.1), today) is None, "nothing rose"
    assert drift(days(today, 40, before=0.25, recent=0.1), today) is None, "it fell"
    assert drift(days(today, 4, before=0.0, recent=0.25), today) is None, "too few to tell"
    assert drift(days(today, 10_000, before=0.10, recent=0.11), today) is None, "sure, and not worth a message"


async def test_a_question_that_nobody_can_answer_is_told_as_a_gap(
    serve: Running, receiver: Receiver, webhooks: Webhooks
) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, events=["gap.detected"], body="full")
        await server.say("do you sell gift cards", sender="u1")
        await work(webhooks)
        (told,) = receiver.events(made["secret"])
        assert told["type"] == "gap.detected"
        assert "do you sell gift cards" in str(told["data"])


async def test_questions_and_gaps_are_counted_once_and_drift_is_told_once_a_week(
    serve: Running, receiver: Receiver, webhooks: Webhooks
) -> None:
    async with serve(webhooks_private=True) as server:
        made = await endpoint(server, receiver, events=["drift.detected"])
        for number in range(3):
            await server.say("hello", sender=f"u{number}")
        await work(webhooks)
        await server.parts.store.client.zadd("deskhand:outbox:webhooks", {"u1": 0})
        await work(webhooks)
        today = datetime.now(UTC).date()
        (day,) = webhooks.hooks.days(today.isoformat())
        assert (day.asked, day.gaps) == (3, 0)

        hooks = Hooks(server.parts.records)
        with server.parts.records.writing() as connection:
            hooks._count(connection, [(one.day, one.asked, one.gaps) for one in days(today, 40, 0.1, 0.3)])
        relay = Relay(server.parts.store, hooks, Bundles(server.parts.settings.bundles))
        for _ in range(2):
            relay.look_around(today)
        await work(webhooks)
        (told,) = receiver.events(made["secret"])
        assert told["data"]["unanswered"] > told["data"]["unanswered_before"]
