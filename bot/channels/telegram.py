"""Telegram: updates come to `/webhooks/telegram/webhook`, replies go out through the Bot API.

Limits of the Bot API: a text has 1 to 4096 UTF-16 units, `callback_data` 1 to 64 bytes, a keyboard 100 buttons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request

from bot.body_limit import read_json
from bot.channels.config import TelegramConfig
from bot.channels.platform import Address, Api, Hear, Inbound, check_same, needed, reading
from bot.channels.texts import link, reference, shorten, shown, split, utf16, words
from bot.events import BotSaid, Event, PersonSaid
from bot.settings import Settings

HEADER = "X-Telegram-Bot-Api-Secret-Token"
TEXT, BUTTON, BUTTONS = 4096, 64, 100
FILES = ("photo", "document", "voice", "audio", "video", "video_note", "animation", "sticker", "location", "contact")

Call = tuple[str, dict[str, Any]]


class Telegram:
    name = "telegram"
    answers_itself = False

    def __init__(self, config: TelegramConfig, settings: Settings) -> None:
        token, self._secret = needed(
            "telegram", telegram_bot_token=settings.telegram_bot_token, telegram_secret=settings.telegram_secret
        )
        self._start = config.start
        self._api = Api(f"{config.api}/bot{token}")

    def router(self, hear: Hear) -> APIRouter:
        routes = APIRouter(tags=["channels"])

        @routes.post("/webhooks/telegram/webhook")
        async def update(request: Request) -> dict[str, Any]:
            """An update of the Bot API; set the webhook with `secret_token`."""
            check_same(request.headers.get(HEADER), self._secret, what=f"the token in {HEADER}")
            with reading("Telegram"):
                body = read_json(await request.body())
                said = inbound(body, start=self._start)
            if said:
                await hear(said)
            if query := body.get("callback_query"):  # a request in the response: it ends the button's spinning
                return {"method": "answerCallbackQuery", "callback_query_id": query["id"]}
            return {}

        return routes

    def parts(self, event: Event, to: Address) -> Sequence[Call]:
        if isinstance(event, PersonSaid):
            return [("sendMessage", {**to, "text": text}) for text in _texts(event)]
        return [_to(call, to) for call in _bot(event)] if isinstance(event, BotSaid) else ()

    async def send(self, part: Call) -> None:
        method, body = part
        await self._api.post(method, json=body)

    async def aclose(self) -> None:
        await self._api.aclose()


def inbound(update: Mapping[str, Any], *, start: str) -> Inbound | None:
    """The customer message in an update; None for one that is none (an edit, a join, a poll)."""
    if query := update.get("callback_query"):
        message = query.get("message") or {}
        return _inbound(message, f"q{query['id']}", "", pressed=str(query.get("data") or "")) if message else None
    message = update.get("message") or {}
    if not message or (message.get("from") or {}).get("is_bot"):
        return None
    text = str(message.get("text") or message.get("caption") or "")
    files = tuple({"type": kind, kind: message[kind]} for kind in FILES if kind in message)
    if not text and not files:
        return None
    text = start if text.partition(" ")[0] == "/start" else text
    return _inbound(message, str(message["message_id"]), text, attachments=files)


def _inbound(message: Mapping[str, Any], id_: str, text: str, **more: Any) -> Inbound:
    chat, thread = message["chat"]["id"], message.get("message_thread_id")
    to = {"chat_id": chat, **({"message_thread_id": thread} if thread else {})}
    place = f"telegram:{chat}" + (f":{thread}" if thread else "")
    return Inbound(place, id_, text, to, **more)


def _to(call: Call, to: Address) -> Call:
    return call[0], {**to, **call[1]}


def _texts(said: BotSaid | PersonSaid) -> list[str]:
    return split(words(said), TEXT, size=utf16)


def _bot(said: BotSaid) -> list[Call]:
    calls: list[Call] = [("sendMessage", {"text": text}) for text in _texts(said)]
    if rows := [[_button(said, number)] for number in range(len(shown(said)))][:BUTTONS]:
        calls = calls or [("sendMessage", {"text": "…"})]
        calls[-1][1]["reply_markup"] = {"inline_keyboard": rows}
    if said.image:
        calls.append(("sendPhoto", {"photo": said.image}))
    if isinstance(said.custom, dict):
        body = dict(said.custom)
        calls.append((str(body.pop("method", "sendMessage")), body))
    return calls


def _button(said: BotSaid, number: int) -> dict[str, str]:
    button = shown(said)[number]
    title = shorten(str(button["title"]), BUTTON)
    if url := link(button):
        return {"text": title, "url": url}
    return {"text": title, "callback_data": reference(said, number)}
