"""The HTTP client of a rasa-sdk action server; the only translator to and from its tracker JSON is `bot.tracker`.

The protocol is that of Rasa 3.6 and rasa-sdk 3.6 to 3.21: `POST {next_action, sender_id, tracker, domain, version}`,
answered by `{events, responses}`; 400 means that the action rejects, 404 that there is none of that name, 449 that the
server wants the domain. It goes with every call unless `digest` is set: a server of rasa-sdk 3.6 that got only its
digest would run the action with an empty one. A newer one keeps it, and calls carry little more than the tracker.
"""

from __future__ import annotations

import asyncio
import json
import uuid
import zlib
from collections.abc import Mapping
from typing import Any

import httpx

from bot.breaker import Breaker
from bot.config import ActionsConfig
from bot.conversation import Conversation
from bot.domain import Domain
from bot.events import BotSaid, Event
from bot.rasa_project.endpoints import ActionEndpoint, action_endpoint
from bot.respond import render
from bot.settings import Settings
from bot.tracker import from_rasa, to_tracker
from retrieval.errors import BadInput, NotFound, Unavailable

RASA_VERSION = "3.6.21"
LARGEST = 2_000_000
AGAIN = (502, 503, 504)
WANTS_DOMAIN = 449
PAUSE_S = 0.1
"""Before a call is made again: a server that restarts needs a moment."""


class ActionFailed(Unavailable):
    """A custom action could not be run; the conversation goes to a person with the reason `action_failed`."""

    title = "Action failed"


class ActionRefused(Exception):
    """The action ran and said that it is not the one for this message (HTTP 400)."""


