"""What is said reaches the platform in order and at least once, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from platform_server import PlatformServer
from serving_desk import OPERATOR, Server

from bot.channels import deliver
from bot.events import BotSaid, DeliveryFailed, PersonSaid, UserSaid
from bot.stores.redis import RedisStore

pytestmark = pytest.mark.asyncio

SECRETS = {"webhook_secrets": {"crm": "s"}}


def channels(platform: PlatformServer) -> dict[str, Any]:
    hook = {"sender": "who", "text": "text", "id": "id", "signature": None, "replies": "post", "url": platform.url}
    return {"webhooks": {"crm": hook}}


async def say(server: Server, text: str, id_: str) -> None:
    body = {"who": "ada", "text": text, "id": id_}
    answer = await server.client.post("/webhooks/in/crm", json=body)
    assert answer.status_code == 200, answer.text


def texts(platform: PlatformServer) -> list[str]:
    return [call.body["text"] for call in platform.calls]


async def test_what_the_platform_cannot_take_now_is_sent_again_before_what_came_later(
    desk: Callable[..., Any], platform: PlatformServer
) -> None:
    platform.answers.extend([(503, {}, {}), (429, {"retry-after": "0"}, {})])
    async with desk(channels(platform)) as server:
        await say(server, "hello", "1")
        await platform.got(1)
        await say(server, "/label", "2")
        await platform.got(4)
        assert texts(platform)[2:] == ["Hi, I am a bot.", "Print the label and drop the parcel."]
        assert await server.metric('deskhand_deliveries_total{channel="crm",outcome="failed"}') == 2


async def test_what_waits_is_listed_with_its_error(desk: Callable[..., Any], platform: PlatformServer) -> None:
    platform.answers.append((500, {}, {"error": "out of order"}))
    async with desk(channels(platform)) as server:
        await say(server, "hello", "1")
        await platform.got(1)
        await server.parts.deliveries.stop()  # what is under way ends first
        (one,) = (await server.client.get("/api/v1/deliveries", headers=OPERATOR)).json()["data"]
        assert one["id"] == "crm:ada"
        assert one["attempts"] == 1
        assert "out of order" in one["error"]


async def test_a_restart_loses_nothing_and_repeats_nothing(desk: Callable[..., Any], platform: PlatformServer) -> None:
    platform.answers.extend([(200, {}, {}), (503, {}, {})])
    async with desk(channels(platform)) as server:
        await say(server, "hello", "1")
        await platform.got(1)
        await say(server, "/menu", "2")
        await platform.got(2)
    async with desk(channels(platform)) as server:
        await platform.got(3)
        await say(server, "hello", "3")
        await platform.got(4)
    assert texts(platform) == ["Hi, I am a bot.", "What is it about?", "What is it about?", "Hi, I am a bot."]


async def test_a_person_is_heard_on_the_platform_even_when_the_bot_answers_in_the_response(
    desk: Callable[..., Any], platform: PlatformServer
) -> None:
    config = channels(platform)
    config["webhooks"]["crm"]["replies"] = "response"
    async with desk(config) as server:
        await say(server, "i want to talk to a person please", "1")
        person = {"person": "Priya", "text": "Here I am.", "message_id": "p1"}
        url = "/api/v1/conversations/crm:ada/messages"
        for _ in range(2):
            await server.client.post(url, json=person, headers=OPERATOR)
        (call,) = await platform.got(1)
        expected = {"recipient_id": "ada", "id": "p1", "by": "person", "person": "Priya", "text": "Here I am."}
        assert call.body == expected


async def test_after_the_last_try_the_message_is_given_up_and_the_next_one_goes_out(
    desk: Callable[..., Any], platform: PlatformServer
) -> None:
    tries = len(deliver.LADDER_S) + 1
    platform.answers.extend([(503, {"retry-after": "0"}, {})] * tries)
    async with desk(channels(platform)) as server:
        await say(server, "hello", "1")
        await platform.got(tries)
        await say(server, "hello", "2")
        await platform.got(tries + 1)
        events = (await server.parts.store.read("crm:ada")).events
        assert [one.error.partition(":")[0] for one in events if isinstance(one, DeliveryFailed)] == [
            "given up after a day"
        ]


async def test_two_readers_never_have_the_same_conversation(clean_redis: str) -> None:
    store = RedisStore(clean_redis, readers={"r": lambda _: True})
    outbox = store.outbox("r")
    async with store.turn("c1") as turn:
        turn.add(UserSaid(text="hi", message_id="1"))
        await turn.commit()
    (claim,) = await outbox.claim()
    assert await outbox.claim() == []
    assert await outbox.move(claim, 0, 1)
    async with store.turn("c1") as turn:
        turn.add(BotSaid(text="hi"))
        await turn.commit()
    await outbox.finish(claim, 1)
    (again,) = await outbox.claim()
    assert (again.offset, again.part) == (0, 1)
    assert not await outbox.move(claim, 1, 1), "the old claim is void"
    await outbox.finish(again, 2)
    assert await outbox.due() == []
    await store.close()


async def test_only_what_is_not_known_over_there_is_sent(desk: Callable[..., Any], platform: PlatformServer) -> None:
    async with desk(channels(platform)) as server:
        there = server.parts.channels
        heard = UserSaid(text="hi", message_id="1", channel="crm", metadata={"to": {"recipient_id": "ada"}})
        elsewhere = UserSaid(text="hi", message_id="1", channel="rest")
        said, theirs = BotSaid(text="Hello", in_reply_to="1"), PersonSaid(text="Hi", person="P", channel="crm")
        assert deliver.work(there, [heard, said], 1) is not None
        assert deliver.work(there, [heard, theirs], 1) is None
        assert deliver.work(there, [elsewhere, said], 1) is None
        assert deliver.work(there, [said], 0) is None
        nowhere = UserSaid(text="hi", message_id="1", channel="crm")
        assert deliver.work(there, [nowhere, said], 1) is None, "no address, nobody to send it to"
        reminder = UserSaid(text="EXTERNAL: x", message_id="2", metadata={"is_external": True})
        assert deliver.work(there, [heard, reminder, BotSaid(text="Still there?", in_reply_to="2")], 2) is not None


class Broken:
    """A channel with a fault that nobody foresaw, at the customer `where`: in its sending, or in its wording."""

    def __init__(self, channel: Any, where: str) -> None:
        self._channel, self._where = channel, where
        self.tried = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def parts(self, event: Any, to: Any) -> Any:
        if self._where == "parts" and isinstance(event, BotSaid):
            self.tried += 1
            raise KeyError("channel")
        return self._channel.parts(event, to)

    async def send(self, part: Any) -> None:
        if self._where == "send":
            self.tried += 1
            raise ValueError("not what was expected")
        await self._channel.send(part)


@pytest.mark.parametrize(("where", "tries"), [("send", len(deliver.LADDER_S) + 1), ("parts", 1)])
async def test_a_fault_of_a_channel_is_tried_as_long_as_any_other_and_then_noted(
    desk: Callable[..., Any],
    platform: PlatformServer,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    tries: int,
) -> None:
    monkeypatch.setattr(deliver, "LADDER_S", (0.01,) * len(deliver.LADDER_S))
    async with desk(channels(platform)) as server:
        given = server.parts.channels
        given["crm"] = broken = Broken(given["crm"], where)
        await say(server, "hello", "1")
        async with server.parts.store.watch("crm:ada") as watch:
            while not any(isinstance(e, DeliveryFailed) for e in (await server.parts.store.read("crm:ada")).events):
                assert await watch.changed(30)
        (failed,) = [e for e in (await server.parts.store.read("crm:ada")).events if isinstance(e, DeliveryFailed)]
        assert ("ValueError: not what was expected" if where == "send" else "KeyError: 'channel'") in failed.error
        assert broken.tried == tries
        assert await server.metric('deskhand_errors_total{part="deliveries"}') == tries
        given["crm"] = broken._channel
        await say(server, "hello", "2")
        await platform.got(1)
