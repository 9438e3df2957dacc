"""Records in SQL: SQLite and a real PostgreSQL take the same test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from bot.gaps import Gap
from bot.stores import sql
from bot.stores.sql import Archived, Rating, Records
from retrieval.errors import BadInput, Unavailable


class RecordsContract:
    """`self.url` names an empty database, with `self.records` on it, migrated."""

    url: str
    records: Records

    def test_the_tables_are_those_the_code_knows(self) -> None:
        columns = sa.inspect(self.records._engine)
        for name, table in sql.METADATA.tables.items():
            assert {column["name"] for column in columns.get_columns(name)} == set(table.columns.keys())

    def test_migrating_again_changes_nothing(self) -> None:
        self.records.add_gaps([Gap("c", "m", "hm?", "unknown", 1.0)])
        self.records.migrate()
        assert len(self.records.gaps()) == 1

    def test_several_processes_may_start_on_an_empty_database(self, fresh: Callable[[], str]) -> None:
        url = fresh()
        code = "import sys; from bot.stores.sql import Records; Records(sys.argv[1]).migrate()"
        running = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(4)]
        assert [process.wait() for process in running] == [0, 0, 0, 0]

    def test_the_archive_knows_how_far_a_conversation_is_archived(self) -> None:
        assert self.records.archived_to("c") == 0
        self.records.add_archived(Archived("c", 0, 7, '{"id": 1}'))
        self.records.add_archived(Archived("c", 7, 9, '{"id": 2}'))
        assert self.records.archived_to("c") == 9

    def test_archiving_the_same_part_again_keeps_the_first(self) -> None:
        self.records.add_archived(Archived("c", 0, 7, "first"))
        self.records.add_archived(Archived("c", 0, 8, "second"))
        assert self.records.unwritten() == [Archived("c", 0, 7, "first")]

    def test_what_is_written_to_the_folder_is_not_offered_again(self) -> None:
        rows = [Archived("c", 0, 7, "a"), Archived("d", 0, 2, "b"), Archived("e", 0, 1, "")]
        for row in rows:
            self.records.add_archived(row)
        assert self.records.unwritten() == rows[:2]
        self.records.mark_written(rows[:1])
        assert self.records.unwritten() == rows[1:2]

    def test_a_gap_or_rating_that_is_told_twice_is_kept_once(self) -> None:
        gap, rating = Gap("c", "m", "wo ist 你好?", "unknown", 2.0), Rating("c", "m", -1, "no", 3.0)
        for _ in range(2):
            self.records.add_gaps([gap, Gap("c", "m0", "older", "unknown", 1.0)])
            self.records.add_ratings([rating])
        self.records.add_gaps([])
        assert [found.message_id for found in self.records.gaps()] == ["m", "m0"]
        assert self.records.gaps(limit=1) == [gap]
        assert self.records.ratings() == [rating]


class TestSqlite(RecordsContract):
    @pytest.fixture
    def fresh(self, tmp_path: Path) -> Callable[[], str]:
        return lambda: f"sqlite:///{tmp_path}/{uuid.uuid4().hex}/records.sqlite"

    @pytest.fixture(autouse=True)
    def _open(self, fresh: Callable[[], str]) -> Iterator[None]:
        self.url = fresh()
        self.records = Records(self.url)
        self.records.migrate()
        yield
        self.records.close()

    def test_a_file_that_is_no_database_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "x.sqlite").mkdir()
        records = Records(f"sqlite:///{tmp_path}/x.sqlite")
        with pytest.raises(Unavailable, match="DESKHAND_DATABASE_URL"):
            records.ping()
        records.close()


def postgres_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server: DESKHAND_TEST_POSTGRES, or a cluster of our own that listens on a socket file only."""
    if given := os.environ.get("DESKHAND_TEST_POSTGRES"):
        yield given
        return
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server binaries and no DESKHAND_TEST_POSTGRES")
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/deskhand-pg-XXXXXX"], text=True).strip())
    user = "nobody" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
    if user:
        shutil.chown(folder, user)
    run: dict[str, Any] = {"user": user, "check": True, "cwd": folder, "stdout": subprocess.DEVNULL}
    data = str(folder / "data")
    try:
        subprocess.run([binaries / "initdb", "-D", data, "-U", "desk", "-A", "trust", "--no-sync"], **run)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        subprocess.run([binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], **run)
        yield f"postgresql://desk@/postgres?host={folder}"
        subprocess.run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], **run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class TestPostgres(RecordsContract):
    @pytest.fixture
    def fresh(self, postgres: str) -> Callable[[], str]:
        def make() -> str:
            name = f"t{uuid.uuid4().hex}"
            engine = sa.create_engine(sql._with_driver(postgres), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(sa.text(f"CREATE DATABASE {name}"))
            engine.dispose()
            return postgres.replace("/postgres?", f"/{name}?")

        return make

    @pytest.fixture(autouse=True)
    def _open(self, fresh: Callable[[], str]) -> Iterator[None]:
        self.url = fresh()
        self.records = Records(self.url)
        self.records.migrate()
        yield
        self.records.close()


def test_a_database_that_is_not_there_is_unavailable_and_its_password_is_not_shown() -> None:
    records = Records("postgresql://desk:hunter2@127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="DESKHAND_DATABASE_URL") as caught:
        records.migrate()
    assert "hunter2" not in str(caught.value)
    records.close()


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(BadInput, match="mysql"):
        Records("mysql://root@localhost/x")
    with pytest.raises(BadInput, match="is no URL"):
        Records("records.sqlite")


def test_the_code_expects_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(sql.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [sql.HEAD]
