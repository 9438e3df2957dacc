from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from platform_server import PlatformServer
from serving_desk import OPERATOR, Server

from bot.channels.twilio import SIGNATURE, sign
from retrieval.errors import BadInput

pytestmark = pytest.mark.asyncio

WEBHOOK = "/webhooks/twilio/webhook"
SECRETS = {"twilio_auth_token": "12345"}
SENDER = "twilio:+14155550100:+14155550199"


def channels(platform: PlatformServer, **more: Any) -> dict[str, Any]:
    return {"twilio": {"enabled": True, "api": platform.url, "account_sid": "AC1", **more}}


async def post(server: Server, form: dict[str, str], *, url: str = "http://desk") -> httpx.Response:
    signature = sign(url + WEBHOOK, form, "12345")
    return await server.client.post(WEBHOOK, data=form, headers={SIGNATURE: signature})


def messages(answer: httpx.Response) -> list[str | None]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/xml")
    return [node.text for node in ElementTree.fromstring(answer.text).iter("Body")]


async def test_the_signature_is_the_one_of_twilios_documentation() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign(url, form, "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


async def test_the_reply_is_in_the_response_and_the_same_again_for_a_retry(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        form = recorded("twilio_sms.json")
        expected = ["You have 30 days.\n\nShoes must be unworn."]
        assert messages(await post(server, form)) == expected
        assert messages(await post(server, form)) == expected
        said = [e for e in (await server.parts.store.read(SENDER)).events if type(e).__name__ == "UserSaid"]
        assert len(said) == 1
        await server.parts.deliveries.stop()
        assert platform.calls == []


async def test_a_request_that_twilio_did_not_sign_is_refused_with_the_cure(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        answer = await post(server, recorded("twilio_sms.json"), url="https://another.example")
        assert answer.status_code == 401
        assert "channels.twilio.public_url" in answer.json()["detail"]


async def test_behind_a_proxy_the_signature_is_over_the_public_address(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform, public_url="https://desk.example/"), **SECRETS) as server:
        assert (await post(server, recorded("twilio_sms.json"), url="https://desk.example")).status_code == 200
        assert (await post(server, recorded("twilio_sms.json"))).status_code == 401


async def test_a_long_reply_comes_in_messages_that_fit_and_choices_are_numbered(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        form = recorded("twilio_sms.json")
        texts = messages(await post(server, {**form, "MessageSid": "SM1", "Body": "/long"}))
        assert len(texts) == 8
        assert all(text and len(text) <= 1600 for text in texts)
        menu = messages(await post(server, {**form, "MessageSid": "SM2", "Body": "/menu"}))
        assert menu == ["What is it about?\n\n1. Send it back\n2. Talk to a person"]
        picked = messages(await post(server, {**form, "MessageSid": "SM3", "Body": " 1 "}))
        assert picked == ["Print the label and drop the parcel."]


async def test_with_the_api_replies_are_sent_and_persons_are_always(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform, replies="api"), **SECRETS) as server:
        assert messages(await post(server, recorded("twilio_sms.json"))) == []
        person = {"person": "Priya", "text": "Anything else?"}
        url = f"/api/v1/conversations/{SENDER.replace('+', '%2B')}/messages"
        assert (await server.client.post(url, json=person, headers=OPERATOR)).is_success
        first, second = await platform.got(2)
        assert first.path == "/Accounts/AC1/Messages.json"
        assert first.headers["authorization"] == "Basic " + base64.b64encode(b"AC1:12345").decode()
        assert (first.body["To"], first.body["From"]) == ("+14155550199", "+14155550100")
        assert second.body["Body"] == "Anything else?"


async def test_a_picture_is_kept_with_its_address(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        media = {"NumMedia": "1", "MediaContentType0": "image/jpeg", "MediaUrl0": "https://api.twilio.com/m/ME1"}
        await post(server, {**recorded("twilio_sms.json"), "Body": "", **media})
        latest = (await server.parts.store.read(SENDER)).latest
        assert latest is not None
        assert latest.text == "[image/jpeg]"
        assert latest.metadata["attachments"] == [{"type": "image/jpeg", "url": "https://api.twilio.com/m/ME1"}]


async def test_an_account_is_needed(desk: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match="account_sid is missing"):
        async with desk({"twilio": {"enabled": True}}, **SECRETS):
            pass
