from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from platform_server import PlatformServer
from serving_desk import Server

from retrieval.errors import BadInput

pytestmark = pytest.mark.asyncio

SECRETS = {"webhook_secrets": {"crm": "topsecret"}}
HOOK = {"sender": "contact.id", "text": "messages[0].body", "id": "messages[0].id"}
MESSAGE = {"contact": {"id": 77}, "messages": [{"id": "m1", "body": "how long do i have to return something"}]}


def signed(body: str, algorithm: str = "sha256") -> str:
    return hmac.new(b"topsecret", body.encode(), algorithm).hexdigest()


async def post(server: Server, message: Any, **headers: str) -> httpx.Response:
    body = json.dumps(message)
    headers = {"X-Signature": signed(body), **headers}
    return await server.client.post("/webhooks/in/crm", content=body, headers=headers)


async def test_the_replies_are_in_the_response_and_the_same_for_the_same_id(desk: Callable[..., Any]) -> None:
    async with desk({"webhooks": {"crm": HOOK}}, **SECRETS) as server:
        first, again = await post(server, MESSAGE), await post(server, MESSAGE)
        (reply,) = first.json()["replies"]
        assert reply.pop("id")
        text = "You have 30 days.\n\nShoes must be unworn."
        assert reply == {"recipient_id": "77", "by": "bot", "text": text}
        assert first.json()["mode"] == "bot"
        assert again.json()["replies"][0]["text"] == text
        said = [e for e in (await server.parts.store.read("crm:77")).events if type(e).__name__ == "UserSaid"]
        assert len(said) == 1


async def test_replies_are_posted_to_an_address_and_signed(desk: Callable[..., Any], platform: PlatformServer) -> None:
    signature = {"header": "X-Hub-Signature", "algorithm": "sha1"}
    hook = {**HOOK, "signature": signature, "replies": "post", "url": f"{platform.url}/replies?to=us"}
    async with desk({"webhooks": {"crm": hook}}, **SECRETS) as server:
        menu = {"contact": {"id": 77}, "messages": [{"id": "m1", "body": "/menu"}]}
        answer = await post(server, menu, **{"X-Hub-Signature": "sha1=" + signed(json.dumps(menu), "sha1")})
        assert answer.json() == {"replies": [], "mode": "bot"}
        (call,) = await platform.got(1)
        assert call.path == "/replies?to=us"
        assert call.headers["x-hub-signature"] == hmac.new(b"topsecret", call.raw, hashlib.sha1).hexdigest()
        assert call.body["buttons"][0] == {"title": "Send it back", "payload": "/label"}


@pytest.mark.parametrize("signature", ["", "00", "sha256=" + "0" * 64])
async def test_what_is_not_signed_is_refused(desk: Callable[..., Any], signature: str) -> None:
    async with desk({"webhooks": {"crm": HOOK}}, **SECRETS) as server:
        assert (await post(server, MESSAGE, **{"X-Signature": signature})).status_code == 401


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"contact": {}}, "'contact.id' (sender) is None"),
        ({"contact": {"id": 1}, "messages": []}, "'messages[0].body' (text) is None"),
        ({"contact": {"id": 1}, "messages": [{"body": {"a": 1}}]}, "it has to be text"),
    ],
)
async def test_what_is_not_where_it_should_be_is_named(desk: Callable[..., Any], message: Any, says: str) -> None:
    async with desk({"webhooks": {"crm": HOOK}}, **SECRETS) as server:
        answer = await post(server, message)
        assert answer.status_code == 422
        assert says in answer.json()["detail"]


async def test_without_an_id_the_same_body_is_the_same_message(desk: Callable[..., Any]) -> None:
    hook = {"sender": "contact.id", "text": "messages[0].body"}
    async with desk({"webhooks": {"crm": hook}}, **SECRETS) as server:
        for _ in range(2):
            assert (await post(server, MESSAGE)).status_code == 200
        said = [e for e in (await server.parts.store.read("crm:77")).events if type(e).__name__ == "UserSaid"]
        assert len(said) == 1


async def test_text_that_is_too_long_is_cut_and_says_so(desk: Callable[..., Any]) -> None:
    async with desk({"webhooks": {"crm": HOOK}}, limits={"message_chars": 100}, **SECRETS) as server:
        long = {"contact": {"id": 77}, "messages": [{"id": "m1", "body": "hello " * 100}]}
        assert (await post(server, long)).status_code == 200
        latest = (await server.parts.store.read("crm:77")).latest
        assert latest is not None
        assert (len(latest.text), latest.metadata["cut_from"]) == (100, 600)


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        ({**HOOK, "sender": "contact."}, "not a JMESPath expression"),
        ({**HOOK, "replies": "post"}, "url is missing"),
        ({**HOOK, "url": "crm.example"}, "url"),
        ({**HOOK, "sendr": "a"}, "sendr"),
    ],
)
async def test_a_mistake_in_the_configuration_stops_the_start(
    desk: Callable[..., Any], hook: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        async with desk({"webhooks": {"crm": hook}}, **SECRETS):
            pass


async def test_names_and_secrets_are_checked_too(desk: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match="not a free name"):
        async with desk({"webhooks": {"slack": HOOK}}, **SECRETS):
            pass
    with pytest.raises(BadInput, match="DESKHAND_WEBHOOK_SECRETS"):
        async with desk({"webhooks": {"erp": HOOK}}, **SECRETS):
            pass


async def test_the_example_of_the_documentation_is_a_configuration(desk: Callable[..., Any]) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", read("channels.md"), re.DOTALL)
    async with desk(yaml.safe_load(example)["channels"], **SECRETS) as server:
        message = {"contact": {"id": 7}, "message": {"id": "m1", "body": "/greet"}}
        assert (await post(server, message)).json()["replies"][0]["text"] == "Hi, I am a bot."


async def test_the_signature_of_a_mail_is_made_as_the_documentation_says(tmp_path: Path) -> None:
    command = re.search(r"\$\((openssl .*)\)\"", read("channels.md"))
    assert command is not None
    (tmp_path / "mail.eml").write_bytes(b"From: a@b.example\r\n\r\nHello")
    done = await asyncio.create_subprocess_exec(
        *("bash", "-c", command[1]),
        env={"DESKHAND_EMAIL_SECRET": "topsecret", "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    shown, _ = await done.communicate()
    assert shown.decode().strip() == signed("From: a@b.example\r\n\r\nHello")


def read(page: str) -> str:
    return (Path(__file__).parents[4] / "docs" / page).read_text("utf-8")
