"""Rasa's Socket.IO and callback channels, over real sockets with a real client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest
import socketio
import uvicorn
from fastapi import FastAPI, Request
from pydantic import SecretStr

from bot.app import Parts, create_app
from bot.conversation import WIDGET
from bot.handoff import Desk
from bot.settings import Settings

pytestmark = pytest.mark.asyncio

KEY = "a-secret-of-the-integrator-that-is-long-enough"
SOCKETS = "channels:\n  socketio: {{enabled: true, session_persistence: true{more}}}\nbursts: {{channels: []}}\n"


class Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """The address of a real server that runs as long as the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, ws="websockets-sansio", timeout_graceful_shutdown=1)
        server = Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.up.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class Client:
    """A customer's page."""

    def __init__(self, url: str, *, path: str = "socket.io", namespace: str = "/", bot: str = "bot_uttered") -> None:
        self.url, self.path, self.namespace = url, path, namespace
        self.socket = socketio.AsyncClient(reconnection=False)
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        for event in (bot, "session_confirm", "error"):
            self.socket.on(event, self.said.put, namespace=namespace)

    async def __aenter__(self) -> Client:
        return await self.connect()

    async def connect(self, auth: Any = None) -> Client:
        await self.socket.connect(
            self.url, auth=auth, socketio_path=self.path, namespaces=[self.namespace], transports=["websocket"]
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.disconnect()

    async def emit(self, event: str, data: Any) -> None:
        await self.socket.emit(event, data, namespace=self.namespace)

    async def hears(self) -> Any:
        async with asyncio.timeout(20):
            return await self.said.get()


def app_with(settings: Settings, config: str, **changes: Any) -> FastAPI:
    (settings.config_dir / "deskhand.yml").write_text(config)
    return create_app(settings.model_copy(update=changes))


async def test_a_session_is_confirmed_and_a_message_answered(settings: Settings) -> None:
    async with listening(app_with(settings, SOCKETS.format(more=""))) as url, Client(url) as client:
        await client.emit("session_request", {"session_id": None})
        assert len(await client.hears()) == 32
        await client.emit("session_request", {"session_id": "mine"})
        assert await client.hears() == "mine"
        await client.emit("user_uttered", {"message": "/greet", "session_id": "mine", "metadata": {"page": "home"}})
        assert await client.hears() == {"text": "Hi, I am a bot."}


async def test_what_a_person_says_reaches_the_client_and_comes_back_after_a_reload(settings: Settings) -> None:
    app = app_with(settings, SOCKETS.format(more=""))
    parts: Parts = app.state.parts
    async with listening(app) as url:
        async with Client(url) as client:
            await client.emit("session_request", {"session_id": "s1"})
            await client.hears()
            await client.emit("user_uttered", {"message": "/talk_to_person", "session_id": "s1"})
            assert "colleague" in (await client.hears())["text"]
        assert (await parts.store.read("s1")).latest.metadata == {}  # type: ignore[union-attr]
        async with Client(url) as again:
            await again.emit("session_request", {"session_id": "s1"})
            assert await again.hears() == "s1"
            await Desk(parts.store).say("s1", "Ann", "Good morning!", None)
            assert await again.hears() == {"text": "Good morning!", "by": "person", "person": "Ann"}


async def test_event_names_namespace_path_and_metadata_key_can_be_changed(settings: Settings) -> None:
    more = ", user_event: ask, bot_event: tell, namespace: /desk, path: /sockets, metadata_key: about"
    app = app_with(settings, SOCKETS.format(more=more))
    parts: Parts = app.state.parts
    async with (
        listening(app) as url,
        Client(url, path="sockets", namespace="/desk", bot="tell") as client,
    ):
        await client.emit("ask", {"message": "/greet", "session_id": "s2", "about": {"page": "home"}})
        assert await client.hears() == {"text": "Hi, I am a bot."}
        latest = (await parts.store.read("s2")).latest
        assert latest
        assert (latest.metadata, latest.channel) == ({"page": "home"}, "socketio")


async def test_a_message_without_its_session_is_left_out_and_the_widgets_are_not_to_be_had(settings: Settings) -> None:
    async with listening(app_with(settings, SOCKETS.format(more=""))) as url, Client(url) as client:
        await client.emit("user_uttered", {"message": "no session id"})
        await client.emit("session_request", {"session_id": f"{WIDGET}1"})
        assert "are the widget's own" in (await client.hears())["detail"]
        await client.emit("user_uttered", {"message": "x" * 5000, "session_id": "s3"})
        assert (await client.hears())["status"] == 422


async def test_without_persistence_the_connection_is_the_conversation(settings: Settings) -> None:
    config = "channels:\n  socketio: {enabled: true}\nbursts: {channels: []}\n"
    async with listening(app_with(settings, config)) as url, Client(url) as client:
        await client.emit("user_uttered", {"message": "/greet"})
        assert await client.hears() == {"text": "Hi, I am a bot."}


async def test_with_a_key_only_signed_clients_get_in(settings: Settings) -> None:
    app = app_with(settings, SOCKETS.format(more=""), socketio_jwt_key=SecretStr(KEY))
    async with listening(app) as url:
        for auth in (None, {"token": "nonsense"}, {"token": jwt.encode({}, "x" * 40, algorithm="HS256")}):
            with pytest.raises(socketio.exceptions.ConnectionError):
                await Client(url).connect(auth)
        client = await Client(url).connect({"token": jwt.encode({"user": "bo"}, KEY, algorithm="HS256")})
        await client.emit("user_uttered", {"message": "/greet", "session_id": "s4"})
        assert await client.hears() == {"text": "Hi, I am a bot."}
        await client.socket.disconnect()


async def test_callback_replies_are_posted_one_by_one_and_a_persons_too(settings: Settings) -> None:
    posted: asyncio.Queue[Any] = asyncio.Queue()
    receiver = FastAPI()

    @receiver.post("/bot")
    async def bot(request: Request) -> None:
        await posted.put(await request.json())

    async with listening(receiver) as theirs:
        app = app_with(settings, f"channels:\n  callback: {{enabled: true, url: {theirs}/bot}}\n")
        async with listening(app) as url:
            async with httpx.AsyncClient(base_url=url) as client:
                assert (await client.get("/webhooks/callback/")).json() == {"status": "ok"}
                body = {"sender": "cb1", "message": "/talk_to_person"}
                answer = await client.post("/webhooks/callback/webhook", json=body)
                assert (answer.status_code, answer.text) == (200, "success")
                assert (await client.post("/webhooks/callback/webhook", content="{bad")).json()["message"] == (
                    "Failed when parsing body as json"
                )
            async with asyncio.timeout(20):
                first = await posted.get()
                assert first["recipient_id"] == "cb1"
                assert "colleague" in first["text"]
                await Desk(app.state.parts.store).say("cb1", "Ann", "Hello, Ann here", None)
                assert await posted.get() == {"recipient_id": "cb1", "text": "Hello, Ann here"}
