"""Work that takes longer than a request, queued on the same Redis: training, archiving, articles. The home of RQ.

Arguments travel as JSON. A job runs in a process of its own, and training in one more: its libraries stay there.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from rq import Queue, Worker, get_current_job
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from bot.ingesting import Order, ingest
from bot.settings import Settings
from bot.stores import redis
from bot.webhooks import run as webhooks
from retrieval.bundle import Bundles
from retrieval.errors import BadInput, DeskhandError, NotFound

log = structlog.get_logger()

QUEUE = "deskhand"
KEEP_S = 90 * 24 * 3600
LONGEST_TRAINING_S = 12 * 3600
LONGEST_INGEST_S = 6 * 3600
ARCHIVE_EVERY_S = 60


class TrainingFailed(DeskhandError):
    pass


@dataclass(frozen=True)
class JobView:
    """`status`: queued | started | finished | failed | ...; times are ISO-8601; `error` is a failure's last line, and
    `progress` says how far a job is that says so."""

    id: str
    kind: str
    status: str
    queued_at: str | None
    started_at: str | None
    ended_at: str | None
    result: Any
    error: str | None
    progress: Any = None


class Jobs:
    """Raises Unavailable when Redis cannot be reached. Synchronous: callers in the event loop use a thread."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._connection = redis.connect(url)
        self._queue = Queue(QUEUE, connection=self._connection, serializer=JSONSerializer)
        self._places = {
            "data_dir": str(settings.data_dir.absolute()),
            "config_dir": str(settings.config_dir.absolute()),
        }

    def train(self) -> JobView:
        return self._enqueue("train", run_training, timeout_s=LONGEST_TRAINING_S)

    def promote(self, bundle: str, *, force: bool = False, reason: str = "") -> JobView:
        """Asks the gate about a bundle and puts it into service when it passes; with `force` without asking."""
        if force and not reason.strip():
            raise BadInput("force passes the gate over and needs a reason; it is kept in the record")
        more = {"bundle": bundle, "force": force, "reason": reason}
        return self._enqueue("promote", run_promotion, timeout_s=LONGEST_TRAINING_S, more=more)

    def ingest(self, order: Order) -> JobView:
        """Reads articles from an uploaded file or from addresses."""
        return self._enqueue("ingest", run_ingest, timeout_s=LONGEST_INGEST_S, more={"order": asdict(order)})

    def archive(self) -> JobView:
        """One at a time: while one is waiting or running, that one is returned."""
        with redis.reaching("looked for jobs"):
            for job in self._jobs():
                if job.meta.get("kind") == "archive" and job.get_status() in (JobStatus.QUEUED, JobStatus.STARTED):
                    return _view(job)
        return self._enqueue("archive", run_archive, timeout_s=3600, keep_s=3600)

    def all(self, kind: str | None = None, *, limit: int = 50) -> Sequence[JobView]:
        """Newest first."""
        with redis.reaching("listed jobs"):
            views = [_view(job) for job in self._jobs() if kind in (None, job.meta.get("kind"))]
        return sorted(views, key=lambda view: view.queued_at or "", reverse=True)[:limit]

    def get(self, id_: str) -> JobView:
        with redis.reaching("read a job"):
            try:
                return _view(Job.fetch(id_, connection=self._connection, serializer=JSONSerializer))
            except NoSuchJobError as error:
                raise NotFound(f"no job {id_!r}; GET /api/v1/training/runs and /knowledge/runs list them") from error

    def close(self) -> None:
        self._connection.close()

    def _enqueue(
        self, kind: str, function: Any, *, timeout_s: int, keep_s: int = KEEP_S, more: dict[str, Any] | None = None
    ) -> JobView:
        with redis.reaching("queued a job"):
            job = self._queue.enqueue(
                function,
                kwargs={**self._places, **(more or {})},
                job_id=f"{kind}-{uuid.uuid4().hex[:12]}",
                job_timeout=timeout_s,
                result_ttl=keep_s,
                failure_ttl=keep_s,
                meta={"kind": kind},
            )
            return _view(job)

    def _jobs(self) -> list[Job]:
        queue = self._queue
        registries = (queue.started_job_registry, queue.finished_job_registry, queue.failed_job_registry)
        ids = [*queue.job_ids, *(id_ for registry in registries for id_ in registry.get_job_ids())]
        found = Job.fetch_many(ids, connection=self._connection, serializer=JSONSerializer)
        return [job for job in found if job is not None]


class DeskWorker(Worker):  # type: ignore[misc]
    """Queues the archive job whenever RQ does its own housekeeping, also while idle, and sees that the webhooks run."""

    jobs: Jobs
    webhooks: Beside | None = None

    def run_maintenance_tasks(self) -> None:
        super().run_maintenance_tasks()
        self.jobs.archive()
        if self.webhooks is not None:
            self.webhooks.start()


