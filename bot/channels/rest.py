"""The REST channel in Rasa's shape: `POST /webhooks/rest/webhook {"sender", "message"} -> [{"recipient_id", "text"}]`.

A handled turn is a list, a failure is problem JSON with its own status: never 200 for a failure.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.channels.drafts import Steps, begun, follow
from bot.events import BotSaid
from bot.manager import Manager, Replies, UserMessage
from bot.transcript_schema import clean
from retrieval.errors import BadInput, DeskhandError

BLANK_LINES = re.compile(r"\n[ \t]*\n")


class NotJson(DeskhandError):
    status = 400
    title = "Bad request"

    def response(self) -> JSONResponse:
        """A problem (RFC 9457) that also has the fields that Rasa's clients know."""
        body = {"type": "about:blank", "title": self.title, "status": self.status, "detail": str(self)}
        rasas = {"description": "Bad Request", "message": "Failed when parsing body as json"}
        return JSONResponse({**body, **rasas}, status_code=self.status, media_type="application/problem+json")


class Incoming(BaseModel):
    """Unknown keys are ignored, as Rasa ignores them: its clients send their own."""

    model_config = ConfigDict(extra="ignore")

    sender: str = Field(default="default", min_length=1, max_length=255)
    message: str = ""
    message_id: str | None = Field(default=None, min_length=1, max_length=255)
    metadata: dict[str, Any] = Field(default_factory=dict)


def router(manager: Manager) -> APIRouter:
    routes = APIRouter(prefix="/webhooks/rest", tags=["rest channel"])

    @routes.get("/")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @routes.post("/webhook", openapi_extra={"requestBody": _body_schema()})
    async def webhook(request: Request, stream: bool = False) -> Response:
        """Says `message` as `sender` and gives the replies; `?stream=true` gives them as JSON lines."""
        try:
            incoming = read_incoming(await request.body())
        except NotJson as error:
            return error.response()
        message = _message(incoming)
        if message is None:
            return Response() if stream else JSONResponse([])  # as Rasa does
        if stream:
            steps = await begun(follow(manager, message))
            return StreamingResponse(_lines(incoming.sender, steps), media_type="text/event-stream")
        replies = await manager.handle(message)
        return JSONResponse([one for said in replies.messages for one in render(incoming.sender, said)])

    return routes


def read_incoming(body: bytes) -> Incoming:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotJson(f'the body is not JSON ({error}); send {{"sender": "...", "message": "..."}}') from error
    if not isinstance(data, dict):
        raise NotJson(f"the body is a JSON {type(data).__name__}; send an object with sender and message")
    if isinstance(data.get("message"), str):
        data["message"] = clean(data["message"])  # a browser may cut an emoji in half: no reason to refuse the message
    try:
        return Incoming.model_validate({key: value for key, value in data.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _message(incoming: Incoming) -> UserMessage | None:
    if not incoming.message.strip():
        return None
    id_ = incoming.message_id or uuid.uuid4().hex
    return UserMessage(incoming.sender, incoming.message, id=id_, channel="rest", metadata=incoming.metadata)


async def _lines(recipient: str, steps: Steps) -> AsyncIterator[str]:
    """Each message as soon as it is whole."""
    sent: set[str] = set()
    async with aclosing(steps):
        async for step in steps:
            whole = step.messages if isinstance(step, Replies) else (step.said,) if step.whole else ()
            for said in whole:
                if said.message_id not in sent:
                    sent.add(said.message_id)
                    for one in render(recipient, said):
                        yield json.dumps(one, ensure_ascii=False) + "\n"


def render(recipient: str, said: BotSaid) -> Iterator[dict[str, Any]]:
    """One bot message as the messages of Rasa's collecting channel: text is split at blank lines unless it has
    buttons; custom, image and attachment are messages of their own. Sources go along as `citations`."""
    texts = [said.text] if said.buttons else [part for part in BLANK_LINES.split(said.text or "") if part.strip()]
    for number, text in enumerate(texts):
        message: dict[str, Any] = {"recipient_id": recipient, "text": (text or "").strip()}
        if said.buttons:
            message["buttons"] = [dict(button) for button in said.buttons]
        if said.citations and number == len(texts) - 1:
            message["citations"] = [dict(citation) for citation in said.citations]
        yield message
    for key in ("custom", "image", "attachment"):
        if (value := getattr(said, key)) is not None:
            yield {"recipient_id": recipient, key: value}


def _body_schema() -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": Incoming.model_json_schema()}}}