class ActionServer:
    """`timeout` and `connect_timeout` are seconds for one attempt.

    A call that never reached the server, or that a proxy turned away, is tried `retries` more times with the same
    `Idempotency-Key`; one that timed out is not, because the action may have run. After `breaker_failures` failures of
    these kinds in a row calls fail at once for `breaker_pause` seconds. `compress` deflates the bodies.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10.0,
        connect_timeout: float = 2.0,
        retries: int = 1,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        compress: bool = False,
        digest: bool = False,
        breaker_failures: int = 5,
        breaker_pause: float = 30.0,
    ) -> None:
        given = httpx.URL(url)
        if given.scheme not in ("http", "https") or not given.host:
            raise BadInput(f"action server {url!r} is no address; write http://HOST:PORT/webhook")
        self.url = given.copy_with(path="/webhook") if given.path in ("", "/") else given
        self.timeout = timeout
        self.retries = retries
        self.compress = compress
        self.digest = digest
        self._breaker = Breaker(failures=breaker_failures, pause_s=breaker_pause)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout, connect=connect_timeout), headers=headers, params=params
        )

    @classmethod
    def of(cls, settings: Settings, config: ActionsConfig) -> ActionServer | None:
        """The server at DESKHAND_ACTIONS_URL, or that of the project's `endpoints.yml`, whose headers go to no other
        address. None without one: custom actions then fail with the cure."""
        endpoint = action_endpoint(settings.config_dir)
        url = settings.actions_url or (endpoint.url if endpoint else None)
        if not url:
            return None
        own = endpoint if endpoint and endpoint.url == url else ActionEndpoint(url)
        return cls(
            url,
            params=own.params,
            timeout=config.timeout_s,
            connect_timeout=config.connect_timeout_s,
            retries=config.retries,
            headers={**own.headers, **config.headers},
            compress=config.compress,
            digest=config.digest,
            breaker_failures=config.breaker_failures,
            breaker_pause=config.breaker_pause_s,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> ActionServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def healthy(self) -> bool:
        try:
            return (await self._client.get(self.url.copy_with(path="/health"), timeout=2)).is_success
        except httpx.HTTPError:
            return False

    async def names(self) -> list[str]:
        """The actions that the server offers. Raises ActionFailed."""
        try:
            found = (await self._client.get(self.url.copy_with(path="/actions"))).raise_for_status().json()
            return [str(one["name"]) for one in found]
        except (httpx.HTTPError, ValueError, TypeError, KeyError) as error:
            raise ActionFailed(f"action server {self.url} does not list its actions: {error!r}") from error

    async def call(self, name: str, conversation: Conversation, domain: Domain) -> list[Event]:
        """What the action said (`BotSaid`) and then what it did, in its order.

        Raises ActionFailed, naming the cure, and ActionRefused.
        """
        body = {
            "next_action": name,
            "sender_id": conversation.id,
            "tracker": to_tracker(conversation, domain),
            "version": RASA_VERSION,
        }
        own = {"domain_digest": domain.fingerprint} if self.digest else {"domain": domain.raw}
        status, answer = await self._post(name, {**body, **own})
        if status == WANTS_DOMAIN:
            status, answer = await self._post(name, {**body, **own, "domain": domain.raw})
        if status == 400:
            raise ActionRefused(_reason(answer))
        if status == 404:
            raise ActionFailed(f"{self.url} has no action {name!r}; register it there, or remove it from the domain")
        if status != 200:
            raise ActionFailed(
                f"action {name!r} ended with HTTP {status}: {_reason(answer)}; see the action server's log"
            )
        return _understood(name, answer, conversation, domain)

    async def _post(self, name: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if wait := self._breaker.opens_in():
            raise ActionFailed(f"action server {self.url} keeps failing; the next attempt is in {wait:.0f} s")
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        content = json.dumps(body, default=str).encode()
        if self.compress:
            content, headers["Content-Encoding"] = zlib.compress(content), "deflate"
        try:
            status, answer = await self._attempts(name, content, headers)
        except ActionFailed:
            self._breaker.failed()
            raise
        if status in AGAIN:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        return status, answer

    async def _attempts(self, name: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        for left in range(self.retries, -1, -1):
            try:
                status, answer = await self._send(name, content, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.RemoteProtocolError) as error:
                if not left:
                    raise ActionFailed(
                        f"action server {self.url} cannot be reached ({error}); is it running?"
                    ) from error
            except httpx.TimeoutException as error:
                cure = "make the action quicker or raise actions.timeout_s"
                raise ActionFailed(f"action {name!r} took longer than {self.timeout:g} s; {cure}") from error
            except httpx.HTTPError as error:
                raise ActionFailed(f"action {name!r}: {error!r}; see the action server's log") from error
            else:
                if status not in AGAIN or not left:
                    return status, answer
            await asyncio.sleep(PAUSE_S)
        raise AssertionError("the last attempt returns or raises")

    async def _send(self, name: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        async with self._client.stream("POST", self.url, content=content, headers=headers) as response:
            answer = bytearray()
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > LARGEST:
                    raise ActionFailed(f"action {name!r} answered more than {LARGEST:,} bytes; let it return less")
            return response.status_code, bytes(answer)


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode(errors="replace")


def _understood(name: str, answer: bytes, conversation: Conversation, domain: Domain) -> list[Event]:
    try:
        found = json.loads(answer)
    except ValueError as error:
        raise ActionFailed(
            f"action {name!r} answered {answer[:80]!r}, which is not JSON; is that an action server?"
        ) from error
    if not isinstance(found, dict):
        raise ActionFailed(f"action {name!r} answered {type(found).__name__}, not {{events, responses}}")
    events, responses = found.get("events") or [], found.get("responses") or []
    if not all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in (events, responses)):
        raise ActionFailed(f"action {name!r} answered events or responses that are no lists of objects")
    try:
        said: list[Event] = [_said(response, conversation, domain) for response in responses]
        done = [from_rasa(one) for one in events]
    except (BadInput, NotFound) as error:
        raise ActionFailed(f"action {name!r}: {error}") from error
    return [*(one for one in said), *done]


def _said(response: dict[str, Any], conversation: Conversation, domain: Domain) -> BotSaid:
    """One of the `responses`: a domain response by name with what the action adds, or its own text."""
    name = response.get("response") or response.get("template")
    own = {key: value for key, value in response.items() if value}
    base = render(str(name), conversation, domain, extra=response) if name else BotSaid()
    buttons = own.get("buttons") or []
    if not isinstance(buttons, list) or not all(isinstance(button, dict) for button in buttons):
        raise BadInput(f"buttons must be a list of {{title, payload}}, found {buttons!r}")
    return BotSaid(
        text=str(own["text"]) if "text" in own else base.text,
        buttons=(*base.buttons, *buttons),
        image=own.get("image") or base.image,
        attachment=own.get("attachment")
        or base.attachment
        or ({"elements": own["elements"]} if "elements" in own else None),
        custom=own.get("custom") or base.custom,
        source="action",
        response=base.response,
    )
