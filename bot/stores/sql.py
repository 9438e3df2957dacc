"""Records that outlive conversations, in SQLite or PostgreSQL: archived transcripts, gaps, ratings. The home of SQL.

Synchronous: callers in the event loop use a thread. Every write may be repeated: a row that is there stays as it is.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.gaps import Gap
from retrieval.errors import BadInput, Unavailable

HEAD = "0003"
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x6465736B
"""Any number that nothing else in the database uses as an advisory lock ("desk")."""

METADATA = sa.MetaData()
ARCHIVED = sa.Table(
    "archived",
    METADATA,
    sa.Column("conversation_id", sa.Text, primary_key=True),
    sa.Column("from_version", sa.Integer, primary_key=True),
    sa.Column("to_version", sa.Integer, nullable=False),
    sa.Column("transcript", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("written", sa.Boolean, nullable=False),
)
GAPS = sa.Table(
    "gaps",
    METADATA,
    sa.Column("conversation_id", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False, index=True),
)
RATINGS = sa.Table(
    "ratings",
    METADATA,
    sa.Column("conversation_id", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("rating", sa.Integer, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)


@dataclass(frozen=True)
class Archived:
    """The events [from_version, to_version) of a conversation as one `transcript/1` JSON line, redacted; "" when
    they hold nothing that training could read."""

    conversation_id: str
    from_version: int
    to_version: int
    transcript: str


@dataclass(frozen=True)
class Rating:
    conversation_id: str
    message_id: str
    rating: int
    comment: str
    at: float


class Records:
    """Every method raises Unavailable when the database cannot be reached."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(_with_driver(url), pool_pre_ping=True)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)

    def migrate(self) -> None:
        """Bring the tables up to date; safe when several processes start at once."""
        with self._reaching(), self._engine.connect() as connection, self._alone(connection):
            if _revision(connection) != HEAD:
                _upgrade(connection)

    def ping(self) -> None:
        with self._reaching(), self._engine.connect() as connection:
            connection.execute(sa.select(1))

    def archived_to(self, conversation_id: str) -> int:
        """The version up to which a conversation is archived; 0 when it is not."""
        query = sa.select(sa.func.max(ARCHIVED.c.to_version)).where(ARCHIVED.c.conversation_id == conversation_id)
        with self._reaching(), self._engine.connect() as connection:
            return connection.execute(query).scalar() or 0

    def add_archived(self, row: Archived) -> None:
        self._add(ARCHIVED, [{**asdict(row), "at": time.time(), "written": not row.transcript}])

    def unwritten(self, limit: int = 1000) -> Sequence[Archived]:
        """What is archived here but not yet in the transcript folder, oldest first."""
        columns = (ARCHIVED.c.conversation_id, ARCHIVED.c.from_version, ARCHIVED.c.to_version, ARCHIVED.c.transcript)
        query = sa.select(*columns).where(~ARCHIVED.c.written).order_by(ARCHIVED.c.at).limit(limit)
        with self._reaching(), self._engine.connect() as connection:
            return [Archived(*row) for row in connection.execute(query)]

    def mark_written(self, rows: Iterable[Archived]) -> None:
        written = sa.update(ARCHIVED).values(written=True)
        with self._reaching(), self._engine.begin() as connection:
            for row in rows:
                same = {"conversation_id": row.conversation_id, "from_version": row.from_version}
                connection.execute(written.filter_by(**same))

    def transcripts(self, *, limit: int, after: Sequence[Any] | None = None) -> Sequence[tuple[float, str, int, str]]:
        """(time, conversation, first event, `transcript/1` line) of those that hold something, latest first; `after`
        are the first three of the last one seen."""
        place = (ARCHIVED.c.at, ARCHIVED.c.conversation_id, ARCHIVED.c.from_version)
        query = sa.select(*place, ARCHIVED.c.transcript).where(ARCHIVED.c.transcript != "")
        if after is not None:
            query = query.where(sa.tuple_(*place) < sa.tuple_(*(sa.literal(value) for value in after)))
        with self.reading() as connection:
            found = connection.execute(query.order_by(*(column.desc() for column in place)).limit(limit))
            return [(at, id_, start, line) for at, id_, start, line in found]

    def add_gaps(self, gaps: Iterable[Gap]) -> None:
        self._add(GAPS, [asdict(gap) for gap in gaps])

    def gaps(self, *, limit: int = 1000) -> Sequence[Gap]:
        """The latest gaps, newest first."""
        query = sa.select(GAPS).order_by(GAPS.c.at.desc()).limit(limit)
        with self._reaching(), self._engine.connect() as connection:
            return [Gap(**row) for row in connection.execute(query).mappings()]

    def add_ratings(self, ratings: Iterable[Rating]) -> None:
        self._add(RATINGS, [asdict(rating) for rating in ratings])

    def ratings(self, *, limit: int = 1000) -> Sequence[Rating]:
        query = sa.select(RATINGS).order_by(RATINGS.c.at.desc()).limit(limit)
        with self._reaching(), self._engine.connect() as connection:
            return [Rating(**row) for row in connection.execute(query).mappings()]

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """For the tables beside this file."""
        with self._reaching(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction, for the tables beside this file."""
        with self._reaching(), self._engine.begin() as connection:
            yield connection

    def _add(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            with self._reaching(), self._engine.begin() as connection:
                connection.execute(self.insert_missing(table), rows)

    def insert_missing(self, table: sa.Table) -> sa.Insert:
        if self._engine.dialect.name == "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing()
        return sqlite.insert(table).on_conflict_do_nothing()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.OperationalError, sa.exc.InterfaceError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            raise Unavailable(
                f"the database {self._engine.url.render_as_string()} cannot be used: {cause}; "
                "see that it runs and that DESKHAND_DATABASE_URL is right"
            ) from error

    @contextmanager
    def _alone(self, connection: sa.Connection) -> Iterator[None]:
        """One process migrates at a time: a lock file beside SQLite, an advisory lock in PostgreSQL."""
        if self._engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            yield
            connection.commit()
            return
        database = self._engine.url.database
        if not database or database == ":memory:":
            yield
            return
        with Path(f"{database}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
            connection.commit()


def _with_driver(url: str) -> sa.URL:
    """`postgres://` and `postgresql://` mean psycopg 3; the folder of a SQLite file is made."""
    try:
        made = sa.make_url(url.replace("postgres://", "postgresql://", 1))
    except sa.exc.ArgumentError as error:
        raise BadInput("DESKHAND_DATABASE_URL is no URL; give sqlite:///... or postgresql://...") from error
    if made.get_backend_name() not in ("sqlite", "postgresql"):
        raise BadInput(f"DESKHAND_DATABASE_URL is for {made.drivername}; give sqlite:///... or postgresql://...")
    if made.drivername == "postgresql":
        made = made.set(drivername="postgresql+psycopg")
    if made.get_backend_name() == "sqlite" and made.database:
        Path(made.database).parent.mkdir(parents=True, exist_ok=True)
    return made


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # only when there is something to do: it costs 0.2 s of every start
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, HEAD)
