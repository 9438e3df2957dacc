"""Twilio (SMS, WhatsApp by Twilio): `/webhooks/twilio/webhook` in; out as TwiML in the response, or by the REST API.

A message has at most 1600 characters and no buttons: choices are numbered, and answered with a number.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from fastapi import APIRouter, Request, Response

from bot.channels.config import TwilioConfig
from bot.channels.platform import Address, Api, Hear, Inbound, needed, reading
from bot.channels.texts import split, with_numbers, words
from bot.events import BotSaid, Event, PersonSaid
from bot.settings import Settings
from retrieval.errors import NotAllowed

SIGNATURE = "X-Twilio-Signature"
TEXT = 1600

Message = dict[str, str]


class Twilio:
    name = "twilio"

    def __init__(self, config: TwilioConfig, settings: Settings) -> None:
        (self._token,) = needed("twilio", twilio_auth_token=settings.twilio_auth_token)
        self.answers_itself = config.replies == "twiml"
        self._account = config.account_sid
        self._public_url = config.public_url
        self._api = Api(config.api)

    def router(self, hear: Hear) -> APIRouter:
        routes = APIRouter(tags=["channels"])

        @routes.post("/webhooks/twilio/webhook")
        async def message(request: Request) -> Response:
            """The webhook of a number or sender, "when a message comes in", by POST."""
            form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
            self._check(request, form)
            with reading("Twilio"):
                said = inbound(form)
            replies = await hear(said)
            events = replies.messages if self.answers_itself and replies else ()
            return Response(twiml([one for event in events for one in _messages(event)]), media_type="application/xml")

        return routes

    def _check(self, request: Request, form: Mapping[str, str]) -> None:
        url = str(request.url)
        if self._public_url:
            query = f"?{request.url.query}" if request.url.query else ""
            url = f"{self._public_url}{request.url.path}{query}"
        if not hmac.compare_digest(sign(url, form, self._token), request.headers.get(SIGNATURE, "")):
            raise NotAllowed(
                f"{SIGNATURE} does not fit {url} and the form; set channels.twilio.public_url to the address that "
                "Twilio calls, and DESKHAND_TWILIO_AUTH_TOKEN to the account's token"
            )

    def parts(self, event: Event, to: Address) -> Sequence[Message]:
        return [{**to, **message} for message in _messages(event)]

    async def send(self, part: Message) -> None:
        path = f"Accounts/{self._account}/Messages.json"
        await self._api.post(path, data=part, auth=(self._account, self._token))

    async def aclose(self) -> None:
        await self._api.aclose()


def sign(url: str, form: Mapping[str, str], token: str) -> str:
    """As Twilio documents it: the URL, then every name and value in the order of the names; HMAC-SHA1, base64."""
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def inbound(form: Mapping[str, str]) -> Inbound:
    count = int(form["NumMedia"]) if form.get("NumMedia", "").isdigit() else 0
    media: tuple[dict[str, Any], ...] = tuple(
        {"type": form.get(f"MediaContentType{n}", "file"), "url": form.get(f"MediaUrl{n}", "")} for n in range(count)
    )
    to = {"To": form["From"], "From": form["To"]}
    text = form.get("ButtonText") or form.get("Body", "")
    return Inbound(f"twilio:{form['To']}:{form['From']}", form["MessageSid"], text, to, attachments=media)


def _messages(event: Event) -> list[Message]:
    if isinstance(event, PersonSaid):
        return [{"Body": text} for text in split(words(event), TEXT)]
    if not isinstance(event, BotSaid):
        return []
    messages = [{"Body": text} for text in split(with_numbers(event), TEXT)]
    return [*messages, {"MediaUrl": event.image}] if event.image else messages


def twiml(messages: Sequence[Message]) -> bytes:
    root = ElementTree.Element("Response")
    for message in messages:
        node = ElementTree.SubElement(root, "Message")
        for name, value in message.items():
            ElementTree.SubElement(node, "Media" if name == "MediaUrl" else name).text = value
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
