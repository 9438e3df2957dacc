"""What the channels of other people's platforms have in common: what comes in, what goes out, and how that fails."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from fastapi import APIRouter
from pydantic import SecretStr

from bot.events import Event
from bot.manager import Replies
from retrieval.errors import BadInput, DeskhandError, NotAllowed

Address = Mapping[str, Any]
"""Where a platform's replies go; kept as `to` in the metadata of each customer message."""

PATIENCE_S = 10.0
STALE_S = 300.0
"""A signed request older than this may be a recorded one that is played again."""


class Refused(DeskhandError):
    """The platform will never take this message: the chat is gone, the customer has blocked us, a text is forbidden."""

    status = 502
    title = "Refused by the platform"


class Later(DeskhandError):
    """The platform cannot take it now. `after_s` is what it asked for, if it did."""

    status = 502
    title = "The platform is not there"

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


@dataclass(frozen=True)
class Inbound:
    """A customer message as a platform brings it. `id` is the platform's own: it is the same when it tries again.

    `pressed` is the reference of a button (see `reference` in texts.py); `text` is then what the customer saw.
    `begins`: false for a message that is meant for us only when its conversation is there already.
    """

    conversation: str
    id: str
    text: str
    to: Address
    pressed: str = ""
    attachments: tuple[dict[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    begins: bool = True


Hear = Callable[[Inbound], Awaitable[Replies | None]]
"""A turn with this message, None when it is not for us; see hearing.py."""


class Channel(Protocol):
    """A platform. `answers_itself` says that replies travel in the response to the platform's request, so that only
    what is said later has to be sent."""

    name: str
    answers_itself: bool

    def router(self, hear: Hear) -> APIRouter: ...

    def parts(self, event: Event, to: Address) -> Sequence[Any]:
        """What has to be sent for one event, in order; each part is sent once it has been taken. Pure."""
        ...

    async def send(self, part: Any) -> None:
        """Raises Refused or Later."""
        ...

    async def aclose(self) -> None: ...


class Api:
    """A platform's HTTP API. 429, 5xx and silence mean later; so does 401, as a token can be mended; else refused."""

    def __init__(self, base: str, **headers: str) -> None:
        self._client = httpx.AsyncClient(base_url=base.rstrip("/") + "/", headers=headers, timeout=PATIENCE_S)

    async def post(self, path: str, **what: Any) -> Any:
        """`what` as for httpx: json, data, auth. The JSON of the answer, {} when it is none."""
        try:
            answer = await self._client.post(path.lstrip("/"), **what)
        except httpx.HTTPError as error:
            raise Later(f"{type(error).__name__}: {error}") from error
        if answer.is_success:
            return _json(answer)
        said = f"HTTP {answer.status_code}: {answer.text[:300]}"
        if answer.status_code in (401, 408, 425, 429) or answer.status_code >= 500:
            raise Later(said, after_s=seconds(answer.headers.get("retry-after")))
        raise Refused(said)

    async def aclose(self) -> None:
        await self._client.aclose()


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return {}


def seconds(header: str | None) -> float | None:
    try:
        return min(max(float(header or ""), 0.0), 3600.0)
    except ValueError:
        return None


def needed(channel: str, **secrets: SecretStr | None) -> list[str]:
    """The values of these settings. Raises BadInput naming the variables that are missing."""
    if missing := [f"DESKHAND_{name.upper()}" for name, value in secrets.items() if value is None]:
        raise BadInput(f"channels.{channel} is enabled and needs {' and '.join(missing)} in the environment")
    return [value.get_secret_value() for value in secrets.values() if value is not None]


@contextmanager
def reading(platform: str) -> Iterator[None]:
    """A payload that is not as its platform documents it is the sender's mistake, and says which part."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise BadInput(f"this is no payload of {platform}: {type(error).__name__} {error}") from error


def check_hmac(given: str | None, secret: str, body: bytes, *, header: str, algorithm: str = "sha256") -> None:
    """`given` is the hexadecimal HMAC of `body`, with or without `sha256=` before it. Raises NotAllowed."""
    wanted = hmac.new(secret.encode(), body, algorithm).hexdigest()
    sent = (given or "").removeprefix(f"{algorithm}=").strip().lower()
    if not hmac.compare_digest(sent.encode(), wanted.encode()):
        raise NotAllowed(f"the signature in {header} does not fit the body; see that both sides have the same secret")


def check_same(given: str | None, secret: str, *, what: str) -> None:
    if not hmac.compare_digest((given or "").encode(), secret.encode()):
        raise NotAllowed(f"{what} is not the one in our settings; see that both sides have the same secret")


def check_fresh(stamp: str | None, *, header: str) -> None:
    """`stamp` is in seconds since the epoch. Raises NotAllowed when it is not within five minutes of now."""
    try:
        age = abs(time.time() - float(stamp or ""))
    except ValueError:
        age = float("inf")
    if not age <= STALE_S:
        raise NotAllowed(f"the time in {header} is {stamp!r}, more than {STALE_S:.0f} s from ours; check both clocks")


def short_hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
