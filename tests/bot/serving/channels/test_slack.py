from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from platform_server import PlatformServer
from serving_desk import Server

from bot.channels.slack import SIGNATURE, STAMP, inbound, plain
from bot.events import DeliveryFailed

pytestmark = pytest.mark.asyncio

WEBHOOK = "/webhooks/slack/webhook"
SECRETS = {"slack_bot_token": "xoxb-1", "slack_signing_secret": "8f742231b10e8888abcd99yyyzzz85a5"}
DIRECT = "slack:T123ABC456:D024BE91L"


def channels(platform: PlatformServer) -> dict[str, Any]:
    return {"slack": {"enabled": True, "api": platform.url}}


async def post(server: Server, payload: Any, *, form: bool = False, age_s: float = 0, **more: str) -> httpx.Response:
    body = urlencode({"payload": json.dumps(payload)}) if form else json.dumps(payload)
    stamp = str(int(time.time() - age_s))
    signed = hmac.new(SECRETS["slack_signing_secret"].encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256)
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    headers = {"content-type": kind, STAMP: stamp, SIGNATURE: f"v0={signed.hexdigest()}", **more}
    return await server.client.post(WEBHOOK, content=body, headers=headers)


async def test_the_signature_is_the_one_of_slacks_documentation() -> None:
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
        "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signed = hmac.new(SECRETS["slack_signing_secret"].encode(), f"v0:1531420618:{body}".encode(), hashlib.sha256)
    assert signed.hexdigest() == "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


async def test_the_address_is_verified_with_the_challenge(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        payload = recorded("slack_verification.json")
        assert (await post(server, payload)).json() == {"challenge": payload["challenge"]}


async def test_a_direct_message_is_answered_once_however_often_slack_retries(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        payload = recorded("slack_message.json")
        assert (await post(server, payload)).status_code == 200
        retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
        assert (await post(server, payload, **retry)).status_code == 200
        assert (await post(server, recorded("slack_mention.json"))).status_code == 200
        # Two conversations are answered side by side: which is first, nobody promises.
        mention, direct = sorted(await platform.got(2), key=lambda one: one.body["channel"])
        assert direct.path == "/chat.postMessage"
        assert direct.headers["authorization"] == "Bearer xoxb-1"
        assert direct.body == {"channel": "D024BE91L", "text": "You have 30 days.\n\nShoes must be unworn."}
        assert (mention.body["channel"], mention.body["thread_ts"]) == ("C123ABC456", "1515449522.000016")


@pytest.mark.parametrize("wrong", [{SIGNATURE: "v0=00"}, {SIGNATURE: ""}, {STAMP: "1531420618"}, {STAMP: "soon"}])
async def test_a_request_that_slack_did_not_sign_is_refused(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any], wrong: dict[str, str]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        assert (await post(server, recorded("slack_message.json"), **wrong)).status_code == 401


async def test_a_recorded_request_that_is_played_again_later_is_refused(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        answer = await post(server, recorded("slack_message.json"), age_s=600)
        assert answer.status_code == 401
        assert "check both clocks" in answer.json()["detail"]


async def test_buttons_are_blocks_and_pressing_one_means_its_payload(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        message = recorded("slack_message.json")
        message["event"] |= {"text": "/menu", "ts": "1355517524.000001"}
        await post(server, message)
        blocks = (await platform.got(1))[0].body["blocks"]
        assert [block["type"] for block in blocks] == ["section", "actions"]
        action = recorded("slack_actions.json")
        action["actions"][0]["value"] = blocks[1]["elements"][0]["value"]
        assert (await post(server, action, form=True)).status_code == 200
        assert (await platform.got(2))[1].body["text"].startswith("Print the label")


async def test_a_thread_goes_on_without_naming_the_bot_and_other_threads_are_not_ours(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        mention = recorded("slack_mention.json")
        said = {"type": "message", "user": "U061F7AUR", "channel": "C123ABC456", "channel_type": "channel"}
        other = {**mention, "event": {**said, "text": "hello", "ts": "9.1", "thread_ts": "8.0"}}
        ours = {**mention, "event": {**said, "text": "hello", "ts": "9.2", "thread_ts": "1515449522.000016"}}
        for payload in (other, mention, ours):
            assert (await post(server, payload)).status_code == 200
        texts = [call.body["text"] for call in await platform.got(2)]
        assert texts == ["You have 30 days.\n\nShoes must be unworn.", "Hi, I am a bot."]
        assert (await server.parts.store.read("slack:T123ABC456:C123ABC456:8.0")).events == ()


async def test_an_error_in_a_successful_answer_is_an_error(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    platform.answers.extend((200, {}, {"ok": False, "error": error}) for error in ("ratelimited", "channel_not_found"))
    async with desk(channels(platform), **SECRETS) as server:
        await post(server, recorded("slack_message.json"))
        await platform.got(1)
        again = recorded("slack_message.json")
        again["event"]["ts"] = "1355517525.000001"
        await post(server, again)
        assert len(await platform.got(3)) == 3
        failed = [e for e in (await server.parts.store.read(DIRECT)).events if isinstance(e, DeliveryFailed)]
        assert [one.error for one in failed] == ["chat.postMessage: channel_not_found"]


async def test_what_bots_say_and_what_changed_is_not_heard(recorded: Callable[[str], Any]) -> None:
    for more in (
        {"bot_id": "B1"},
        {"subtype": "message_changed"},
        {"subtype": "channel_join"},
        {"channel_type": "channel"},
    ):
        payload = recorded("slack_message.json")
        payload["event"] |= more
        assert inbound(payload) is None, more


async def test_markup_is_read_as_the_customer_wrote_it() -> None:
    assert plain("<@U0LAN0Z89> is 2 &lt; 3 &amp; <https://a.example/x|a link> <https://b.example> ok?") == (
        "is 2 < 3 & a link https://b.example ok?"
    )
