"""The widget's channel: sessions, messages and events over WebSocket, or server-sent events and POST.

It translates and decides nothing: what a customer writes goes to `Manager.handle`, what the store holds comes back
through the allow-list of `bot.widget.view`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sse_starlette import EventSourceResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.body_limit import read_json
from bot.config import Config
from bot.events import BotSaid, Rated
from bot.manager import Manager, UserMessage
from bot.stores.rates import Rates
from bot.widget import assets, frame
from bot.widget.door import Claim, Door
from bot.widget.tokens import Session, Tokens
from bot.widget.view import feed
from retrieval.errors import BadInput, DeskhandError, NotAllowed, NotFound, Unavailable

log = structlog.get_logger()

ASK_PERSON = "/talk_to_person"
DOWN = "our desk cannot answer just now; please try again in a moment"
HELLO_S = 10.0
EXPIRED, UNREADABLE, TOO_BIG, GONE = 4401, 1007, 1009, 1011


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Opening(Body):
    site_key: str = Field(max_length=64)
    token: str | None = Field(default=None, max_length=8000)
    user: Claim | None = None


class Opened(Body):
    """`greeting` is the first message to show; `starters` are suggested replies to it."""

    token: str
    conversation: str
    expires_at: float
    name: str
    greeting: str
    starters: tuple[str, ...]
    max_chars: int


class Said(Body):
    """A customer message. The same `id` again is the same message; `title` is what the customer saw on the button."""

    id: str = Field(min_length=1, max_length=64)
    text: str
    title: str = Field(default="", max_length=300)


class Asked(Body):
    """The customer asks for a person."""

    id: str = Field(min_length=1, max_length=64)
    text: str = ""
    title: str = Field(default="", max_length=300)


class Rating(Body):
    id: str
    rating: Literal[-1, 1]
    comment: str = Field(default="", max_length=2000)


class Accepted(Body):
    id: str


class SaidFrame(Said):
    type: Literal["messages"]


class AskedFrame(Asked):
    type: Literal["handoff"]


FRAMES: TypeAdapter[SaidFrame | AskedFrame] = TypeAdapter(
    Annotated[SaidFrame | AskedFrame, Field(discriminator="type")]
)


class Channel:
    """What every route needs: the manager, the store, the door."""

    def __init__(self, manager: Manager, config: Config, tokens: Tokens, rates: Rates) -> None:
        self.manager = manager
        self.store = manager.store
        self.limits = config.limits
        self.door = Door(config.channels.widget, config.rates, tokens, rates)

    async def hear(self, connection: HTTPConnection, session: Session, said: Said | Asked) -> None:
        text = ASK_PERSON if isinstance(said, Asked) else said.text
        await self.door.count_message(connection, session)
        metadata: dict[str, Any] = {"title": said.title} if said.title else {}
        if session.user:
            metadata["user"] = {"id": session.user.id, "traits": session.user.traits}
        message = UserMessage(session.conversation, text, id=said.id, channel="widget", metadata=metadata)
        try:
            await self.manager.handle(message)
        except DeskhandError as error:
            if error.status < 500:
                raise
            log.error("a widget message was not handled", conversation=session.conversation, error=str(error))
            raise Unavailable(DOWN) from error  # paths and addresses are for the log, not for customers

    async def rate(self, connection: HTTPConnection, session: Session, rating: Rating) -> None:
        await self.door.count_message(connection, session)
        async with self.store.turn(session.conversation) as turn:
            said = (e.message_id for e in turn.conversation.events if isinstance(e, BotSaid))
            if rating.id not in said:
                raise NotFound(f"this conversation has no bot message {rating.id!r} to rate")
            turn.add(Rated(message_id=rating.id, rating=rating.rating, comment=rating.comment))
            await turn.commit()


def _channel(connection: HTTPConnection) -> Channel:
    channel: Channel = connection.app.state.widget
    return channel


def _session(request: Request) -> Session:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotAllowed("send the header 'Authorization: Bearer <token>' with a token from POST /widget/session")
    return _channel(request).door.admit(request, token)


ChannelOf = Annotated[Channel, Depends(_channel)]
SessionOf = Annotated[Session, Depends(_session)]
router = APIRouter(prefix="/widget", tags=["widget"])


@router.post("/session")
async def open_session(request: Request, opening: Opening, channel: ChannelOf) -> Opened:
    """A short-lived token for one conversation: the one of the old token when it is given and ours, else a new one."""
    token, session = await channel.door.open(request, opening.site_key, opening.token, opening.user)
    config, site = channel.door.config, channel.door.site(opening.site_key)
    return Opened(
        token=token,
        conversation=session.conversation,
        expires_at=session.expires_at,
        name=site.name or config.name,
        greeting=site.greeting or config.greeting,
        starters=config.starters if site.starters is None else site.starters,
        max_chars=channel.limits.message_chars,
    )


@router.post("/messages")
async def say(request: Request, said: Said, channel: ChannelOf, session: SessionOf) -> Accepted:
    """Stored and answered when this returns; the reply comes as events."""
    await channel.hear(request, session, said)
    return Accepted(id=said.id)


@router.post("/handoff")
async def ask_person(request: Request, asked: Asked, channel: ChannelOf, session: SessionOf) -> Accepted:
    await channel.hear(request, session, asked)
    return Accepted(id=asked.id)


@router.post("/feedback")
async def rate(request: Request, rating: Rating, channel: ChannelOf, session: SessionOf) -> Accepted:
    """Thumbs up (1) or down (-1) on the bot message `id`; the last one counts."""
    await channel.rate(request, session, rating)
    return Accepted(id=rating.id)


@router.get("/events")
async def events(channel: ChannelOf, session: SessionOf, offset: int = 0) -> EventSourceResponse:
    """Frames `{"type": "events", "next", "events"}` from `offset` on, as server-sent events."""

    async def stream() -> AsyncIterator[dict[str, str]]:
        # The store is gone: the stream ends, and the widget comes back with its offset.
        with suppress(Unavailable):
            async for frame in feed(channel.store, session.conversation, max(offset, 0)):
                yield {"data": json.dumps(frame)}

    return EventSourceResponse(stream(), headers={"cache-control": "no-store", "x-accel-buffering": "no"})


@router.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """First frame in: `{"type": "hello", "token", "offset"}`. Then `messages` and `handoff` in, `events` out."""
    await websocket.accept()
    channel = _channel(websocket)
    with suppress(WebSocketDisconnect):
        try:
            async with asyncio.timeout(HELLO_S):
                hello = await _receive(websocket, channel.limits.body_bytes)
            session = channel.door.admit(websocket, str(hello.get("token", "")))
        except (NotAllowed, TimeoutError) as error:
            return await websocket.close(EXPIRED, str(error)[:120])
        except BadInput as error:
            return await websocket.close(UNREADABLE, str(error)[:120])
        offset = hello.get("offset")
        pump = asyncio.create_task(_pump(websocket, channel, session, max(offset, 0) if isinstance(offset, int) else 0))
        try:
            await _listen(websocket, channel, str(hello["token"]))
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump


async def _pump(websocket: WebSocket, channel: Channel, session: Session, offset: int) -> None:
    try:
        async for frame in feed(channel.store, session.conversation, offset):
            await websocket.send_json(frame)
    except (WebSocketDisconnect, RuntimeError):
        return  # the visitor has left; the listener ends by itself
    except Unavailable:
        await websocket.close(GONE, "the store is gone; come back with your offset")


async def _listen(websocket: WebSocket, channel: Channel, token: str) -> None:
    while True:
        id_ = None
        try:
            data = await _receive(websocket, channel.limits.body_bytes)
            id_ = data.get("id")
            session = channel.door.admit(websocket, token)  # again: a line may stay open longer than its token is good
            await channel.hear(websocket, session, _read(data))
        except NotAllowed as error:
            return await websocket.close(EXPIRED, str(error)[:120])
        except DeskhandError as error:
            await websocket.send_json({"type": "error", "id": id_, "status": error.status, "detail": str(error)})


async def _receive(websocket: WebSocket, most: int) -> dict[str, Any]:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if text is None or len(text) > most:
        raise BadInput(f"a frame is text of at most {most:,} characters")
    data = read_json(text)
    if not isinstance(data, dict):
        raise BadInput(f"a frame is a JSON object, not {type(data).__name__}")
    return data


def _read(data: dict[str, Any]) -> SaidFrame | AskedFrame:
    try:
        return FRAMES.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, first['loc'])) or 'frame'}: {first['msg']}") from error


class Doors:
    """Lets pages of other sites read what `/widget*` answers. Which sites may embed it is asked at the door itself:
    there is no cookie, so the answer to a stranger is worth nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open = CORSMiddleware(
            app, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"], max_age=3600
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        widget = scope["type"] == "http" and scope["path"].startswith("/widget")
        await (self.open if widget else self.app)(scope, receive, send)


def register(app: FastAPI, manager: Manager, config: Config, tokens: Tokens, rates: Rates) -> None:
    """Adds the channel, the widget's files and the demo page."""
    app.state.widget = Channel(manager, config, tokens, rates)
    app.add_middleware(Doors)
    app.include_router(router)
    app.include_router(assets.router())
    app.include_router(frame.router(app.state.widget.door))
