"""The door in OpenAI's shape: `/v1/chat/completions`, `/v1/embeddings`, `/v1/models`, for what already speaks it.

The bot is no language model: sampling options mean nothing to it and are ignored; what would change the answer's form
or its sense (tools, several choices, JSON) is refused. With `conversation_id` only the last message is read, as the
desk keeps the conversation; without, each call is a conversation of its own that knows the exchange before.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from bot.auth import Access
from bot.channels.drafts import Steps, Told, begun, follow
from bot.channels.platform import short_hash
from bot.channels.texts import shown, with_numbers
from bot.engines import Engines
from bot.events import BotSaid, UserSaid, now
from bot.manager import Manager
from bot.messages import Replies, UserMessage
from bot.session import begin_session
from retrieval.engine import Engine
from retrieval.errors import BadInput, DeskhandError, NotFound
from retrieval.types import Vector

MODEL = "deskhand"
CHANNEL = "openai"
MOST_INPUTS = 2048
CODES = {401: "invalid_api_key", 403: "insufficient_permissions", 404: "not_found", 429: "rate_limit_exceeded"}


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool = False


class Completion(BaseModel):
    """Unknown keys are ignored, as the sampling options are."""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    tools: list[Any] = Field(default=[], max_length=0)
    functions: list[Any] = Field(default=[], max_length=0)
    response_format: dict[Literal["type"], Literal["text"]] | None = None
    logprobs: Literal[False] | None = None
    conversation_id: str | None = Field(default=None, min_length=1, max_length=255)
    message_id: str | None = Field(default=None, min_length=1, max_length=255)
    metadata: dict[str, str] | None = None


class Embedding(BaseModel):
    model: str
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


class Route(APIRoute):
    """Failures in OpenAI's shape, so that its clients can read them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"] if part != "body")
                return failure(400, f"{where}: {first['msg']}", param=where or None)
            except DeskhandError as error:
                status = 400 if isinstance(error, BadInput) else error.status
                return failure(status, str(error), headers=dict(error.headers))

        return handle


def failure(status: int, message: str, *, param: str | None = None, headers: Any = None) -> JSONResponse:
    return JSONResponse(_error(status, message, param), status_code=status, headers=headers)


def _error(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": CODES.get(status)}}


def router(manager: Manager, access: Access) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["openai"], route_class=Route)
    _models(routes, manager.engines, access)
    _chat(routes, manager, access)
    _embeddings(routes, manager.engines, access)
    return routes


def _models(routes: APIRouter, engines: Engines, access: Access) -> None:
    @routes.get("/models", dependencies=[Depends(access.needs("conversations:read"))])
    async def models() -> dict[str, Any]:
        """`deskhand` is the bundle in service, whichever that is; the other name is that bundle."""
        return {"object": "list", "data": [_model(name) for name in _names(engines)]}

    @routes.get("/models/{model}", dependencies=[Depends(access.needs("conversations:read"))])
    async def model(model: str) -> dict[str, Any]:
        return _model(_known(model, engines))


def _names(engines: Engines) -> list[str]:
    return [MODEL, *([engines.id] if engines.id else [])]


def _known(model: str, engines: Engines) -> str:
    if model not in _names(engines):
        raise NotFound(f"the model {model!r} does not exist; there are {', '.join(_names(engines))}")
    return model


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "deskhand"}


def _chat(routes: APIRouter, manager: Manager, access: Access) -> None:
    @routes.post("/chat/completions", dependencies=[Depends(access.needs("conversations:write"))])
    async def complete(
        asked: Completion, idempotency_key: Annotated[str | None, Header(max_length=255)] = None
    ) -> Response:
        """A turn with the last message of the user. `conversation_id` goes on with a conversation; the same
        `message_id` (or `Idempotency-Key`) again gets the same reply."""
        _known(asked.model, manager.engines)
        message = await _message(manager, asked, asked.message_id or idempotency_key)
        if asked.stream:
            steps = await begun(follow(manager, message))  # what is refused is refused with its status
            return StreamingResponse(_stream(asked, message, steps), media_type="text/event-stream")
        replies = await manager.handle(message)
        text = _text(replies)
        return JSONResponse({**_head(asked), **_whole(text), "usage": _usage(message.text, text), **_extra(replies)})


