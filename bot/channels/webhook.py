"""A platform that nobody wrote a channel for: `POST /webhooks/in/{name}`, read by the paths of `channels.webhooks`."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from typing import Any

import jmespath
from fastapi import APIRouter, Request

from bot.body_limit import read_json
from bot.channels.config import WebhookConfig
from bot.channels.platform import Address, Api, Hear, Inbound, check_hmac, short_hash
from bot.events import BotSaid, Event, PersonSaid
from bot.settings import Settings
from retrieval.errors import BadInput


class Webhook:
    def __init__(self, name: str, config: WebhookConfig, settings: Settings) -> None:
        self.name = name
        self.answers_itself = config.replies == "response"
        self._config = config
        self._secret = _secret(name, config, settings)
        paths = {"sender": config.sender, "text": config.text, "id": config.id}
        self._paths = {key: jmespath.compile(path) for key, path in paths.items() if path}
        self._api = Api("")

    def router(self, hear: Hear) -> APIRouter:
        routes = APIRouter(tags=["channels"])

        @routes.post(f"/webhooks/in/{self.name}")
        async def said(request: Request) -> dict[str, Any]:
            """A message in the platform's own JSON; see `channels.webhooks` for where its parts are."""
            body = await request.body()
            if signed := self._config.signature:
                check_hmac(
                    request.headers.get(signed.header),
                    self._secret,
                    body,
                    header=signed.header,
                    algorithm=signed.algorithm,
                )
            heard = self._inbound(body)
            replies = await hear(heard)
            assert replies is not None
            shown = [message for event in replies.messages for message in self.parts(event, heard.to)]
            return {"replies": shown if self.answers_itself else [], "mode": replies.mode}

        return routes

    def _inbound(self, body: bytes) -> Inbound:
        data = read_json(body)
        found = {key: path.search(data) for key, path in self._paths.items()}
        for key in ("sender", "text"):
            if not isinstance(found[key], str | int) or found[key] == "":
                path = getattr(self._config, key)
                raise BadInput(f"{path!r} ({key}) is {found[key]!r} in the body; it has to be text")
        sender, id_ = str(found["sender"]), found.get("id")
        # Without an id of the platform's own, the same body is the same message.
        id_ = str(id_) if id_ is not None else short_hash(body.decode())
        return Inbound(f"{self.name}:{sender}", id_, str(found["text"]), {"recipient_id": sender})

    def parts(self, event: Event, to: Address) -> Sequence[dict[str, Any]]:
        if isinstance(event, PersonSaid):
            return [{**to, "id": event.message_id, "by": "person", "person": event.person, "text": event.text}]
        if not isinstance(event, BotSaid):
            return ()
        more = {key: value for key in ("image", "custom", "attachment") if (value := getattr(event, key)) is not None}
        lists = {key: [dict(one) for one in getattr(event, key)] for key in ("buttons", "citations")}
        more |= {key: value for key, value in lists.items() if value}
        return [{**to, "id": event.message_id, "by": "bot", "text": event.text or "", **more}]

    async def send(self, part: dict[str, Any]) -> None:
        body = json.dumps(part, ensure_ascii=False).encode()
        headers = {"content-type": "application/json"}
        if signed := self._config.signature:
            headers[signed.header] = hmac.new(self._secret.encode(), body, signed.algorithm).hexdigest()
        await self._api.post(self._config.url, content=body, headers=headers)

    async def aclose(self) -> None:
        await self._api.aclose()


def _secret(name: str, config: WebhookConfig, settings: Settings) -> str:
    if config.signature is None:
        return ""
    secret = settings.webhook_secrets.get(name)
    if secret is None:
        raise BadInput(
            f"channels.webhooks.{name} checks signatures and needs its secret in the environment: "
            f'DESKHAND_WEBHOOK_SECRETS=\'{{"{name}": "..."}}\''
        )
    return secret.get_secret_value()
