"""The OpenAI-style door, through OpenAI's own client."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from listening import listening
from serving_desk import TOKEN, Running, Server
from trained_desk import RETURNS

from bot.events import UserSaid

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def client(serve: Running, key: str = TOKEN) -> AsyncIterator[tuple[Server, openai.AsyncOpenAI]]:
    async with serve() as server, listening(server.app) as url:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as made:
            yield server, made


async def ask(made: openai.AsyncOpenAI, *said: str, **more: Any) -> Any:
    """A completion of these messages, the user's and the assistant's in turn."""
    messages: Any = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    return await made.chat.completions.create(model="deskhand", messages=messages, **more)


async def test_the_last_message_is_answered_with_a_conversation_to_go_on_with(serve: Running) -> None:
    async with client(serve) as (server, made):
        first = await ask(made, RETURNS[0], temperature=0.2, user="ada")
        assert first.choices[0].message.content == RETURNS[1]
        assert first.choices[0].finish_reason == "stop"
        assert first.model == "deskhand"
        place = first.model_extra["conversation_id"]
        second = await ask(made, RETURNS[0], RETURNS[1], "hello", extra_body={"conversation_id": place})
        assert second.choices[0].message.content == "Hi, I am a bot."
        said = [e.text for e in (await server.parts.store.read(place)).events if isinstance(e, UserSaid)]
        assert said == [RETURNS[0], "hello"]


async def test_a_stream_is_the_same_reply_in_pieces_with_our_fields_in_the_last(serve: Running) -> None:
    async with client(serve) as (_, made):
        stream = await ask(made, RETURNS[0], stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == RETURNS[1]
        assert len(chunks) > 5
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-2].model_extra["conversation_id"].startswith("openai-")
        assert chunks[-1].usage.completion_tokens == len(RETURNS[1].split())


async def test_without_a_conversation_the_exchange_before_is_the_context(serve: Running) -> None:
    async with client(serve) as (server, made):
        answer = await ask(made, "hello", "Hi, I am a bot.", RETURNS[0])
        conversation = await server.parts.store.read(answer.model_extra["conversation_id"])
        assert [getattr(e, "text", None) for e in conversation.events if getattr(e, "text", None)][:3] == [
            "hello",
            "Hi, I am a bot.",
            RETURNS[0],
        ]
        other = await ask(made, RETURNS[0])
        assert other.model_extra["conversation_id"] != conversation.id


async def test_the_same_idempotency_key_is_the_same_message(serve: Running) -> None:
    async with client(serve) as (server, made):
        headers = {"Idempotency-Key": "k-1"}
        first, again = [await ask(made, RETURNS[0], extra_headers=headers) for _ in range(2)]
        assert first.model_extra["conversation_id"] == again.model_extra["conversation_id"]
        assert first.choices[0].message.content == again.choices[0].message.content
        events = (await server.parts.store.read(first.model_extra["conversation_id"])).events
        assert sum(isinstance(event, UserSaid) for event in events) == 1


async def test_a_person_who_has_the_conversation_is_told_of(serve: Running) -> None:
    async with client(serve) as (server, made):
        answer = await ask(made, "/talk_to_person")
        assert answer.choices[0].message.content == server.parts.config.replies.asked
        assert answer.model_extra["mode"] == "waiting"
        assert answer.model_extra["citations"] == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"n": 2}, "n: "),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools: "),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"extra_body": {"message_id": ""}}, "message_id"),
    ],
)
async def test_what_cannot_be_kept_is_refused_in_openais_words(serve: Running, more: Any, says: str) -> None:
    async with client(serve) as (_, made):
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(made, "hello", **more)
        assert refused.value.type == "invalid_request_error"
        assert says in refused.value.message


async def test_failures_are_the_clients_own_exceptions(serve: Running) -> None:
    async with client(serve) as (_, made):
        with pytest.raises(openai.NotFoundError, match="'gpt-4' does not exist; there are deskhand"):
            await made.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "hello"}])
        with pytest.raises(openai.BadRequestError, match="end with a message of the user"):
            await ask(made, "hello", "Hi")
        with pytest.raises(openai.BadRequestError, match="at most 4000"):
            await ask(made, "x" * 5000)
    async with client(serve, key="sk-guessed") as (_, made):
        with pytest.raises(openai.AuthenticationError) as refused:
            await made.models.list()
        assert refused.value.code == "invalid_api_key"


async def test_models_are_the_bundle_in_service_and_its_name(serve: Running) -> None:
    async with client(serve) as (server, made):
        assert [one.id async for one in made.models.list()] == ["deskhand", server.parts.engines.id]
        assert (await made.models.retrieve("deskhand")).owned_by == "deskhand"


async def test_embeddings_are_those_of_the_encoder_in_service(serve: Running) -> None:
    async with client(serve) as (server, made):
        texts = ["where is my order", "hello"]
        packed = await made.embeddings.create(model="deskhand", input=texts)  # the client asks for base64
        plain = await made.embeddings.create(model="deskhand", input=texts, encoding_format="float")
        expected = server.parts.engines.engine.encode(texts)
        for answer in (packed, plain):
            assert np.allclose([row.embedding for row in answer.data], expected, atol=1e-6)
        with pytest.raises(openai.BadRequestError, match="dimensions is 7"):
            await made.embeddings.create(model="deskhand", input="hello", dimensions=7)
        with pytest.raises(openai.BadRequestError, match="none of them empty"):
            await made.embeddings.create(model="deskhand", input=["hello", " "])


async def test_the_snippet_of_the_documentation_runs(serve: Running, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "from openai" in block]
    async with serve() as server, listening(server.app) as url:
        code = code.replace("http://localhost:8000", url).replace("<API key>", TOKEN)
        await asyncio.to_thread(exec, compile(code, "docs/api.md", "exec"), {})
    shown = capsys.readouterr().out
    assert RETURNS[1] in shown
    assert "waiting" in shown
