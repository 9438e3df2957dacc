"""A reply is seen while it is made: a real endpoint writes its sentences one by one, and waits in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from listening import listening
from serving_desk import OPERATOR, TOKEN, Running, Server

from bot.channels.drafts import Told
from bot.conversation import Mode
from bot.events import BotSaid
from bot.manager import Replies
from bot.settings import Settings

ARTICLE = """---
title: Jackets
url: https://shop.example/jackets
---

# Jackets

Wash a down jacket cold. Dry a down jacket flat. Pay by card for washing a jacket.
"""
FIRST, SECOND = "Wash a down jacket cold.", "Dry a down jacket flat."
BOTH = f"{FIRST} {SECOND}"
QUESTION = "dry flat jacket"


@dataclass
class Writer:
    """Speaks the protocol of chat completions; says the next sentence when the test has seen the one before."""

    sentences: tuple[str, ...] = (f"{FIRST} ", SECOND)
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/chat/completions")
        async def complete() -> StreamingResponse:
            return StreamingResponse(self._chunks(), media_type="text/event-stream")

        return app

    async def _chunks(self) -> AsyncIterator[str]:
        for number, sentence in enumerate(self.sentences):
            if number:
                await self.seen.wait()
            for word in sentence.split(" "):
                delta = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
                chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [delta]}
                yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"


@pytest.fixture
def writer() -> Writer:
    return Writer()


@asynccontextmanager
async def desk(serve: Running, settings: Settings, writer: Writer) -> AsyncIterator[tuple[Server, str]]:
    (settings.config_dir / "knowledge").mkdir()
    (settings.config_dir / "knowledge" / "jackets.md").write_text(ARTICLE)
    async with listening(writer.app()) as url:
        config = {
            "knowledge": {"writer": {"url": f"{url}/v1", "model": "m", "seconds": 30}},
            "channels": {"widget": {"sites": {"demo": {"origins": ["*"]}}}},
        }
        (settings.config_dir / "deskhand.yml").write_text(json.dumps(config))
        async with serve() as server, listening(server.app) as here:
            yield server, here


async def kept(server: Server, conversation: str) -> list[str]:
    events = (await server.parts.store.read(conversation)).events
    return [event.text or "" for event in events if isinstance(event, BotSaid)]


@pytest.mark.asyncio
async def test_openais_stream_has_the_first_sentence_while_the_second_is_written(
    serve: Running, settings: Settings, writer: Writer
) -> None:
    async with desk(serve, settings, writer) as (server, url):
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as made:
            messages: Any = [{"role": "user", "content": QUESTION}]
            text, place = "", ""
            async for chunk in await made.chat.completions.create(model="deskhand", messages=messages, stream=True):
                text += chunk.choices[0].delta.content or ""
                place = (chunk.model_extra or {}).get("conversation_id", place)
                if text == FIRST:
                    writer.seen.set()
            assert text == f"{BOTH}\n\nJackets https://shop.example/jackets"
            assert await kept(server, place) == [BOTH]


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\r\n\r\n") if block]
    return [(block["event"], json.loads(block["data"])) for block in blocks if "data" in block]


@pytest.mark.asyncio
async def test_the_api_streams_drafts_and_then_the_answer(serve: Running, settings: Settings, writer: Writer) -> None:
    async with desk(serve, settings, writer) as (server, url), httpx.AsyncClient(headers=OPERATOR) as client:
        path = f"{url}/api/v1/conversations/c1/messages"
        body = {"text": QUESTION, "message_id": "m1", "stream": True}
        async with client.stream("POST", path, json=body, timeout=30) as answer:
            seen = ""
            async for text in answer.aiter_text():
                seen += text
                if "draft" in seen:
                    writer.seen.set()
        said = events_of(seen)
        assert [name for name, _ in said[:1] + said[-1:]] == ["draft", "answered"]
        assert said[0][1]["text"] == FIRST
        (reply,) = said[-1][1]["replies"]
        assert (reply["text"], reply["id"]) == (BOTH, said[0][1]["id"])
        assert await kept(server, "c1") == [BOTH]
        again = await client.post(path, json=body, timeout=30)
        assert [name for name, _ in events_of(again.text)] == ["answered"], "the same message gets the same reply"
        refused = await client.post(path, json={"text": "hello", "stream": True}, headers={"Idempotency-Key": "k"})
        assert (refused.status_code, "give a message_id" in refused.text) == (422, True)
        refused = await client.post(path, json={"text": " ", "stream": True})
        assert refused.status_code == 422, "what is refused at once is refused with its status"


@pytest.mark.asyncio
async def test_who_follows_the_events_sees_drafts_too(serve: Running, settings: Settings, writer: Writer) -> None:
    async with desk(serve, settings, writer) as (_, url), httpx.AsyncClient(headers=OPERATOR) as client:
        path = f"{url}/api/v1/conversations/c1"
        (await client.post(f"{url}/api/v1/conversations", json={"id": "c1"})).raise_for_status()
        headers = {"Accept": "text/event-stream"}
        async with client.stream("GET", f"{path}/events", headers=headers, timeout=30) as answer:
            saying = asyncio.create_task(client.post(f"{path}/messages", json={"text": QUESTION}, timeout=30))
            seen = ""
            async for text in answer.aiter_text():
                seen += text
                if "event: draft" in seen:
                    writer.seen.set()
                if "BotSaid" in seen:
                    break
        assert (await saying).json()["replies"][0]["text"] == BOTH
        assert seen.index(FIRST) < seen.index(BOTH)


@pytest.mark.asyncio
async def test_the_widget_gets_drafts_and_then_one_message(serve: Running, settings: Settings, writer: Writer) -> None:
    async with desk(serve, settings, writer) as (_, url), httpx.AsyncClient() as client:
        session = (await client.post(f"{url}/widget/session", json={"site_key": "demo"})).json()
        client.headers["authorization"] = f"Bearer {session['token']}"
        frames: list[dict[str, Any]] = []
        async with client.stream("GET", f"{url}/widget/events", timeout=30) as answer:
            said = {"id": "m1", "text": QUESTION}
            saying = asyncio.create_task(client.post(f"{url}/widget/messages", json=said, timeout=30))
            async for line in answer.aiter_lines():
                frames += [json.loads(line[6:])] if line.startswith("data: ") else []
                if frames and frames[-1]["type"] == "draft":
                    writer.seen.set()
                if any(event["kind"] == "bot" for frame in frames for event in frame.get("events", ())):
                    break
        assert (await saying).status_code == 200
        draft = next(frame["event"] for frame in frames if frame["type"] == "draft")
        (event,) = [one for frame in frames for one in frame.get("events", ()) if one["kind"] == "bot"]
        assert (draft["text"], draft["citations"]) == (FIRST, [])
        assert (event["text"], event["id"]) == (BOTH, draft["id"])


@pytest.mark.asyncio
async def test_rasas_stream_has_a_message_while_the_action_after_it_runs(serve: Running) -> None:
    go_on = asyncio.Event()
    app = FastAPI()

    @app.post("/webhook")
    async def act() -> dict[str, Any]:
        await go_on.wait()
        return {"events": [], "responses": [{"text": "Your order is on its way."}]}

    async with listening(app) as actions, serve(actions_url=f"{actions}/webhook") as server:
        async with listening(server.app) as url, httpx.AsyncClient() as client:
            body = {"sender": "u1", "message": "/look_up"}
            lines: list[str] = []
            async with client.stream("POST", f"{url}/webhooks/rest/webhook?stream=true", json=body) as answer:
                async for line in answer.aiter_lines():
                    lines.append(json.loads(line)["text"])
                    go_on.set()  # not before the first line is here
    assert lines == ["Hi, I am a bot.", "Your order is on its way."]


@pytest.mark.asyncio
async def test_a_turn_goes_on_when_who_followed_it_has_left(serve: Running, settings: Settings, writer: Writer) -> None:
    async with desk(serve, settings, writer) as (server, url), httpx.AsyncClient(headers=OPERATOR) as client:
        path = f"{url}/api/v1/conversations/c1/messages"
        async with client.stream("POST", path, json={"text": QUESTION, "stream": True}, timeout=30) as answer:
            async for text in answer.aiter_text():
                if "draft" in text:
                    break
        writer.seen.set()
        async with server.parts.store.watch("c1") as watch:
            while await kept(server, "c1") != [BOTH]:
                assert await watch.changed(20)


def test_what_was_sent_of_a_draft_stays_and_other_replies_follow_it() -> None:
    told = Told()
    first, second = BotSaid(text="One.", message_id="a"), BotSaid(text="Two.", message_id="b")
    assert told.draft(first) == "One."
    assert told.draft(BotSaid(text="Two. Half", message_id="b")) == "\n\nTwo. Half"
    mode: Mode = "bot"
    assert told.end(Replies("c", (first, second), mode)) == "", "all of it was sent, and more"
    assert told.end(Replies("c", (first, BotSaid(text="2.", message_id="b")), mode)) == "\n\n2."
    told = Told()
    assert told.end(Replies("c", (first, second), mode)) == "One.\n\nTwo."
    told = Told()
    assert told.draft(BotSaid(text="Maybe.", message_id="a")) == "Maybe."
    assert told.draft(BotSaid(text="Other.", message_id="a")) == ""
    assert told.end(Replies("c", (first,), mode)) == "\n\nOne."
