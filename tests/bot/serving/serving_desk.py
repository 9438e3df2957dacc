"""The real app on a bundle that was really trained, and a client that talks to it as over the network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from bot.app import Parts, create_app
from bot.settings import Settings

TOKEN = "operators-token"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}

DOMAIN = """
version: "3.1"
intents: [greet, talk_to_person, order_status, look_up]
actions: [action_order_status]
responses:
  utter_greet: [{text: "Hi, I am a bot."}]
"""
RULES = """
version: "3.1"
rules:
  - rule: greet
    steps: [{intent: greet}, {action: utter_greet}]
  - rule: order status
    steps: [{intent: order_status}, {action: action_order_status}]
  - rule: say something, then look it up
    steps: [{intent: look_up}, {action: utter_greet}, {action: action_order_status}]
"""


@dataclass
class Server:
    """An app that runs, and a client that talks to it as over the network."""

    app: FastAPI
    parts: Parts
    client: httpx.AsyncClient

    async def say(self, text: str, *, sender: str = "u1", **more: object) -> httpx.Response:
        return await self.client.post("/webhooks/rest/webhook", json={"sender": sender, "message": text, **more})

    async def texts(self, text: str, *, sender: str = "u1", **more: object) -> list[str]:
        answer = await self.say(text, sender=sender, **more)
        assert answer.status_code == 200, answer.text
        return [message["text"] for message in answer.json()]

    async def metric(self, line: str) -> float:
        """The value of one sample such as `deskhand_handoffs_total{reason="asked"}`."""
        text = (await self.client.get("/metrics")).text
        return next((float(row.rsplit(" ", 1)[1]) for row in text.splitlines() if row.startswith(line + " ")), 0.0)


Running = Callable[..., AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Server]:
    app = create_app(settings)
    parts: Parts = app.state.parts
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            yield Server(app, parts, client)
