"""Rasa's callback channel: `POST /webhooks/callback/webhook` takes a message, and each reply is posted to a URL.

Replies go by the outbox of `deliver.py`: in order, at least once, also those of a person or a reminder.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from bot.channels.config import CallbackConfig
from bot.channels.platform import Address, Api, Hear, Inbound
from bot.channels.rest import NotJson, read_incoming, render
from bot.events import BotSaid, Event, PersonSaid
from retrieval.errors import BadInput


class Callback:
    name = "callback"
    answers_itself = False

    def __init__(self, config: CallbackConfig) -> None:
        if not config.url:
            raise BadInput("channels.callback is enabled and has no url; write where replies are to be posted")
        self._url = config.url
        self._api = Api("")

    def router(self, hear: Hear) -> APIRouter:
        routes = APIRouter(prefix="/webhooks/callback", tags=["callback channel"])

        @routes.get("/")
        async def health() -> dict[str, str]:
            return {"status": "ok"}

        @routes.post("/webhook", response_class=PlainTextResponse)
        async def webhook(request: Request) -> Response:
            """Says `message` as `sender`; the replies are posted to the configured URL, one by one."""
            try:
                incoming = read_incoming(await request.body())
            except NotJson as error:
                return error.response()
            if incoming.message.strip():
                id_ = incoming.message_id or uuid.uuid4().hex
                to = {"recipient_id": incoming.sender}
                await hear(Inbound(incoming.sender, id_, incoming.message, to, extra=incoming.metadata))
            return PlainTextResponse("success")

        return routes

    def parts(self, event: Event, to: Address) -> Sequence[dict[str, Any]]:
        recipient = str(to.get("recipient_id", "default"))
        if isinstance(event, PersonSaid):
            return [{"recipient_id": recipient, "text": event.text}]
        return list(render(recipient, event)) if isinstance(event, BotSaid) else ()

    async def send(self, part: dict[str, Any]) -> None:
        await self._api.post(self._url, json=part)

    async def aclose(self) -> None:
        await self._api.aclose()
