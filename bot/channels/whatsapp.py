"""WhatsApp Cloud API: `/webhooks/whatsapp/webhook` in, `{phone number id}/messages` of the Graph API out.

Limits: a text has 4096 characters, the text above buttons 1024; three reply buttons with 20 characters each, or a list
of ten rows with 24; what does not fit is a numbered list that is answered with a number. Free text is taken for 24
hours after the customer's last message; later ones are refused (131047) and noted in the conversation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from bot.body_limit import read_json
from bot.channels.config import WhatsappConfig
from bot.channels.platform import Address, Api, Hear, Inbound, check_hmac, check_same, needed, reading
from bot.channels.texts import Button, link, numbered, reference, shorten, shown, split, words
from bot.events import BotSaid, Event, PersonSaid
from bot.metrics import Metrics
from bot.settings import Settings

log = structlog.get_logger()

SIGNATURE = "X-Hub-Signature-256"
TEXT, BODY, FEW, LABEL, ROWS, ROW, ROW_TEXT = 4096, 1024, 3, 20, 10, 24, 72
FILES = ("image", "document", "audio", "video", "sticker", "location", "contacts")


class Whatsapp:
    name = "whatsapp"
    answers_itself = False

    def __init__(self, config: WhatsappConfig, settings: Settings, metrics: Metrics) -> None:
        self._verify, self._secret, token = needed(
            "whatsapp",
            whatsapp_verify_token=settings.whatsapp_verify_token,
            whatsapp_app_secret=settings.whatsapp_app_secret,
            whatsapp_token=settings.whatsapp_token,
        )
        self._choose = config.choose
        self._metrics = metrics
        self._api = Api(config.api, authorization=f"Bearer {token}")

    def router(self, hear: Hear) -> APIRouter:
        routes = APIRouter(tags=["channels"])

        @routes.get("/webhooks/whatsapp/webhook")
        async def verify(request: Request) -> PlainTextResponse:
            """The handshake when the callback URL is set."""
            asked = request.query_params
            check_same(asked.get("hub.verify_token"), self._verify, what="hub.verify_token")
            return PlainTextResponse(asked.get("hub.challenge", ""))

        @routes.post("/webhooks/whatsapp/webhook")
        async def notify(request: Request) -> dict[str, Any]:
            body = await request.body()
            check_hmac(request.headers.get(SIGNATURE), self._secret, body, header=SIGNATURE)
            with reading("WhatsApp"):
                changes = list(values(read_json(body)))
                heard = [said for value in changes for said in inbound(value)]
            for value in changes:
                self._note(value)
            for said in heard:
                await hear(said)
            return {}

        return routes

    def _note(self, value: Mapping[str, Any]) -> None:
        """A message that was taken may fail on its way; that is seen, and the platform does not take it back."""
        for status in value.get("statuses") or ():
            if status.get("status") == "failed":
                self._metrics.deliveries.labels(self.name, "lost").inc()
                log.error("a message was lost on its way", channel=self.name, error=json.dumps(status.get("errors")))

    def parts(self, event: Event, to: Address) -> Sequence[tuple[str, dict[str, Any]]]:
        if isinstance(event, PersonSaid):
            bodies = [_text(text) for text in split(words(event), TEXT)]
        elif isinstance(event, BotSaid):
            bodies = _bot(event, self._choose)
        else:
            return ()
        head = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": to["wa_id"]}
        return [(f"{to['phone_number_id']}/messages", {**head, **body}) for body in bodies]

    async def send(self, part: tuple[str, dict[str, Any]]) -> None:
        path, body = part
        await self._api.post(path, json=body)

    async def aclose(self) -> None:
        await self._api.aclose()


def values(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in data.get("entry") or ():
        yield from (change["value"] for change in entry.get("changes") or () if change.get("field") == "messages")


def inbound(value: Mapping[str, Any]) -> Iterator[Inbound]:
    """The customer messages of one change; reactions and system messages are none."""
    phone = str((value.get("metadata") or {}).get("phone_number_id") or "")
    for message in value.get("messages") or ():
        text, pressed = _said(message)
        kind = str(message.get("type"))
        files = ({"type": kind, **_described(message[kind])},) if kind in FILES and kind in message else ()
        if text or pressed or files:
            to = {"wa_id": str(message["from"]), "phone_number_id": phone}
            place = f"whatsapp:{phone}:{message['from']}"
            yield Inbound(place, str(message["id"]), text, to, pressed=pressed, attachments=files)


def _said(message: Mapping[str, Any]) -> tuple[str, str]:
    """(what the customer saw or wrote, the reference of a button)."""
    kind = message.get("type")
    if kind == "text":
        return str(message["text"]["body"]), ""
    if kind == "button":  # the quick reply of a template
        return str(message["button"].get("text") or ""), ""
    if kind == "interactive":
        chosen = message["interactive"].get(message["interactive"].get("type")) or {}
        return str(chosen.get("title") or ""), str(chosen.get("id") or "")
    captioned = kind in ("image", "video", "document")
    return str((message.get(str(kind)) or {}).get("caption") or "") if captioned else "", ""


def _described(file: Any) -> dict[str, Any]:
    return dict(file) if isinstance(file, dict) else {"items": file}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": text}}


def _bot(said: BotSaid, choose: str) -> list[dict[str, Any]]:
    text, buttons = words(said), shown(said)
    plain = any(link(button) for button in buttons) or len(buttons) > ROWS or len(text) > BODY
    if buttons and plain:
        text = "\n\n".join(part for part in (text, numbered(buttons)) if part)
    bodies = [_text(part) for part in split(text, TEXT)] if plain or not buttons else [_interactive(said, text, choose)]
    if said.image:
        bodies.append({"type": "image", "image": {"link": said.image}})
    if isinstance(said.custom, dict):
        bodies.append(dict(said.custom))
    return bodies


def _interactive(said: BotSaid, text: str, choose: str) -> dict[str, Any]:
    buttons = shown(said)
    body = {"body": {"text": text or "…"}}
    few = len(buttons) <= FEW and all(len(str(button["title"])) <= LABEL for button in buttons)
    if few:
        replies = [
            {"type": "reply", "reply": {"id": reference(said, number), "title": str(button["title"])}}
            for number, button in enumerate(buttons)
        ]
        return {"type": "interactive", "interactive": {"type": "button", **body, "action": {"buttons": replies}}}
    rows = [_row(said, number, button) for number, button in enumerate(buttons)]
    action = {"button": shorten(choose, LABEL), "sections": [{"rows": rows}]}
    return {"type": "interactive", "interactive": {"type": "list", **body, "action": action}}


def _row(said: BotSaid, number: int, button: Button) -> dict[str, Any]:
    title = str(button["title"])
    row = {"id": reference(said, number), "title": shorten(title, ROW)}
    return row if len(title) <= ROW else {**row, "description": shorten(title, ROW_TEXT)}
