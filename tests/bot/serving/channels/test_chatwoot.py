from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from platform_server import PlatformServer
from serving_desk import OPERATOR, Server

from bot.channels.chatwoot import SIGNATURE, STAMP
from bot.events import PersonSaid

pytestmark = pytest.mark.asyncio

WEBHOOK = "/webhooks/chatwoot/webhook"
SECRETS = {"chatwoot_token": "bot-token", "chatwoot_secret": "wh-secret"}
PLACE = "chatwoot:1:42"
MESSAGES = "/api/v1/accounts/1/conversations/42/messages"


def channels(platform: PlatformServer) -> dict[str, Any]:
    return {"chatwoot": {"enabled": True, "api": platform.url}}


async def post(server: Server, payload: Any, **headers: str) -> httpx.Response:
    body, stamp = json.dumps(payload), str(int(time.time()))
    signed = hmac.new(SECRETS["chatwoot_secret"].encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    headers = {STAMP: stamp, SIGNATURE: f"sha256={signed}", **headers}
    return await server.client.post(WEBHOOK, content=body, headers=headers)


async def say(server: Server, recorded: Callable[[str], Any], text: str, id_: int, status: str = "pending") -> None:
    payload = recorded("chatwoot_message.json")
    payload |= {"id": id_, "content": text}
    payload["conversation"]["status"] = status
    assert (await post(server, payload)).status_code == 200


async def mode(server: Server) -> str:
    return (await server.parts.store.read(PLACE)).mode


async def test_a_pending_conversation_is_answered_once(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        for _ in range(2):
            assert (await post(server, recorded("chatwoot_message.json"))).status_code == 200
        await say(server, recorded, "/greet", 902)
        first, second = await platform.got(2)
        assert first.path == MESSAGES
        assert first.headers["api_access_token"] == "bot-token"
        answer = "You have 30 days.\n\nShoes must be unworn."
        assert first.body == {"content": answer, "message_type": "outgoing", "private": False}
        assert second.body["content"] == "Hi, I am a bot."


async def test_a_hand_off_says_goodbye_leaves_a_private_note_and_opens_the_conversation(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/talk_to_person", 901)
        goodbye, note, status = await platform.got(3)
        assert goodbye.body["content"] == server.parts.config.replies.asked
        assert note.body["private"] is True
        assert "asked" in note.body["content"]
        assert (status.path, status.body) == ("/api/v1/accounts/1/conversations/42/toggle_status", {"status": "open"})


async def test_what_agents_write_there_is_kept_and_not_sent_back_and_pending_is_back_to_the_bot(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/talk_to_person", 901)
        await platform.got(3)
        for _ in range(2):
            assert (await post(server, recorded("chatwoot_agent.json"))).status_code == 200
        await say(server, recorded, "thank you", 906, "open")
        events = (await server.parts.store.read(PLACE)).events
        agents = [(e.person, e.text) for e in events if isinstance(e, PersonSaid)]
        assert agents == [("Priya", "Hello, this is Priya. I looked it up for you.")]
        assert await mode(server) == "person"
        await say(server, recorded, "/greet", 907, "pending")
        assert (await platform.got(4))[3].body["content"] == "Hi, I am a bot."
        assert len(platform.calls) == 4


async def test_the_bot_is_silent_where_an_agent_has_opened_the_conversation(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/greet", 901, "open")
        assert await mode(server) == "person"
        await server.parts.deliveries.stop()
        assert platform.calls == []


async def test_a_person_of_our_desk_is_heard_there_and_resolved_there_is_closed_here(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/greet", 901)
        person = {"person": "Ola", "text": "This is Ola."}
        url = f"/api/v1/conversations/{PLACE}/messages"
        assert (await server.client.post(url, json=person, headers=OPERATOR)).is_success
        assert (await platform.got(2))[1].body["content"] == "This is Ola."
        assert (await post(server, recorded("chatwoot_resolved.json"))).status_code == 200
        assert await mode(server) == "closed"


async def test_a_choice_means_its_payload(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        await say(server, recorded, "/menu", 901)
        sent = (await platform.got(1))[0].body
        assert sent["content_type"] == "input_select"
        chosen = recorded("chatwoot_choice.json")
        chosen["content_attributes"]["submitted_values"] = sent["content_attributes"]["items"][:1]
        for _ in range(2):
            assert (await post(server, chosen)).status_code == 200
        assert (await platform.got(2))[1].body["content"].startswith("Print the label")


async def test_events_are_signed_or_carry_the_secret_in_their_address(
    desk: Callable[..., Any], platform: PlatformServer, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels(platform), **SECRETS) as server:
        payload = recorded("chatwoot_message.json")
        assert (await post(server, payload, **{SIGNATURE: "sha256=00"})).status_code == 401
        assert (await post(server, payload, **{STAMP: "1531420618"})).status_code == 401
        for token, status in (("", 401), ("guessed", 401), ("wh-secret", 200)):
            assert (await server.client.post(f"{WEBHOOK}?token={token}", json=payload)).status_code == status
