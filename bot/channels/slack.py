"""Slack: the Events API and buttons come to `/webhooks/slack/webhook`, replies go out with `chat.postMessage`.

A direct message is one conversation; in a channel each thread that begins by naming the bot is one.
Limits: a section has 3000 characters, an actions block 25 buttons, a button's label 75 characters; Slack wants its
answer within three seconds and tries three more times, which the message's own id (its `ts`) makes harmless.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request

from bot.body_limit import read_json
from bot.channels.config import SlackConfig
from bot.channels.platform import Address, Api, Hear, Inbound, Later, Refused, check_fresh, check_hmac, needed, reading
from bot.channels.texts import link, reference, shorten, shown, split, words
from bot.events import BotSaid, Event, PersonSaid
from bot.settings import Settings

STAMP, SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"
TEXT, LABEL, BUTTONS, BLOCKS = 3000, 75, 25, 50
PASSING = ("ratelimited", "rate_limited", "service_unavailable", "internal_error", "fatal_error", "request_timeout")
MENDABLE = ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope")
MENTION = re.compile(r"<@[A-Z0-9]+(\|[^>]*)?>")
LINK = re.compile(r"<(?:(?:mailto|tel):)?([^>|!#@][^>|]*)(?:\|([^>]*))?>")


class Slack:
    name = "slack"
    answers_itself = False

    def __init__(self, config: SlackConfig, settings: Settings) -> None:
        self._secret, token = needed(
            "slack", slack_signing_secret=settings.slack_signing_secret, slack_bot_token=settings.slack_bot_token
        )
        self._api = Api(config.api, authorization=f"Bearer {token}")

    def router(self, hear: Hear) -> APIRouter:
        routes = APIRouter(tags=["channels"])

        @routes.post("/webhooks/slack/webhook")
        async def event(request: Request) -> dict[str, Any]:
            """The Request URL of Event Subscriptions and of Interactivity."""
            body = await request.body()
            self._check(request, body)
            form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
            with reading("Slack"):
                data = read_json(parse_qs(body.decode())["payload"][0] if form else body)
                if data.get("type") == "url_verification":
                    return {"challenge": data["challenge"]}
                said = inbound(data)
            if said:
                await hear(said)
            return {}

        return routes

    def _check(self, request: Request, body: bytes) -> None:
        stamp = request.headers.get(STAMP, "")
        check_fresh(stamp, header=STAMP)
        given = request.headers.get(SIGNATURE, "").removeprefix("v0=")
        check_hmac(given, self._secret, b"v0:" + stamp.encode() + b":" + body, header=SIGNATURE)

    def parts(self, event: Event, to: Address) -> Sequence[dict[str, Any]]:
        if isinstance(event, PersonSaid):
            return [{**to, "text": escape(text)} for text in split(words(event), TEXT)]
        return [{**to, **body} for body in _bot(event)] if isinstance(event, BotSaid) else ()

    async def send(self, part: dict[str, Any]) -> None:
        answer = await self._api.post("chat.postMessage", json=part)
        if not answer.get("ok"):
            error = str(answer.get("error") or answer)
            if error in PASSING or error in MENDABLE:
                raise Later(f"chat.postMessage: {error}")
            raise Refused(f"chat.postMessage: {error}")

    async def aclose(self) -> None:
        await self._api.aclose()


def inbound(data: Mapping[str, Any]) -> Inbound | None:
    """The customer message in what Slack sends; None for all that is none: edits, joins, what bots say."""
    if data.get("type") == "block_actions":
        return _pressed(data)
    event = data.get("event") or {}
    team = str(data.get("team_id") or "")
    if event.get("bot_id") or event.get("subtype") not in (None, "file_share") or "user" not in event:
        return None
    direct, named = event.get("channel_type") == "im", event.get("type") == "app_mention"
    if not (direct or named or event.get("thread_ts")):
        return None
    files = tuple(
        {"type": "file", "name": file.get("name"), "url": file.get("url_private")} for file in event.get("files") or ()
    )
    thread = event.get("thread_ts") if direct else event.get("thread_ts") or event["ts"]
    text, id_ = plain(event.get("text") or ""), str(event["ts"])
    return _inbound(team, event["channel"], thread, id_, text, attachments=files, begins=direct or named)


def _pressed(data: Mapping[str, Any]) -> Inbound | None:
    action = (data.get("actions") or [{}])[0]
    if not action.get("value"):
        return None  # a button that leads to a page
    team, container = str((data.get("team") or {}).get("id") or ""), data.get("container") or {}
    thread = container.get("thread_ts") or (data.get("message") or {}).get("thread_ts")
    channel = (data.get("channel") or {}).get("id") or container["channel_id"]
    title = str((action.get("text") or {}).get("text") or "")
    return _inbound(team, channel, thread, f"p{action['action_ts']}", title, pressed=str(action["value"]))


def _inbound(team: str, channel: str, thread: str | None, id_: str, text: str, **more: Any) -> Inbound:
    to = {"channel": channel, **({"thread_ts": thread} if thread else {})}
    place = ":".join(part for part in ("slack", team, channel, thread) if part)
    return Inbound(place, id_, text, to, **more)


def plain(text: str) -> str:
    """Slack's markup as the customer wrote it: no mention of the bot, links as addresses, `&amp;` as `&`."""
    text = LINK.sub(lambda m: m[2] or m[1], MENTION.sub("", text))
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _bot(said: BotSaid) -> list[dict[str, Any]]:
    bodies: list[dict[str, Any]] = [{"text": escape(text)} for text in split(words(said), TEXT // 2)]
    if shown(said):
        last = bodies.pop() if bodies else {"text": "…"}
        section = {"type": "section", "text": {"type": "mrkdwn", "text": last["text"]}}
        bodies.append({**last, "blocks": [section, *_actions(said)]})
    if said.image:
        block = {"type": "image", "image_url": said.image, "alt_text": shorten(said.text or "image", 2000)}
        bodies.append({"text": said.image, "blocks": [block]})
    if isinstance(said.custom, dict):
        bodies.append(dict(said.custom))
    return bodies


def _actions(said: BotSaid) -> list[dict[str, Any]]:
    buttons = [_button(said, number) for number in range(len(shown(said)))]
    groups = [buttons[start : start + BUTTONS] for start in range(0, len(buttons), BUTTONS)]
    return [{"type": "actions", "elements": group} for group in groups][: BLOCKS - 1]


def _button(said: BotSaid, number: int) -> dict[str, Any]:
    button = shown(said)[number]
    label = {"type": "plain_text", "text": shorten(str(button["title"]), LABEL), "emoji": True}
    made = {"type": "button", "text": label, "action_id": f"choice-{number}"}
    return {**made, "url": url} if (url := link(button)) else {**made, "value": reference(said, number)}
