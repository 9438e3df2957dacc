"""The door of the widget: which pages may embed it, for which visitor a request speaks, and how often."""

from __future__ import annotations

import hmac
import json
import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.requests import HTTPConnection

from bot.config import RatesConfig, SiteConfig, WidgetConfig
from bot.stores.rates import Hit, Rates
from bot.widget.tokens import RENEWABLE_S, Session, Tokens, User, new_visitor
from retrieval.errors import NotAllowed, NotFound

MOST_TRAITS = 2000
"""Characters of JSON: traits travel in the token, and the token in a header."""


class Claim(BaseModel):
    """What the page says about its visitor. `hmac` is the site's proof that the id is true."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=255)
    traits: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    hmac: str = Field(default="", max_length=128)

    @field_validator("traits")
    @classmethod
    def _short(cls, traits: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(traits)) > MOST_TRAITS:
            raise ValueError(f"traits are longer than {MOST_TRAITS} characters of JSON; send fewer")
        return traits


class Door:
    def __init__(self, config: WidgetConfig, rates: RatesConfig, tokens: Tokens, counter: Rates) -> None:
        self.config = config
        self._rates = rates
        self._tokens = tokens
        self._counter = counter

    def site(self, key: str) -> SiteConfig:
        if key not in self.config.sites:
            raise NotFound(f"no site has the key {key!r}; copy the snippet with data-site-key from the settings")
        return self.config.sites[key]

    async def open(
        self, connection: HTTPConnection, site_key: str, old_token: str | None, user: Claim | None = None
    ) -> tuple[str, Session]:
        """A token for the user whom the site vouches for, else for the visitor of `old_token` when that is ours, else
        for a new visitor. Raises NotAllowed for a foreign page or a wrong proof."""
        self.site(site_key)
        self._check_origin(connection, site_key)
        address = _address(connection)
        await self._counter.count(Hit("new sessions from one address", "sessions", self._rates.sessions, address))
        if user is not None:
            known = self._verified(site_key, user)
            return self._tokens.issue(site_key, self._tokens.visitor_of(site_key, known.id), known)
        earlier = self._earlier(site_key, old_token)
        return self._tokens.issue(site_key, *((earlier.visitor, earlier.user) if earlier else (new_visitor(),)))

    def _verified(self, site: str, claim: Claim) -> User:
        if not hmac.compare_digest(claim.hmac.encode(), self._tokens.proof(site, claim.id).encode()):
            raise NotAllowed(
                f"the hmac does not fit the user id {claim.id!r}; it is hex HMAC-SHA256 of the id with the secret that "
                f"`deskhand sites secret {site}` prints, made on your server"
            )
        return User(claim.id, claim.traits)

    def _earlier(self, site: str, token: str | None) -> Session | None:
        try:
            session = self._tokens.read(token or "", grace_s=RENEWABLE_S)
        except NotAllowed:
            return None
        return session if session.site == site else None

    def admit(self, connection: HTTPConnection, token: str) -> Session:
        """Raises NotAllowed unless the token is good and the page is one of the site that it was made for."""
        session = self._tokens.read(token)
        if session.site not in self.config.sites:
            raise NotAllowed(f"the site {session.site!r} of this session token is gone; get a new one")
        self._check_origin(connection, session.site)
        return session

    def _check_origin(self, connection: HTTPConnection, site: str) -> None:
        origin = connection.headers.get("origin")
        if origin is None or any(fits(origin, allowed) for allowed in self.config.sites[site].origins):
            return  # without an origin it is no browser, and the token alone decides
        if urlsplit(origin).netloc != connection.headers.get("host"):
            raise NotAllowed(
                f"pages of {origin} may not embed the site {site!r}; add them to channels.widget.sites.{site}.origins"
            )

    async def count_message(self, connection: HTTPConnection, session: Session) -> None:
        """Raises TooMany when the visitor, their address or the whole site has sent too much."""
        await self._counter.count(
            Hit("messages of one visitor", "visitor", self._rates.visitor, session.visitor),
            Hit("messages from one address", "address", self._rates.address, _address(connection)),
            Hit("messages on one site", "site", self._rates.site, session.site),
        )


def fits(origin: str, allowed: str) -> bool:
    """`allowed` is "*", an origin, or one with any subdomain: https://*.shop.example."""
    if "*" not in allowed or allowed == "*":
        return allowed in ("*", origin)
    return re.fullmatch(re.escape(allowed).replace(r"\*", r"[a-z0-9.-]+"), origin) is not None


def frame_ancestors(site: SiteConfig) -> str:
    """The directive of Content-Security-Policy for pages of ours that a site may frame."""
    return " ".join(("frame-ancestors 'self'", *site.origins))


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "?"
