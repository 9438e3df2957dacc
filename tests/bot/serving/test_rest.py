from __future__ import annotations

import json

import pytest
from serving_desk import Running

from bot.channels.rest import render
from bot.events import BotSaid

pytestmark = pytest.mark.asyncio

WEBHOOK = "/webhooks/rest/webhook"


async def test_the_channel_says_that_it_is_there(serve: Running) -> None:
    async with serve() as server:
        assert (await server.client.get("/webhooks/rest/")).json() == {"status": "ok"}
        assert (await server.client.get(WEBHOOK)).status_code == 405


async def test_only_the_message_is_needed_and_unknown_keys_are_ignored(serve: Running) -> None:
    async with serve() as server:
        body = {"message": "hello", "input_channel": "web", "metadata": {"k": "v"}}
        answer = await server.client.post(WEBHOOK, json=body)
        assert answer.json() == [{"recipient_id": "default", "text": "Hi, I am a bot."}]
        assert (await server.client.post(WEBHOOK, json={"sender": "x"})).json() == [], "as Rasa does"


async def test_a_stream_is_one_json_object_a_line(serve: Running) -> None:
    async with serve() as server:
        body = {"sender": "u1", "message": "how long do i have to return something"}
        answer = await server.client.post(f"{WEBHOOK}?stream=true", json=body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        texts = [json.loads(line)["text"] for line in answer.text.splitlines()]
        assert texts == ["You have 30 days.", "Shoes must be unworn."]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe\x00", 400, "not JSON"),
        (b"[" * 60_000, 422, "nested deeper than 32 levels"),
        (b'"hello"', 400, "JSON str"),
        (b'{"message": 5}', 422, "message"),
        (b'{"message": "hi", "sender": ""}', 422, "sender"),
        (b'{"message": "hi", "sender": "a\\u0000"}', 422, "conversation id"),
        (b'{"message": "hi", "sender": "\\ud800"}', 422, "sender"),
        (b'{"message": "hi", "metadata": []}', 422, "metadata"),
        (b'{"message": "' + b"x" * 5000 + b'"}', 422, "at most 4000"),
        (b'{"message": "' + b"x" * 1_000_000 + b'"}', 413, "limits.body_bytes"),
    ],
)
async def test_a_bad_request_is_a_problem_with_its_cure(serve: Running, body: bytes, status: int, says: str) -> None:
    async with serve() as server:
        answer = await server.client.post(WEBHOOK, content=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert says in answer.json()["detail"]


async def test_odd_characters_are_kept_and_impossible_ones_do_no_harm(serve: Running) -> None:
    async with serve() as server:
        body = {"sender": "Zoë 你好", "message": "Zoë 你好 \x00 \ud800 👍🏽 <script>"}
        answer = await server.client.post(WEBHOOK, content=json.dumps(body))
        assert answer.status_code == 200
        events = (await server.parts.store.read("Zoë 你好")).events
        assert "Zoë 你好  ? 👍🏽 <script>" in [getattr(event, "text", None) for event in events]


async def test_one_bot_message_becomes_the_messages_that_rasa_would_send() -> None:
    buttons = ({"title": "Yes", "payload": "/affirm"},)
    assert list(render("u", BotSaid(text="a\n\nb", buttons=buttons))) == [
        {"recipient_id": "u", "text": "a\n\nb", "buttons": [{"title": "Yes", "payload": "/affirm"}]}
    ]
    said = BotSaid(text="one\n \n\ntwo", image="https://i", custom={"k": 1}, citations=({"title": "T", "url": "u"},))
    assert list(render("u", said)) == [
        {"recipient_id": "u", "text": "one"},
        {"recipient_id": "u", "text": "two", "citations": [{"title": "T", "url": "u"}]},
        {"recipient_id": "u", "custom": {"k": 1}},
        {"recipient_id": "u", "image": "https://i"},
    ]
    assert list(render("u", BotSaid(image="https://i"))) == [{"recipient_id": "u", "image": "https://i"}]


async def test_a_channel_that_is_switched_off_is_not_there(serve: Running, settings: object) -> None:
    (settings.config_dir / "deskhand.yml").write_text("channels: {rest: {enabled: false}}\n")  # type: ignore[attr-defined]
    async with serve() as server:
        assert (await server.say("hello")).status_code == 404
