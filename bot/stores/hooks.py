"""Webhook endpoints, what happened, and every delivery, in SQL. Synchronous; every write may be repeated."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.drift import Day
from bot.stores.sql import METADATA, Records
from bot.webhooks.happenings import Happening
from retrieval.errors import NotFound

ENDPOINTS = sa.Table(
    "webhook_endpoints",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("old_secret", sa.Text),
    sa.Column("old_until", sa.Double),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("disabled_at", sa.Double),
    sa.Column("disabled_because", sa.Text),
)
EVENTS = sa.Table(
    "webhook_events",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False, index=True),
    sa.Column("thin", sa.Text, nullable=False),
    sa.Column("full", sa.Text, nullable=False),
)
DELIVERIES = sa.Table(
    "webhook_deliveries",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("next_at", sa.Double),
    sa.Column("last_at", sa.Double),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text),
)
TOLD = sa.Table(
    "webhook_told",
    METADATA,
    sa.Column("conversation_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
DAYS = sa.Table(
    "days",
    METADATA,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("asked", sa.Integer, nullable=False),
    sa.Column("gaps", sa.Integer, nullable=False),
)


@dataclass(frozen=True)
class Endpoint:
    """`events` are the types it wants, () is all; `body` is thin | full. Times are seconds since the epoch."""

    id: str
    url: str
    description: str
    events: tuple[str, ...]
    body: str
    secret: str
    old_secret: str | None
    old_until: float | None
    created_at: float
    disabled_at: float | None
    disabled_because: str | None

    def secrets(self, now: float) -> list[str]:
        """What to sign with: two while the secret is being rotated."""
        old = self.old_secret if self.old_until is not None and now < self.old_until else None
        return [self.secret, *([old] if old else [])]

    def wants(self, happening: Happening) -> bool:
        """It was there when it happened, and has asked for it."""
        there = self.disabled_at is None and self.created_at <= happening.at
        return there and (not self.events or happening.type in self.events)


@dataclass(frozen=True)
class Delivery:
    """`status`: pending | delivered | failed. `next_at` is None when nothing more will be tried."""

    id: str
    endpoint_id: str
    event_id: str
    status: str
    attempts: int
    created_at: float
    next_at: float | None
    last_at: float | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True)
class Job:
    """A delivery that is this caller's for a while."""

    delivery: Delivery
    endpoint: Endpoint
    happening: Happening


@dataclass(frozen=True)
class Told:
    """What a conversation tells up to `version`: what happened, and (day, asked, gaps)."""

    conversation_id: str
    version: int
    happenings: tuple[Happening, ...]
    counts: tuple[tuple[str, int, int], ...]


