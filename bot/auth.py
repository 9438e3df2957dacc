"""Who may call `/api/v1`: the operator's token, which may do everything, and API keys with scopes.

The operator's token is `DESKHAND_OPERATOR_TOKEN`, or one made on the first start and kept in the data directory.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import shlex
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Header

from bot.settings import Settings
from bot.stores.keys import ApiKey, ApiKeys, parts
from bot.stores.rates import Hit, Rates
from retrieval.errors import BadInput, DeskhandError, NotAllowed

SCOPES = {
    "conversations:read": "read conversations, transcripts, the inbox and the gaps",
    "conversations:write": "write as customer or person, rate, hand off, close",
    "knowledge:read": "list and search articles",
    "knowledge:write": "add and remove articles",
    "bundles:read": "list bundles and read their reports",
    "bundles:write": "promote and roll back",
    "training:read": "see training runs",
    "training:write": "start training and archive runs",
    "webhooks:read": "see webhook endpoints and deliveries",
    "webhooks:write": "add, change, test and replay webhook endpoints",
    "keys:write": "make, rotate and revoke API keys",
}
FRESH_S = 5.0
"""A revoked key is refused everywhere after at most so long; within it, a key costs no look into SQL."""

HELP = (
    "send the header `Authorization: Bearer <API key>`; `deskhand keys create` makes one, `deskhand token` prints the "
    "operator's"
)


class Forbidden(DeskhandError):
    status = 403
    title = "Forbidden"


@dataclass(frozen=True)
class Caller:
    """`id` is that of the key, or "operator"."""

    id: str
    scopes: Collection[str]

    def may(self, scope: str) -> bool:
        """To write a thing is to read it, too."""
        return scope in self.scopes or f"{scope.partition(':')[0]}:write" in self.scopes


OPERATOR = Caller("operator", frozenset(SCOPES))


class Access:
    """`needs(scope)` is a dependency of FastAPI for a route of any router."""

    def __init__(self, token: str, keys: ApiKeys, rates: Rates, limit: str) -> None:
        self._token = token
        self._keys = keys
        self._rates = rates
        self._limit = limit
        self._seen: dict[str, tuple[float, ApiKey | None]] = {}

    async def caller(self, header: str | None) -> Caller:
        """`header` is the Authorization header. Raises NotAllowed unless its bearer token is good."""
        scheme, _, given = (header or "").partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer":
            raise NotAllowed(HELP)
        if hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token.encode()):
            return OPERATOR
        named = parts(given)
        key = await self._key(named[0]) if named else None
        if named is None or key is None or not key.opens(named[1]):
            raise NotAllowed(HELP)
        return Caller(key.id, frozenset(key.scopes))

    async def _key(self, id_: str) -> ApiKey | None:
        until, key = self._seen.get(id_, (0.0, None))
        if until < time.monotonic():
            key = await asyncio.to_thread(self._keys.find, id_)
            if len(self._seen) > 1000:
                self._seen.clear()
            self._seen[id_] = (time.monotonic() + FRESH_S, key)
        return key

    def needs(self, scope: str) -> Callable[[str | None], Awaitable[Caller]]:
        """Lets a request through whose key has the scope. Raises NotAllowed, Forbidden, or TooMany."""
        if scope not in SCOPES:
            raise ValueError(f"no scope {scope!r}; there are {', '.join(SCOPES)}")

        async def check(authorization: Annotated[str | None, Header(include_in_schema=False)] = None) -> Caller:
            caller = await self.caller(authorization)
            if not caller.may(scope):
                raise Forbidden(f"this key has no scope {scope}; make one with `deskhand keys create --scope {scope}`")
            await self._rates.count(Hit("calls with one key", "key", self._limit, caller.id))
            return caller

        return check


def known_scopes(scopes: Collection[str]) -> tuple[str, ...]:
    """The scopes in our order; "*" is all of them. Raises BadInput naming an unknown one."""
    if "*" in scopes:
        return tuple(SCOPES)
    if unknown := set(scopes) - set(SCOPES):
        raise BadInput(f"no scope {sorted(unknown)[0]!r}; there are {', '.join(SCOPES)}, and * for all")
    if not scopes:
        raise BadInput(f"a key needs at least one scope of {', '.join(SCOPES)}, or * for all")
    return tuple(scope for scope in SCOPES if scope in scopes)


def operator_token(settings: Settings) -> str:
    if settings.operator_token:
        return settings.operator_token.get_secret_value()
    return kept_secret(settings.data_dir / "operator-token")


def token_command(settings: Settings) -> str:
    """What to type for the token of this data directory."""
    usual = settings.data_dir == Settings.model_fields["data_dir"].default
    return "deskhand token" if usual else f"deskhand token --data {shlex.quote(str(settings.data_dir))}"


def kept_secret(path: Path) -> str:
    """The secret in this file, made (256 bits, readable by the owner only) when there is none yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        os.link(draft, path)  # fails when it is there, so that two servers starting at once agree on one secret
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text().strip()
