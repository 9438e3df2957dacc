"""API keys in SQL: only their hashes. A key is 256 random bits, so that a plain SHA-256 cannot be guessed back."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from bot.stores.sql import METADATA, Records
from retrieval.errors import NotFound

PREFIX = "dh"
API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("old_hash", sa.Text),
    sa.Column("old_until", sa.Double),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("revoked_at", sa.Double),
)


@dataclass(frozen=True)
class ApiKey:
    """Times are seconds since the epoch. After a rotation the old secret is good until `old_until`."""

    id: str
    name: str
    scopes: tuple[str, ...]
    hash: str
    old_hash: str | None
    old_until: float | None
    created_at: float
    revoked_at: float | None

    def opens(self, secret: str) -> bool:
        given, now = _hash(secret), time.time()
        if self.revoked_at is not None:
            return False
        old = self.old_hash if self.old_until is not None and now < self.old_until else None
        return hmac.compare_digest(given, self.hash) or (old is not None and hmac.compare_digest(given, old))


class ApiKeys:
    """Synchronous. `create` and `rotate` give the key itself, which is then kept nowhere."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
        id_, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        key = ApiKey(id_, name, tuple(scopes), _hash(secret), None, None, time.time(), None)
        with self._records.writing() as connection:
            connection.execute(sa.insert(API_KEYS), {**vars(key), "scopes": json.dumps(key.scopes)})
        return key, _shown(id_, secret)

    def all(self) -> list[ApiKey]:
        """Those that are not revoked, newest first."""
        query = sa.select(API_KEYS).where(API_KEYS.c.revoked_at.is_(None)).order_by(API_KEYS.c.created_at.desc())
        with self._records.reading() as connection:
            return [_key(row) for row in connection.execute(query)]

    def get(self, id_: str) -> ApiKey:
        if (key := self.find(id_)) is None or key.revoked_at is not None:
            raise NotFound(f"no API key {id_!r}; `deskhand keys list` shows them")
        return key

    def find(self, id_: str) -> ApiKey | None:
        with self._records.reading() as connection:
            row = connection.execute(sa.select(API_KEYS).where(API_KEYS.c.id == id_)).first()
        return _key(row) if row else None

    def rotate(self, id_: str, *, grace_s: float) -> tuple[ApiKey, str]:
        """A new secret; the one before stays good for `grace_s`."""
        key, secret = self.get(id_), secrets.token_urlsafe(32)
        self._update(id_, hash=_hash(secret), old_hash=key.hash, old_until=time.time() + grace_s)
        return self.get(id_), _shown(id_, secret)

    def revoke(self, id_: str) -> None:
        self._update(self.get(id_).id, revoked_at=time.time())

    def _update(self, id_: str, **values: object) -> None:
        with self._records.writing() as connection:
            connection.execute(sa.update(API_KEYS).where(API_KEYS.c.id == id_).values(**values))


def parts(key: str) -> tuple[str, str] | None:
    """Id and secret of a key as it was shown, None for anything else."""
    prefix, _, rest = key.partition("_")
    id_, _, secret = rest.partition("_")
    return (id_, secret) if prefix == PREFIX and id_ and secret else None


def _shown(id_: str, secret: str) -> str:
    return f"{PREFIX}_{id_}_{secret}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    values = dict(row._mapping)
    return ApiKey(**{**values, "scopes": tuple(json.loads(values["scopes"]))})
