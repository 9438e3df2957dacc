"""Chatwoot agent bot: its events come to `/webhooks/chatwoot/webhook`, replies go out through the Application API.

Chatwoot's `pending` means that the bot has the conversation. A hand-off leaves a private note for the agents and sets
the conversation to `open`. What agents write there is heard, so that it can be learned from; pending again is back to
the bot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request

from bot.body_limit import read_json
from bot.channels.config import ChatwootConfig
from bot.channels.platform import Address, Api, Hear, Inbound, check_fresh, check_hmac, check_same, needed, reading
from bot.channels.texts import reference, shown, split, words
from bot.conversation import Mode
from bot.events import BotSaid, Event, HandedOff, PersonSaid
from bot.handoff import Desk
from bot.settings import Settings
from retrieval.errors import NotFound

STAMP, SIGNATURE = "X-Chatwoot-Timestamp", "X-Chatwoot-Signature"
TEXT = 150_000
MOVED: dict[str, Mode] = {"conversation_resolved": "closed", "conversation_opened": "person"}


class Chatwoot:
    name = "chatwoot"
    answers_itself = False

    def __init__(self, config: ChatwootConfig, settings: Settings, desk: Desk) -> None:
        token, self._secret = needed(
            "chatwoot", chatwoot_token=settings.chatwoot_token, chatwoot_secret=settings.chatwoot_secret
        )
        self._desk = desk
        self._api = Api(f"{config.api}/api/v1", api_access_token=token)

    def router(self, hear: Hear) -> APIRouter:
        routes = APIRouter(tags=["channels"])

        @routes.post("/webhooks/chatwoot/webhook")
        async def event(request: Request) -> dict[str, Any]:
            """The Webhook URL of the agent bot."""
            body = await request.body()
            self._check(request, body)
            with reading("Chatwoot"):
                data = read_json(body)
                said, overheard = inbound(data), agent(data)
            if said:
                await self._agree(said.conversation, data["conversation"])
                await hear(said)
            elif overheard:
                await self._overhear(*overheard)
            elif mode := MOVED.get(str(data.get("event"))):
                await self._desk.settle(_place(data, data), mode, person=assignee(data))
            return {}

        return routes

    async def _overhear(self, conversation: str, said: PersonSaid) -> None:
        with suppress(NotFound):  # agents also write where no customer has spoken to us
            await self._desk.overheard(conversation, said)

    def _check(self, request: Request, body: bytes) -> None:
        """Chatwoot signs since 4.x; before, `?token=` in the Webhook URL has to be the secret."""
        if given := request.headers.get(SIGNATURE):
            stamp = request.headers.get(STAMP, "")
            check_fresh(stamp, header=STAMP)
            check_hmac(given, self._secret, stamp.encode() + b"." + body, header=SIGNATURE)
        else:
            check_same(request.query_params.get("token"), self._secret, what=f"neither {SIGNATURE} nor ?token=")

    async def _agree(self, place: str, conversation: Mapping[str, Any]) -> None:
        """Who has the conversation is decided over there."""
        if conversation.get("status") == "open":
            await self._desk.settle(place, "person", person=assignee(conversation), begin=True)
        elif conversation.get("status") == "pending":
            await self._desk.settle(place, "bot")

    def parts(self, event: Event, to: Address) -> Sequence[tuple[str, dict[str, Any]]]:
        place = f"accounts/{to['account']}/conversations/{to['conversation']}"
        match event:
            case BotSaid():
                return [(f"{place}/messages", body) for body in _bot(event)]
            case PersonSaid():
                return [(f"{place}/messages", _message(text)) for text in split(words(event), TEXT)]
            case HandedOff(reason=reason):
                note = {**_message(f"Deskhand hands over ({reason}). {event.note}".strip()), "private": True}
                return [(f"{place}/messages", note), (f"{place}/toggle_status", {"status": "open"})]
            case _:
                return ()

    async def send(self, part: tuple[str, dict[str, Any]]) -> None:
        path, body = part
        await self._api.post(path, json=body)

    async def aclose(self) -> None:
        await self._api.aclose()


def inbound(data: Mapping[str, Any]) -> Inbound | None:
    """The customer's message, or the choice they made among the options of a bot's message."""
    conversation, account = data.get("conversation") or {}, (data.get("account") or {}).get("id")
    to = {"account": account, "conversation": conversation.get("id")}
    if data.get("event") == "message_created" and _kind(data) == "incoming" and not data.get("private"):
        files = tuple(
            {"type": file.get("file_type"), "url": file.get("data_url")} for file in data.get("attachments") or ()
        )
        return Inbound(_place(data, conversation), str(data["id"]), data.get("content") or "", to, attachments=files)
    chosen = (data.get("content_attributes") or {}).get("submitted_values")
    if data.get("event") == "message_updated" and isinstance(chosen, list) and chosen and "value" in chosen[0]:
        ref, title = str(chosen[0]["value"]), str(chosen[0].get("title") or "")
        return Inbound(_place(data, conversation), f"{data['id']}-choice", title, to, pressed=ref)
    return None


def agent(data: Mapping[str, Any]) -> tuple[str, PersonSaid] | None:
    """What an agent wrote to the customer over there: (conversation, event)."""
    sender = data.get("sender") or {}
    public = data.get("event") == "message_created" and _kind(data) == "outgoing" and not data.get("private")
    if not public or sender.get("type") != "user" or not data.get("content"):
        return None
    person = str(sender.get("available_name") or sender.get("name") or "agent")
    said = PersonSaid(text=data["content"], person=person, message_id=f"chatwoot-{data['id']}", channel=Chatwoot.name)
    return _place(data, data.get("conversation") or {}), said


def assignee(conversation: Mapping[str, Any]) -> str:
    person = (conversation.get("meta") or {}).get("assignee") or {}
    return str(person.get("available_name") or person.get("name") or "an agent")


def _kind(data: Mapping[str, Any]) -> str:
    """Older versions send numbers."""
    kind = data.get("message_type")
    return {0: "incoming", 1: "outgoing"}.get(kind, "") if isinstance(kind, int) else str(kind)


def _place(data: Mapping[str, Any], conversation: Mapping[str, Any]) -> str:
    account = (data.get("account") or {}).get("id")
    if account is None:  # a conversation's own events name it only in their messages
        account = next((one.get("account_id") for one in conversation.get("messages") or ()), "")
    return f"chatwoot:{account}:{conversation.get('id')}"


def _message(text: str) -> dict[str, Any]:
    return {"content": text, "message_type": "outgoing", "private": False}


def _bot(said: BotSaid) -> list[dict[str, Any]]:
    bodies = [_message(text) for text in split(words(said), TEXT)]
    if buttons := shown(said):
        items = [{"title": str(one["title"]), "value": reference(said, number)} for number, one in enumerate(buttons)]
        last = bodies.pop() if bodies else _message("…")
        bodies.append({**last, "content_type": "input_select", "content_attributes": {"items": items}})
    if said.image:
        bodies.append(_message(said.image))
    if isinstance(said.custom, dict):
        bodies.append({**_message(said.text or ""), **said.custom})
    return bodies
