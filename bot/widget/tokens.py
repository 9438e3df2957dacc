"""Session tokens of the widget: signed, short-lived, bound to one site and one conversation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from retrieval.errors import NotAllowed

RENEWABLE_S = 30 * 24 * 3600.0
"""A visitor who comes back within this time finds the old conversation; the token itself has long run out."""


@dataclass(frozen=True)
class Session:
    """Who a token speaks for. `expires_at` is in seconds since the epoch."""

    site: str
    conversation: str
    expires_at: float


class Tokens:
    def __init__(self, secret: str, *, hours: float) -> None:
        self._secret = secret.encode()
        self._seconds = hours * 3600

    def issue(self, site: str, conversation: str) -> tuple[str, Session]:
        session = Session(site, conversation, time.time() + self._seconds)
        body = _pack(json.dumps([session.site, session.conversation, session.expires_at]).encode())
        return f"{body}.{self._sign(body)}", session

    def read(self, token: str, *, grace_s: float = 0.0) -> Session:
        """Raises NotAllowed when the token was not issued here, was altered, or ran out more than `grace_s` ago."""
        body, _, signature = token.partition(".")
        if not token.isascii() or not hmac.compare_digest(signature, self._sign(body)):
            raise NotAllowed("this session token was not issued here; get a new one from POST /widget/session")
        session = Session(*json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
        if session.expires_at + grace_s < time.time():
            raise NotAllowed("this session token has run out; get a new one from POST /widget/session")
        return session

    def _sign(self, body: str) -> str:
        return _pack(hmac.new(self._secret, body.encode(), hashlib.sha256).digest())


def _pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