async def _message(manager: Manager, asked: Completion, id_: str | None) -> UserMessage:
    """Raises BadInput unless the last message is the user's."""
    talk = [one for one in asked.messages if one.role in ("user", "assistant") and one.text.strip()]
    if not talk or talk[-1].role != "user":
        raise BadInput("messages has to end with a message of the user that says something")
    id_ = id_ or uuid.uuid4().hex
    place = asked.conversation_id or f"{CHANNEL}-{short_hash(id_)}"
    if asked.conversation_id is None:
        await _begin(manager, place, talk[:-1])
    return UserMessage(place, talk[-1].text, id=id_, channel=CHANNEL, metadata=dict(asked.metadata or {}))


async def _begin(manager: Manager, place: str, before: Sequence[Message]) -> None:
    """The last exchange is what a message is understood by. The desk did not keep it: it is the caller who says so."""
    exchange = before[-2:] if [one.role for one in before[-2:]] == ["user", "assistant"] else ()
    if not exchange:
        return
    asked, answered = exchange
    async with manager.store.turn(place) as turn:
        if not turn.conversation.events:
            turn.add(
                *begin_session(turn.conversation, manager.domain, channel=CHANNEL, at=now()),
                UserSaid(text=asked.text, message_id="before", channel=CHANNEL),
                BotSaid(text=answered.text, message_id="before-reply", in_reply_to="before", source="earlier"),
            )
            await turn.commit()


def _head(asked: Completion) -> dict[str, Any]:
    """What every part of the answer begins with."""
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": asked.model}


def _extra(replies: Replies) -> dict[str, Any]:
    """What OpenAI has no field for."""
    return {
        "conversation_id": replies.conversation_id,
        "mode": replies.mode,
        "citations": [dict(one) for event in replies.messages for one in event.citations],
        "buttons": [dict(one) for event in replies.messages for one in shown(event)],
    }


def _text(replies: Replies) -> str:
    return "\n\n".join(text for event in replies.messages if (text := with_numbers(event)))


def _whole(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {"object": "chat.completion", "choices": [choice]}


async def _stream(asked: Completion, message: UserMessage, steps: Steps) -> AsyncIterator[str]:
    """Words, as soon as the turn has made them."""
    head = {**_head(asked), "object": "chat.completion.chunk"}
    told = Told()
    yield _data({**head, "choices": [_delta({"role": "assistant", "content": ""})]})
    try:
        async with aclosing(steps):
            async for step in steps:
                more = told.end(step) if isinstance(step, Replies) else told.draft(step.said)
                for word in re.findall(r"\s*\S+", more):
                    yield _data({**head, "choices": [_delta({"content": word})]})
                if isinstance(step, Replies):
                    yield _data({**head, "choices": [_delta({}, "stop")], **_extra(step)})
                    if asked.stream_options and asked.stream_options.include_usage:
                        yield _data({**head, "choices": [], "usage": _usage(message.text, _text(step))})
    except DeskhandError as error:
        yield _data(_error(error.status, str(error)))
    yield "data: [DONE]\n\n"


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}


def _data(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"


def _usage(*texts: str) -> dict[str, int]:
    """Words: nothing is billed by tokens here."""
    counts = [len(text.split()) for text in texts]
    completion = {"completion_tokens": counts[1]} if len(counts) > 1 else {}
    return {"prompt_tokens": counts[0], **completion, "total_tokens": sum(counts)}


def _embeddings(routes: APIRouter, engines: Engines, access: Access) -> None:
    @routes.post("/embeddings", dependencies=[Depends(access.needs("knowledge:read"))])
    async def embed(asked: Embedding) -> dict[str, Any]:
        """Vectors of length one, made by the encoder of the bundle in service."""
        _known(asked.model, engines)
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        _check(texts, asked, engines.engine)
        rows = await asyncio.to_thread(engines.engine.encode, texts)
        pack: Callable[[Vector], Any] = _packed if asked.encoding_format == "base64" else lambda row: row.tolist()
        data = [{"object": "embedding", "index": n, "embedding": pack(row)} for n, row in enumerate(rows)]
        return {"object": "list", "model": asked.model, "data": data, "usage": _usage(" ".join(texts))}


def _packed(row: Vector) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def _check(texts: Sequence[str], asked: Embedding, engine: Engine) -> None:
    if not 0 < len(texts) <= MOST_INPUTS or not all(text.strip() for text in texts):
        raise BadInput(f"input has to be 1 to {MOST_INPUTS} texts, none of them empty")
    if asked.dimensions not in (None, engine.manifest.dimension):
        raise BadInput(f"dimensions is {asked.dimensions}; the encoder in service gives {engine.manifest.dimension}")