class Beside:
    """The webhooks, in a process of their own: RQ forks, and what forks should have no threads and no connections."""

    def __init__(self, url: str, settings: Settings) -> None:
        places = (url, str(settings.data_dir.absolute()), str(settings.config_dir.absolute()))
        self._command = [sys.executable, "-m", "bot.webhooks.run", *places]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Unless it runs."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """What it is sending is sent again by the next one; receivers know it by its id."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


def work(url: str, settings: Settings, *, burst: bool = False) -> None:
    """Does jobs until SIGTERM or SIGINT, or with `burst` until none is left."""
    connection = redis.connect(url)
    worker = DeskWorker(
        [Queue(QUEUE, connection=connection, serializer=JSONSerializer)],
        connection=connection,
        serializer=JSONSerializer,
        maintenance_interval=ARCHIVE_EVERY_S,
        worker_ttl=ARCHIVE_EVERY_S + 15,  # RQ waits for a job at most 15 s less than this before it looks around
    )
    worker.jobs = Jobs(url, settings)
    if burst:
        worker.work(burst=True, logging_level="WARNING")
        asyncio.run(webhooks.until_done(url, settings))
        return
    worker.webhooks = Beside(url, settings)
    worker.webhooks.start()
    try:
        worker.work(logging_level="WARNING")
    finally:
        worker.webhooks.stop()


def run_training(data_dir: str, config_dir: str) -> dict[str, Any]:
    """`deskhand train --promote` in a process of its own; its output is kept in data/runs. A bundle that the gate does
    not let pass is a result, too: `promoted` is then false and `last_lines` say why."""
    settings = Settings.build(data_dir=Path(data_dir), config_dir=Path(config_dir))
    log_file = settings.runs / f"{_own_id()}.log"
    bundles = Bundles(settings.bundles)
    before = set(bundles.ids())
    code, tail = _deskhand(settings, log_file, "train", "--promote")
    made = sorted(set(bundles.ids()) - before)
    if not made:
        raise TrainingFailed(f"training ended with {code}: {' | '.join(tail)}; all of it is in {log_file}")
    return {"bundle": made[-1], "promoted": bundles.current() == made[-1], "log": str(log_file), "last_lines": tail}


def run_promotion(data_dir: str, config_dir: str, bundle: str, force: bool, reason: str) -> dict[str, Any]:
    """`deskhand bundles promote`. A bundle that the gate does not let pass is a result: `promoted` is then false."""
    settings = Settings.build(data_dir=Path(data_dir), config_dir=Path(config_dir))
    log_file = settings.runs / f"{_own_id()}.log"
    forced = ["--force", "--reason", reason] if force else []
    _, tail = _deskhand(settings, log_file, "bundles", "promote", bundle, *forced)
    promoted = Bundles(settings.bundles).current() == bundle
    return {"bundle": bundle, "promoted": promoted, "log": str(log_file), "last_lines": tail}


def _deskhand(settings: Settings, log_file: Path, *words: str) -> tuple[int, list[str]]:
    """A command in a process of its own: its exit code, and the last lines of what it printed."""
    settings.runs.mkdir(parents=True, exist_ok=True)
    places = {"DESKHAND_DATA_DIR": str(settings.data_dir), "DESKHAND_CONFIG_DIR": str(settings.config_dir)}
    with log_file.open("w") as output:
        command = [sys.executable, "-m", "bot.cli", *words]
        environment = {**os.environ, **places, "COLUMNS": "200"}
        done = subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    tail = [line for line in log_file.read_text(errors="replace").splitlines() if line.strip()][-10:]
    return done.returncode, tail


def _own_id() -> str:
    job = get_current_job()
    return job.id if job else f"train-{os.getpid()}"


def run_archive(data_dir: str, config_dir: str) -> dict[str, int]:
    from bot.archiving import archive_once  # presidio stays out of the worker itself

    report = asyncio.run(archive_once(Settings.build(data_dir=Path(data_dir), config_dir=Path(config_dir))))
    return {"closed": report.closed, "archived": report.archived, "written": report.written}


def run_ingest(data_dir: str, config_dir: str, order: dict[str, Any]) -> dict[str, Any]:
    settings = Settings.build(data_dir=Path(data_dir), config_dir=Path(config_dir))
    job = get_current_job()

    def tell(progress: dict[str, Any]) -> None:
        if job is not None:
            job.meta["progress"] = progress
            job.save_meta()

    urls, tags = tuple(order.pop("urls")), tuple(order.pop("tags"))
    return ingest(settings, Order(**order, urls=urls, tags=tags), tell)


def _view(job: Job) -> JobView:
    result = job.latest_result()
    failed = result.exc_string if result is not None else None
    return JobView(
        id=job.id,
        kind=str(job.meta.get("kind", "")),
        status=str(job.get_status(refresh=False).value),
        queued_at=_iso(job.enqueued_at),
        started_at=_iso(job.started_at),
        ended_at=_iso(job.ended_at),
        result=result.return_value if result is not None else None,
        error=failed.strip().splitlines()[-1] if failed else None,
        progress=job.meta.get("progress"),
    )


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
