from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from platform_server import PlatformServer
from serving_desk import OPERATOR, TOKEN, Server

from bot.channels.telegram import HEADER, inbound
from bot.events import DeliveryFailed
from retrieval.errors import BadInput

pytestmark = pytest.mark.asyncio

WEBHOOK = "/webhooks/telegram/webhook"
SECRETS = {"telegram_bot_token": "123:abc", "telegram_secret": "s3cret"}
HEADERS = {HEADER: "s3cret"}
ADA = "telegram:1111111"


def channels(platform: PlatformServer) -> dict[str, Any]:
    return {"telegram": {"enabled": True, "api": platform.url}}


async def say(server: Server, text: str, id_: int) -> None:
    chat = {"id": 1111111, "type": "private"}
    message = {"message_id": id_, "from": {"id": 1111111, "is_bot": False}, "chat": chat, "text": text}
    answer = await server.client.post(WEBHOOK, json={"update_id": id_, "message": message}, headers=HEADERS)
    assert answer.status_code == 200, answer.text


async def test_a_message_is_answered_through_the_bot_api(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        answer = await server.client.post(WEBHOOK, json=recorded("telegram_text.json"), headers=HEADERS)
        assert (answer.status_code, answer.json()) == (200, {})
        (call,) = await platform.got(1)
        assert call.path == "/bot123:abc/sendMessage"
        assert call.body == {"chat_id": 1111111, "text": "You have 30 days.\n\nShoes must be unworn."}


async def test_an_update_that_comes_again_is_answered_once(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        for _ in range(3):
            await server.client.post(WEBHOOK, json=recorded("telegram_text.json"), headers=HEADERS)
        await say(server, "hello", 1400)
        calls = await platform.got(2)
        assert [call.body["text"] for call in calls] == [
            "You have 30 days.\n\nShoes must be unworn.",
            "Hi, I am a bot.",
        ]


@pytest.mark.parametrize("headers", [{}, {HEADER: "guessed"}])
async def test_a_request_without_the_secret_token_is_refused(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any], headers: dict[str, str]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        answer = await server.client.post(WEBHOOK, json=recorded("telegram_text.json"), headers=headers)
        assert answer.status_code == 401
        assert HEADER in answer.json()["detail"]
        assert (await server.parts.store.read(ADA)).events == ()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "no payload of Telegram"),
        (b'{"message": {"text": "hi"}}', "no payload of Telegram"),
        (b'{"callback_query": 1}', "no payload of Telegram"),
    ],
)
async def test_what_is_no_update_is_bad_input(
    desk: Callable[..., Any], platform: PlatformServer, body: bytes, says: str
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        answer = await server.client.post(WEBHOOK, content=body, headers=HEADERS)
        assert answer.status_code == 422
        assert says in answer.json()["detail"]


async def test_a_button_is_its_payload_and_shown_as_its_title(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, "/menu", 1)
        rows = (await platform.got(1))[0].body["reply_markup"]["inline_keyboard"]
        assert [row[0]["text"] for row in rows] == ["Send it back", "Talk to a person"]
        pressed = recorded("telegram_callback.json")
        pressed["callback_query"]["data"] = rows[0][0]["callback_data"]
        assert len(pressed["callback_query"]["data"].encode()) <= 64
        answer = await server.client.post(WEBHOOK, json=pressed, headers=HEADERS)
        assert answer.json() == {"method": "answerCallbackQuery", "callback_query_id": "4382bfdwdsb323b2d9"}
        assert (await platform.got(2))[1].body["text"].startswith("Print the label")
        latest = (await server.parts.store.read(ADA)).latest
        assert latest is not None
        assert latest.metadata["title"] == "Send it back"


async def test_a_long_answer_comes_in_parts_that_the_platform_takes(
    desk: Callable[..., Any], platform: PlatformServer
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, "/long", 1)
        texts = [call.body["text"] for call in await platform.got(3)]
        assert all(len(text) <= 4096 for text in texts)
        assert " ".join(texts).split() == ["Word", "after", "word."] * 700
        assert all(text.endswith("word.") for text in texts), "cut where a sentence ends"


async def test_pictures_are_sent_as_pictures_and_come_as_something_a_person_can_see(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, "/picture", 1)
        calls = await platform.got(2)
        assert calls[1].path.endswith("/sendPhoto")
        assert calls[1].body["photo"] == "https://shop.example/tent.png"
        await server.client.post(WEBHOOK, json=recorded("telegram_photo.json"), headers=HEADERS)
        latest = (await server.parts.store.read(ADA)).latest
        assert latest is not None
        assert latest.text == "[photo]"
        assert latest.metadata["attachments"][0]["photo"][1]["file_id"] == "AgADBAADv8Ix"


async def test_what_a_person_writes_later_reaches_the_customer(
    desk: Callable[..., Any], platform: PlatformServer
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, "i want to talk to a person please", 1)
        await platform.got(1)
        body = {"person": "Priya", "text": "Hello, how can I help?"}
        url = f"/api/v1/conversations/{ADA}/messages"
        assert (await server.client.post(url, json=body, headers=OPERATOR)).is_success
        assert (await platform.got(2))[1].body == {"chat_id": 1111111, "text": "Hello, how can I help?"}


async def test_a_customer_who_blocked_the_bot_is_noted_and_not_tried_again(
    desk: Callable[..., Any], platform: PlatformServer
) -> None:
    blocked = {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}
    platform.answers.append((403, {}, blocked))
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, "hello", 1)
        await say(server, "hello", 2)
        assert len(await platform.got(2)) == 2
        failed = [e for e in (await server.parts.store.read(ADA)).events if isinstance(e, DeliveryFailed)]
        assert [one.error for one in failed] == [f"HTTP 403: {json.dumps(blocked)}"]
        assert await server.metric('deskhand_deliveries_total{channel="telegram",outcome="given_up"}') == 1


async def test_starting_the_bot_is_a_greeting_and_edits_are_nothing(recorded: Callable[[str], Any]) -> None:
    update = recorded("telegram_text.json")
    update["message"]["text"] = "/start campaign-7"
    said = inbound(update, start="/greet")
    assert said is not None
    assert said.text == "/greet"
    assert inbound(recorded("telegram_edited.json"), start="/greet") is None


async def test_an_enabled_channel_without_its_secrets_does_not_start(desk: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match="DESKHAND_TELEGRAM_SECRET in the environment"):
        async with desk({"telegram": {"enabled": True}}, telegram_bot_token=TOKEN):
            pass
