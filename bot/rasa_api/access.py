"""Who may call the API, as Rasa has it: `?token=...`, or a JSON web token with `{"user": {"username", "role"}}`."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from fastapi import Request

from bot.rasa_api.failure import HELP, Failure
from bot.web_tokens import claims
from retrieval.errors import NotAllowed


@dataclass(frozen=True)
class Access:
    """`key` is the secret (HS256) or public key (RS256, ...) of the web tokens, None when they are not in use."""

    token: str
    key: str | None = None
    method: str = "HS256"

    def check(self, request: Request) -> None:
        """Raises Failure 401 without a good token, 403 for a user that asks for another's conversation."""
        given = request.query_params.get("token")
        if given is not None and hmac.compare_digest(given.encode(), self.token.encode()):
            return
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(bearer.strip().encode(), self.token.encode()):
            return
        if scheme.lower() == "bearer" and self.key is not None:
            self._user(bearer.strip(), self.key, request.path_params.get("conversation_id"))
            return
        raise Failure(401, "NotAuthenticated", "User is not authenticated.", help=HELP)

    def _user(self, token: str, key: str, conversation: str | None) -> None:
        try:
            user = claims(token, key, self.method).get("user")
        except NotAllowed as error:
            raise Failure(401, "NotAuthenticated", f"User is not authenticated: {error}", help=HELP) from error
        role, name = (user.get("role"), user.get("username")) if isinstance(user, dict) else (None, None)
        if role == "admin" or (role == "user" and conversation is not None and name == conversation):
            return
        raise Failure(403, "NotAuthorized", "User has insufficient permissions.", help=HELP)
