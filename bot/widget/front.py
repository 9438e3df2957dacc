"""The front door of the widget: how the desk introduces itself, who may embed it, how much a visitor may send."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from bot.widget.tokens import RENEWABLE_S, Session, Tokens
from retrieval.errors import BadInput, DeskhandError, NotAllowed, NotFound


class TooMany(DeskhandError):
    status = 429
    title = "Too many requests"


@dataclass(frozen=True)
class Front:
    """`greeting` is the first message and says that it is a bot; `starters` are offered as replies to it."""

    site_key: str = "demo"
    name: str = "Customer service"
    greeting: str = (
        "Hi! I am an automated assistant. Ask me anything about your order, or about us. "
        "You can talk to a person at any time."
    )
    starters: tuple[str, ...] = ()
    origins: tuple[str, ...] = ("*",)
    message_chars: int = 4000
    body_bytes: int = 65_536
    messages_per_minute: int = 30
    sessions_per_minute: int = 60


class Door:
    """Lets visitors in: origin, token, and rate. Rates are counted in this process."""

    def __init__(self, front: Front, tokens: Tokens) -> None:
        self.front = front
        self._tokens = tokens
        self._rates = MovingWindowRateLimiter(MemoryStorage())
        self._messages = parse(f"{front.messages_per_minute}/minute")
        self._sessions = parse(f"{front.sessions_per_minute}/minute")

    async def open(self, connection: HTTPConnection, site_key: str, old_token: str | None) -> tuple[str, Session]:
        """A token for the conversation of `old_token` when that is ours, else for a new one."""
        if site_key != self.front.site_key:
            raise NotFound(f"no site has the key {site_key!r}; copy the snippet with data-site-key from the settings")
        self.check_origin(connection)
        address = connection.client.host if connection.client else "?"
        await self._count("sessions", self._sessions, address)
        return self._tokens.issue(site_key, self._earlier(old_token) or f"w-{secrets.token_urlsafe(18)}")

    def _earlier(self, token: str | None) -> str | None:
        try:
            session = self._tokens.read(token or "", grace_s=RENEWABLE_S)
        except NotAllowed:
            return None
        return session.conversation if session.site == self.front.site_key else None

    def admit(self, connection: HTTPConnection, token: str) -> Session:
        """Raises NotAllowed unless the origin may embed the widget and the token is good."""
        self.check_origin(connection)
        session = self._tokens.read(token)
        if session.site != self.front.site_key:
            raise NotAllowed(f"this session token belongs to the site {session.site!r}")
        return session

    def check_origin(self, connection: HTTPConnection) -> None:
        origin = connection.headers.get("origin")
        if origin is None or "*" in self.front.origins or origin in self.front.origins:
            return  # without an origin it is no browser, and the token alone decides
        if urlsplit(origin).netloc != connection.headers.get("host"):
            raise NotAllowed(f"the site {origin} may not embed this widget; add it to channels.widget.origins")

    async def count_message(self, session: Session) -> None:
        await self._count("messages", self._messages, session.conversation)

    def check_text(self, text: str) -> None:
        limit = self.front.message_chars
        if not text.strip():
            raise BadInput("the message is empty; write something")
        if len(text) > limit:
            raise BadInput(f"the message has {len(text):,} characters and the limit is {limit:,}; send it in parts")

    async def _count(self, what: str, rate: object, who: str) -> None:
        if not await self._rates.hit(rate, what, who):  # type: ignore[arg-type]
            raise TooMany(f"more than {rate} of your {what}; wait a moment and try again")
