"""The door of the widget: who may embed it, for which conversation a visitor may speak, and how often."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from bot.config import WidgetConfig
from bot.widget.tokens import RENEWABLE_S, Session, Tokens
from retrieval.errors import DeskhandError, NotAllowed, NotFound


class TooMany(DeskhandError):
    status = 429
    title = "Too many requests"


class Door:
    """Lets visitors in: origin, token, and rate. Rates are counted in this process."""

    def __init__(self, config: WidgetConfig, tokens: Tokens) -> None:
        self.config = config
        self._tokens = tokens
        self._rates = MovingWindowRateLimiter(MemoryStorage())
        self._messages = parse(f"{config.messages_per_minute}/minute")
        self._sessions = parse(f"{config.sessions_per_minute}/minute")

    async def open(self, connection: HTTPConnection, site_key: str, old_token: str | None) -> tuple[str, Session]:
        """A token for the conversation of `old_token` when that is ours, else for a new one."""
        if site_key != self.config.site_key:
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
        return session.conversation if session.site == self.config.site_key else None

    def admit(self, connection: HTTPConnection, token: str) -> Session:
        """Raises NotAllowed unless the origin may embed the widget and the token is good."""
        self.check_origin(connection)
        session = self._tokens.read(token)
        if session.site != self.config.site_key:
            raise NotAllowed(f"this session token belongs to the site {session.site!r}")
        return session

    def check_origin(self, connection: HTTPConnection) -> None:
        origin = connection.headers.get("origin")
        if origin is None or "*" in self.config.origins or origin in self.config.origins:
            return  # without an origin it is no browser, and the token alone decides
        if urlsplit(origin).netloc != connection.headers.get("host"):
            raise NotAllowed(f"the site {origin} may not embed this widget; add it to channels.widget.origins")

    async def count_message(self, session: Session) -> None:
        await self._count("messages", self._messages, session.conversation)

    async def _count(self, what: str, rate: RateLimitItem, who: str) -> None:
        if not await self._rates.hit(rate, what, who):
            raise TooMany(f"there were more than {rate.amount} {what} in a minute; wait a moment and try again")