class Hooks:
    def __init__(self, records: Records) -> None:
        self._records = records

    # Endpoints

    def add(self, url: str, *, events: Sequence[str] = (), body: str = "thin", description: str = "") -> Endpoint:
        made = Endpoint(
            id=f"ep_{secrets.token_hex(8)}",
            url=url,
            description=description,
            events=tuple(events),
            body=body,
            secret=new_secret(),
            old_secret=None,
            old_until=None,
            created_at=time.time(),
            disabled_at=None,
            disabled_because=None,
        )
        with self._records.writing() as connection:
            connection.execute(sa.insert(ENDPOINTS), {**vars(made), "events": json.dumps(made.events)})
        return made

    def endpoints(self) -> list[Endpoint]:
        """Newest first."""
        with self._records.reading() as connection:
            return _endpoints(connection)

    def endpoint(self, id_: str) -> Endpoint:
        found = [one for one in self.endpoints() if one.id == id_]
        if not found:
            raise NotFound(f"no webhook endpoint {id_!r}; `deskhand webhooks list` shows them")
        return found[0]

    def change(self, id_: str, **values: Any) -> Endpoint:
        """`events` as a sequence; the rest as the columns are."""
        self.endpoint(id_)
        if "events" in values:
            values["events"] = json.dumps(list(values["events"]))
        if values:
            with self._records.writing() as connection:
                connection.execute(sa.update(ENDPOINTS).where(ENDPOINTS.c.id == id_).values(**values))
        return self.endpoint(id_)

    def rotate(self, id_: str, *, grace_s: float) -> Endpoint:
        """A new secret; until `grace_s` have passed everything is signed with both."""
        before = self.endpoint(id_)
        return self.change(id_, secret=new_secret(), old_secret=before.secret, old_until=time.time() + grace_s)

    def remove(self, id_: str) -> None:
        self.endpoint(id_)
        with self._records.writing() as connection:
            connection.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.endpoint_id == id_))
            connection.execute(sa.delete(ENDPOINTS).where(ENDPOINTS.c.id == id_))

    # What happened

    def put(self, happenings: Iterable[Happening], *, only: Endpoint | None = None) -> None:
        """Makes a delivery for every endpoint that wants it, or for `only`; what is there already stays as it is."""
        told = list(happenings)
        with self._records.writing() as connection:
            self._put(connection, told, only)

    def tell(self, told: Sequence[Told]) -> None:
        """The same for conversations, with their share of the days' counts: each event counts once. One transaction."""
        with self._records.writing() as connection:
            self._put(connection, [happening for one in told for happening in one.happenings], None)
            for one in told:
                row = {"conversation_id": one.conversation_id, "version": 0}
                connection.execute(self._records.insert_missing(TOLD), row)
                behind = sa.and_(TOLD.c.conversation_id == one.conversation_id, TOLD.c.version < one.version)
                if connection.execute(sa.update(TOLD).where(behind).values(version=one.version)).rowcount:
                    self._count(connection, one.counts)

    def told(self, conversation_ids: Sequence[str]) -> dict[str, int]:
        """Up to which version each was told."""
        query = sa.select(TOLD).where(TOLD.c.conversation_id.in_(conversation_ids))
        with self._records.reading() as connection:
            return {row.conversation_id: row.version for row in connection.execute(query)}

    def days(self, since: str) -> list[Day]:
        with self._records.reading() as connection:
            rows = connection.execute(sa.select(DAYS).where(DAYS.c.day >= since).order_by(DAYS.c.day))
            return [Day(**row) for row in rows.mappings()]

    def _put(self, connection: sa.Connection, told: Sequence[Happening], only: Endpoint | None) -> None:
        if not told:
            return
        endpoints = [only] if only else _endpoints(connection)
        now = time.time()
        pairs = [(one, happening) for happening in told for one in endpoints if only or one.wants(happening)]
        wanted = {happening.id: happening for _, happening in pairs}
        if not wanted:
            return
        connection.execute(self._records.insert_missing(EVENTS), [_row(one) for one in wanted.values()])
        rows = [
            {"id": _delivery_id(one.id, happening.id), "endpoint_id": one.id, "event_id": happening.id}
            | {"status": "pending", "attempts": 0, "created_at": now, "next_at": now}
            for one, happening in pairs
        ]
        connection.execute(self._records.insert_missing(DELIVERIES), rows)

    def _count(self, connection: sa.Connection, counts: Iterable[tuple[str, int, int]]) -> None:
        for day, asked, gaps in counts:
            connection.execute(self._records.insert_missing(DAYS), {"day": day, "asked": 0, "gaps": 0})
            more = {"asked": DAYS.c.asked + asked, "gaps": DAYS.c.gaps + gaps}
            connection.execute(sa.update(DAYS).where(DAYS.c.day == day).values(**more))

    # Deliveries

    def claim(self, *, limit: int, lease_s: float) -> list[Job]:
        """Deliveries that are due, for this caller alone until `lease_s` have passed."""
        now = time.time()
        due = sa.and_(DELIVERIES.c.status == "pending", DELIVERIES.c.next_at <= now)
        with self._records.reading() as connection:
            rows = connection.execute(sa.select(DELIVERIES).where(due).order_by(DELIVERIES.c.next_at).limit(limit))
            found = [Delivery(**row) for row in rows.mappings()]
        if not found:
            return []
        with self._records.writing() as connection:
            mine = [one for one in found if self._take(connection, one, now + lease_s)]
            endpoints = {one.id: one for one in _endpoints(connection)}
            happenings = _happenings(connection, [one.event_id for one in mine])
        alive = [one for one in mine if one.endpoint_id in endpoints and one.event_id in happenings]
        return [Job(one, endpoints[one.endpoint_id], happenings[one.event_id]) for one in alive]

    def job(self, delivery_id: str) -> Job:
        """One delivery, whether it is due or not."""
        with self._records.reading() as connection:
            row = connection.execute(sa.select(DELIVERIES).where(DELIVERIES.c.id == delivery_id)).mappings().first()
            if row is None:
                raise NotFound(f"no delivery {delivery_id!r}; GET /api/v1/webhooks/ID/deliveries lists them")
            happenings = _happenings(connection, [row["event_id"]])
        delivery = Delivery(**row)
        return Job(delivery, self.endpoint(delivery.endpoint_id), happenings[delivery.event_id])

    def _take(self, connection: sa.Connection, one: Delivery, until: float) -> bool:
        same = sa.and_(DELIVERIES.c.id == one.id, DELIVERIES.c.next_at == one.next_at, DELIVERIES.c.status == "pending")
        return bool(connection.execute(sa.update(DELIVERIES).where(same).values(next_at=until)).rowcount)

    def record(self, deliveries: Iterable[Delivery]) -> None:
        with self._records.writing() as connection:
            for one in deliveries:
                values = {name: value for name, value in vars(one).items() if name != "id"}
                connection.execute(sa.update(DELIVERIES).where(DELIVERIES.c.id == one.id).values(**values))

    def deliveries(
        self, endpoint_id: str, *, status: str | None = None, limit: int, after: Sequence[Any] | None = None
    ) -> list[tuple[Delivery, str]]:
        """With the type of what happened, newest first; `after` are time and id of the last one seen."""
        place = (DELIVERIES.c.created_at, DELIVERIES.c.id)
        query = sa.select(DELIVERIES, EVENTS.c.type).join(EVENTS, EVENTS.c.id == DELIVERIES.c.event_id)
        query = query.where(DELIVERIES.c.endpoint_id == endpoint_id)
        if status:
            query = query.where(DELIVERIES.c.status == status)
        if after is not None:
            query = query.where(sa.tuple_(*place) < sa.tuple_(*(sa.literal(value) for value in after)))
        with self._records.reading() as connection:
            rows = connection.execute(query.order_by(*(one.desc() for one in place)).limit(limit)).all()
        return [(Delivery(*row[:-1]), row[-1]) for row in rows]

    def replay(self, endpoint_id: str, *, delivery_id: str | None = None, since: float = 0.0) -> int:
        """Tries again, from the first rung on: one delivery, or all that failed since; how many."""
        which = sa.and_(DELIVERIES.c.endpoint_id == endpoint_id)
        if delivery_id is None:
            which = sa.and_(which, DELIVERIES.c.status == "failed", DELIVERIES.c.created_at >= since)
        else:
            which = sa.and_(which, DELIVERIES.c.id == delivery_id)
        again = {"status": "pending", "attempts": 0, "next_at": time.time()}
        with self._records.writing() as connection:
            return connection.execute(sa.update(DELIVERIES).where(which).values(**again)).rowcount

    def forget(self, before: float) -> None:
        """What is done and older."""
        old = sa.and_(DELIVERIES.c.created_at < before, DELIVERIES.c.status != "pending")
        left = sa.select(DELIVERIES.c.event_id)
        with self._records.writing() as connection:
            connection.execute(sa.delete(DELIVERIES).where(old))
            connection.execute(sa.delete(EVENTS).where(EVENTS.c.at < before, EVENTS.c.id.not_in(left)))


def new_secret() -> str:
    """As Standard Webhooks has it: `whsec_` and 256 bits in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _delivery_id(endpoint_id: str, event_id: str) -> str:
    return f"dlv_{hashlib.sha256(f'{endpoint_id} {event_id}'.encode()).hexdigest()[:24]}"


def _row(happening: Happening) -> dict[str, Any]:
    return {**vars(happening), "thin": json.dumps(happening.thin), "full": json.dumps(happening.full)}


def _endpoints(connection: sa.Connection) -> list[Endpoint]:
    rows = connection.execute(sa.select(ENDPOINTS).order_by(ENDPOINTS.c.created_at.desc())).mappings()
    return [Endpoint(**{**row, "events": tuple(json.loads(row["events"]))}) for row in rows]


def _happenings(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Happening]:
    rows = connection.execute(sa.select(EVENTS).where(EVENTS.c.id.in_(ids))).mappings()
    made = (Happening(**{**row, "thin": json.loads(row["thin"]), "full": json.loads(row["full"])}) for row in rows)
    return {one.id: one for one in made}
