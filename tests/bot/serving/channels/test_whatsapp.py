from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from platform_server import PlatformServer
from serving_desk import Server

from bot.channels.whatsapp import SIGNATURE, inbound
from bot.events import DeliveryFailed

pytestmark = pytest.mark.asyncio

WEBHOOK = "/webhooks/whatsapp/webhook"
SECRETS = {"whatsapp_token": "EAAJB", "whatsapp_app_secret": "appsecret", "whatsapp_verify_token": "meatyhamhock"}
SHEENA = "whatsapp:106540352242922:16505551234"


def channels(platform: PlatformServer) -> dict[str, Any]:
    return {"whatsapp": {"enabled": True, "api": platform.url}}


async def post(server: Server, payload: Any, **headers: str) -> httpx.Response:
    body = json.dumps(payload)
    signed = hmac.new(SECRETS["whatsapp_app_secret"].encode(), body.encode(), hashlib.sha256).hexdigest()
    return await server.client.post(WEBHOOK, content=body, headers={SIGNATURE: f"sha256={signed}", **headers})


def value(payload: Any) -> Any:
    return payload["entry"][0]["changes"][0]["value"]


async def say(server: Server, recorded: Callable[[str], Any], text: str, id_: str) -> None:
    payload = recorded("whatsapp_text.json")
    value(payload)["messages"][0] |= {"id": id_, "text": {"body": text}}
    assert (await post(server, payload)).status_code == 200


async def test_the_callback_address_is_verified_with_our_token(
    desk: Callable[..., Any], platform: PlatformServer
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "meatyhamhock"}
        assert (await server.client.get(WEBHOOK, params=asked)).text == "1158201444"
        refused = await server.client.get(WEBHOOK, params={**asked, "hub.verify_token": "guessed"})
        assert refused.status_code == 401


async def test_a_message_is_answered_once_however_often_it_is_notified(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        for _ in range(2):
            assert (await post(server, recorded("whatsapp_text.json"))).status_code == 200
        await say(server, recorded, "/greet", "wamid.2")
        first, second = await platform.got(2)
        assert first.path == "/106540352242922/messages"
        assert first.headers["authorization"] == "Bearer EAAJB"
        assert first.body == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "16505551234",
            "type": "text",
            "text": {"body": "You have 30 days.\n\nShoes must be unworn."},
        }
        assert second.body["text"]["body"] == "Hi, I am a bot."


@pytest.mark.parametrize("signature", ["", "sha256=00", "sha1=00"])
async def test_a_body_that_the_app_did_not_sign_is_refused(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any], signature: str
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        assert (await post(server, recorded("whatsapp_text.json"), **{SIGNATURE: signature})).status_code == 401
        assert (await server.parts.store.read(SHEENA)).events == ()


async def test_up_to_three_short_choices_are_buttons_and_pressing_one_means_its_payload(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/menu", "wamid.1")
        sent = (await platform.got(1))[0].body["interactive"]
        assert sent["type"] == "button"
        replies = [button["reply"] for button in sent["action"]["buttons"]]
        assert [reply["title"] for reply in replies] == ["Send it back", "Talk to a person"]
        pressed = recorded("whatsapp_button.json")
        value(pressed)["messages"][0]["interactive"]["button_reply"]["id"] = replies[0]["id"]
        assert (await post(server, pressed)).status_code == 200
        assert (await platform.got(2))[1].body["text"]["body"].startswith("Print the label")


async def test_more_choices_than_a_list_has_rows_are_numbers_and_a_number_is_the_choice(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/many", "wamid.1")
        text = (await platform.got(1))[0].body["text"]["body"]
        assert text.endswith("12. Say hello"), text
        await say(server, recorded, "12", "wamid.2")
        assert (await platform.got(2))[1].body["text"]["body"] == "Hi, I am a bot."


async def test_several_choices_are_a_list_with_rows_that_fit(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/few", "wamid.1")
        sent = (await platform.got(1))[0].body["interactive"]
        rows = sent["action"]["sections"][0]["rows"]
        assert (sent["type"], sent["action"]["button"], len(rows)) == ("list", "Choose", 4)
        assert all(len(row["title"]) <= 24 for row in rows)
        assert rows[3]["description"] == "A choice whose label is much longer than a row"


async def test_after_24_hours_the_platform_refuses_and_the_desk_knows(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    error = {"message": "(#131047) Re-engagement message", "type": "OAuthException", "code": 131047}
    platform.answers.append((400, {}, {"error": error}))
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/greet", "wamid.1")
        await say(server, recorded, "/greet", "wamid.2")
        await platform.got(2)
        failed = [e for e in (await server.parts.store.read(SHEENA)).events if isinstance(e, DeliveryFailed)]
        assert len(failed) == 1
        assert "131047" in failed[0].error


async def test_a_message_that_was_lost_on_its_way_is_counted(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        assert (await post(server, recorded("whatsapp_failed.json"))).status_code == 200
        assert await server.metric('deskhand_deliveries_total{channel="whatsapp",outcome="lost"}') == 1


async def test_a_picture_has_its_caption_and_a_reaction_is_nothing(recorded: Callable[[str], Any]) -> None:
    payload = value(recorded("whatsapp_text.json"))
    image = {"caption": "is this broken?", "mime_type": "image/jpeg", "id": "1003383421387256"}
    payload["messages"][0] |= {"type": "image", "image": image}
    (said,) = inbound(payload)
    assert said.text == "is this broken?"
    assert said.attachments[0]["id"] == "1003383421387256"
    payload["messages"][0] |= {"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}
    assert list(inbound(payload)) == []
