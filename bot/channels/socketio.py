"""Rasa's Socket.IO channel: `user_uttered` in, `bot_uttered` out, sessions by `session_request` and `session_confirm`.

What the desk says without being asked (a person, a reminder) is sent as well, while the client is connected.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import socketio
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.background import ended
from bot.channels.rest import BLANK_LINES
from bot.config import SocketIoConfig
from bot.conversation import WIDGET
from bot.events import BotSaid, Event, PersonSaid
from bot.manager import Manager, UserMessage
from bot.web_tokens import claims
from retrieval.errors import DeskhandError, NotAllowed, Unavailable

log = structlog.get_logger()

LOOK_S = 30.0
DOWN = "our desk cannot answer just now; please try again in a moment"
CHANNEL = "socketio"


class SocketIo:
    """`jwt_key` None lets everybody in; else `auth.token` of the connection has to be signed with it."""

    def __init__(self, manager: Manager, config: SocketIoConfig, jwt_key: str | None) -> None:
        self._manager = manager
        self._config = config
        self._key = jwt_key
        self._followers: dict[tuple[str, str], asyncio.Task[None]] = {}
        origins: Any = "*" if "*" in config.origins else list(config.origins)
        self.server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=origins, namespaces="*")
        where = {"namespace": config.namespace or "/"}
        self.server.on("connect", self._connect, **where)
        self.server.on("disconnect", self._disconnect, **where)
        self.server.on("session_request", self._session, **where)
        self.server.on(config.user_event, self._heard, **where)
        self._where = where

    def app(self) -> ASGIApp:
        made: ASGIApp = socketio.ASGIApp(self.server, socketio_path=self._config.path)
        return made

    async def stop(self) -> None:
        await asyncio.gather(*map(ended, self._followers.values()), return_exceptions=True)
        await self.server.shutdown()

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        if self._key is None:
            return
        token = str((auth or {}).get("token", "")) if isinstance(auth, dict) else ""
        try:
            claims(token, self._key, self._config.jwt_method)
        except NotAllowed as error:
            log.warning("a Socket.IO connection was refused", error=str(error))
            raise socketio.exceptions.ConnectionRefusedError(f"auth.token: {error}") from error

    async def _disconnect(self, sid: str, *reason: Any) -> None:
        for key in [key for key in self._followers if key[0] == sid]:
            await ended(self._followers.pop(key))

    async def _session(self, sid: str, data: Any = None) -> None:
        """Confirms the client's session id, or a new one; with session persistence its replies go to that session."""
        given = data.get("session_id") if isinstance(data, dict) else None
        session = str(given or uuid.uuid4().hex)
        if session.startswith(WIDGET):
            return await self._refuse(sid, f"session ids that begin with {WIDGET!r} are the widget's own; take another")
        if self._config.session_persistence:
            await self._follow(sid, session)
        await self.server.emit("session_confirm", session, to=sid, **self._where)

    async def _heard(self, sid: str, data: Any) -> None:
        if not isinstance(data, dict) or not str(data.get("message") or "").strip():
            return
        sender = str(data.get("session_id") or "") if self._config.session_persistence else sid
        if not sender:
            log.warning("a message without session_id", sid=sid, cure="send session_request first, then its session_id")
            return
        if sender.startswith(WIDGET):
            return await self._refuse(sid, f"session ids that begin with {WIDGET!r} are the widget's own; take another")
        await self._follow(sid, sender)
        metadata = data.get(self._config.metadata_key)
        message = UserMessage(
            sender,
            str(data["message"]),
            id=str(data.get("message_id") or uuid.uuid4().hex),
            channel=CHANNEL,
            metadata=metadata if isinstance(metadata, dict) else {},
        )
        try:
            await self._manager.handle(message)  # the follower sends what was said
        except DeskhandError as error:
            log.error("a Socket.IO message was not handled", conversation=sender, error=str(error))
            shown = str(error) if error.status < 500 else DOWN  # paths and addresses are for the log, not for customers
            await self._refuse(sid, shown, status=error.status)

    async def _refuse(self, sid: str, detail: str, *, status: int = 422) -> None:
        await self.server.emit("error", {"status": status, "detail": detail}, to=sid, **self._where)

    async def _follow(self, sid: str, conversation: str) -> None:
        """What the conversation says from here on goes to this connection."""
        if (sid, conversation) in self._followers:
            return
        version = (await self._manager.store.read(conversation)).version
        self._followers[sid, conversation] = asyncio.create_task(self._forward(sid, conversation, version))

    async def _forward(self, sid: str, conversation: str, offset: int) -> None:
        store = self._manager.store
        try:
            async with store.watch(conversation) as watch:
                while True:
                    events = await store.since(conversation, offset)
                    offset += len(events)
                    for event in events:
                        for payload in payloads(event):
                            await self.server.emit(self._config.bot_event, payload, to=sid, **self._where)
                    await watch.changed(LOOK_S)
        except Unavailable as error:
            log.warning("a Socket.IO session lost the store", conversation=conversation, error=str(error))
            await self.server.disconnect(sid, **self._where)


def payloads(event: Event) -> Iterator[Any]:
    """One event of the conversation as the messages of Rasa's channel."""
    match event:
        case PersonSaid(text=text, person=person):
            yield {"text": text, "by": "person", "person": person}
        case BotSaid():
            yield from _said(event)


def _said(said: BotSaid) -> Iterator[Any]:
    texts = [part.strip() for part in BLANK_LINES.split(said.text or "") if part.strip()]
    messages: list[dict[str, Any]] = [{"text": text} for text in texts or [""] * bool(said.buttons)]
    if said.buttons:  # on the last part of the text
        messages[-1]["quick_replies"] = [
            {"content_type": "text", "title": button.get("title"), "payload": button.get("payload")}
            for button in said.buttons
        ]
    if said.citations:
        messages[-1]["citations"] = [dict(citation) for citation in said.citations]
    yield from messages
    if said.custom is not None:
        yield said.custom["data"] if isinstance(said.custom, dict) and "data" in said.custom else said.custom
    if said.image:
        yield {"attachment": {"type": "image", "payload": {"src": said.image}}}
    if said.attachment is not None:
        yield {"attachment": _attachment(said.attachment)}


def _attachment(given: Any) -> Any:
    """`elements` are a carousel."""
    if isinstance(given, dict) and "elements" in given:
        return {"type": "template", "payload": {"template_type": "generic", "elements": given["elements"]}}
    return given


class Mounted:
    """Sends requests below the channel's path to it, all others on to the app."""

    def __init__(self, app: ASGIApp, *, path: str, channel: ASGIApp) -> None:
        self.app = app
        self.path = path.rstrip("/")
        self.channel = channel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "") if scope["type"] in ("http", "websocket") else ""
        ours = path == self.path or path.startswith(f"{self.path}/")
        await (self.channel if ours else self.app)(scope, receive, send)
