"""Session tokens of the widget: signed, short-lived, bound to one site and one visitor.

A visitor owns the conversation `w-{visitor}` and its further threads `w-{visitor}.{thread}`; the 24 characters of a
visitor hold no dot, so that no name of a thread reaches another visitor.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from bot.auth import kept_secret
from bot.config import WidgetConfig
from bot.conversation import WIDGET
from bot.settings import Settings
from retrieval.errors import NotAllowed

RENEWABLE_S = 30 * 24 * 3600.0
"""A visitor who comes back within this time finds the old conversation; the token itself has long run out."""

VISITOR_BYTES = 18


@dataclass(frozen=True)
class User:
    """Somebody whom the site has vouched for: its own id of the person, and what it told us about them."""

    id: str
    traits: dict[str, Any]


@dataclass(frozen=True)
class Session:
    """Whom a token speaks for. `expires_at` is in seconds since the epoch."""

    site: str
    visitor: str
    expires_at: float
    user: User | None = None

    @property
    def conversation(self) -> str:
        return f"{WIDGET}{self.visitor}"

    def thread(self, name: str) -> str:
        """The conversation of a further thread; "" is the first."""
        return f"{self.conversation}.{name}" if name else self.conversation

    def owns(self, conversation_id: str) -> bool:
        return conversation_id == self.conversation or conversation_id.startswith(f"{self.conversation}.")


class Tokens:
    """The secret signs the tokens and, for each site, makes the secret with which the site vouches for its users."""

    def __init__(self, secret: str, *, minutes: float) -> None:
        self._secret = secret.encode()
        self._seconds = minutes * 60

    def issue(self, site: str, visitor: str, user: User | None = None) -> tuple[str, Session]:
        session = Session(site, visitor, time.time() + self._seconds, user)
        who = [user.id, user.traits] if user else None
        body = _pack(json.dumps([site, visitor, session.expires_at, who], separators=(",", ":")).encode())
        return f"{body}.{self._sign(body)}", session

    def read(self, token: str, *, grace_s: float = 0.0) -> Session:
        """Raises NotAllowed when the token was not issued here, was altered, or ran out more than `grace_s` ago."""
        body, _, signature = token.partition(".")
        if not token.isascii() or not hmac.compare_digest(signature, self._sign(body)):
            raise NotAllowed("this session token was not issued here; get a new one from POST /widget/session")
        content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if len(content) != 4:
            raise NotAllowed("this session token is of an older release; get a new one from POST /widget/session")
        site, visitor, expires_at, who = content
        if expires_at + grace_s < time.time():
            raise NotAllowed("this session token has run out; get a new one from POST /widget/session")
        return Session(site, visitor, expires_at, User(*who) if who else None)

    def identity_secret(self, site: str) -> str:
        """What a site signs the ids of its users with; `deskhand sites secret SITE` prints it."""
        return self._digest(f"identity:{site}").hex()

    def proof(self, site: str, user_id: str) -> str:
        """`setUser(id, traits, hmac)`: hex HMAC-SHA256 of the id with the site's identity secret."""
        return hmac.new(self.identity_secret(site).encode(), user_id.encode(), hashlib.sha256).hexdigest()

    def visitor_of(self, site: str, user_id: str) -> str:
        """The same visitor on every device; nobody without our secret can name it."""
        return _pack(self._digest(f"visitor:{json.dumps([site, user_id])}")[:VISITOR_BYTES])

    def _sign(self, body: str) -> str:
        return _pack(self._digest(f"token:{body}"))

    def _digest(self, text: str) -> bytes:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).digest()


def site_tokens(settings: Settings, config: WidgetConfig) -> Tokens:
    """With the secret in the data directory, made when there is none; deleting that file voids every token."""
    return Tokens(kept_secret(settings.data_dir / "widget-secret"), minutes=config.session_minutes)


def new_visitor() -> str:
    """144 random bits."""
    return secrets.token_urlsafe(VISITOR_BYTES)


def _pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
