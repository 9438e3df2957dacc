"""`/api/v1/training`, `/archive`, `/transcripts`, `/gaps`: how the desk learns."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from bot.api.pages import Cursor, Limit, Page, cursor_of, page_of, read_cursor
from bot.api.route import IDEMPOTENT
from bot.auth import Access
from bot.engines import Engines
from bot.gaps import Gap, group
from bot.handoff import Desk
from bot.jobs import Jobs, JobView
from bot.stores.sql import Records

MOST_GAPS = 1000


class JobModel(BaseModel):
    """`status`: queued | started | finished | failed | ...; times are ISO-8601; `error` is a failure's last line."""

    id: str
    kind: str
    status: str
    queued_at: str | None
    started_at: str | None
    ended_at: str | None
    result: Any = None
    error: str | None
    progress: Any = Field(default=None, description="How far a job is that says so: `done`, `total`, `what`.")

    @classmethod
    def of(cls, view: JobView) -> JobModel:
        return cls(**asdict(view))


class GapGroupView(BaseModel):
    text: str = Field(description="The question closest to all others of the group.")
    count: int
    first_at: float
    last_at: float
    reasons: list[str]
    examples: list[str]
    conversations: list[str]


class Gaps(BaseModel):
    total: int
    groups: list[GapGroupView]


def add(routes: APIRouter, access: Access, desk: Desk, records: Records, engines: Engines, jobs: Jobs) -> None:
    _training(routes, access, jobs)
    _gaps(routes, access, desk, records, engines)
    _transcripts(routes, access, records)


def _training(routes: APIRouter, access: Access, jobs: Jobs) -> None:
    reads, writes = [Depends(access.needs("training:read"))], [Depends(access.needs("training:write")), IDEMPOTENT]

    @routes.post("/training/runs", status_code=202, dependencies=writes)
    async def start() -> JobModel:
        """Queues a training run for the worker; the gate decides whether its bundle goes into service."""
        return JobModel.of(await asyncio.to_thread(jobs.train))

    @routes.get("/training/runs", dependencies=reads)
    async def runs(limit: Limit = 50, cursor: Cursor = None) -> Page[JobModel]:
        """Newest first."""
        found = await asyncio.to_thread(jobs.all, "train", limit=1000)
        data, following = page_of(found, lambda view: view.id, cursor, limit)
        return Page(data=[JobModel.of(view) for view in data], next_cursor=following)

    @routes.get("/training/runs/{run_id}", dependencies=reads)
    async def run(run_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,100}$")]) -> JobModel:
        """A training run, or a promotion."""
        return JobModel.of(await asyncio.to_thread(jobs.get, run_id))

    @routes.post("/archive/runs", status_code=202, dependencies=writes)
    async def archive() -> JobModel:
        """Queues an archive run; the worker also does one every minute."""
        return JobModel.of(await asyncio.to_thread(jobs.archive))


def _gaps(routes: APIRouter, access: Access, desk: Desk, records: Records, engines: Engines) -> None:
    @routes.get("/gaps", dependencies=[Depends(access.needs("conversations:read"))])
    async def gaps(limit: Annotated[int, Query(ge=1, le=MOST_GAPS)] = 50) -> Gaps:
        """Questions the bot could not answer, grouped by meaning, biggest group first."""
        found = {(gap.conversation_id, gap.message_id): gap for gap in await desk.open_gaps()}
        archived = await asyncio.to_thread(records.gaps, limit=MOST_GAPS)
        known: list[Gap] = [*archived, *found.values()][:MOST_GAPS]
        groups = await asyncio.to_thread(group, known, engines.engine.encode)
        views = [GapGroupView(**asdict(one)) for one in groups[:limit]]
        return Gaps(total=sum(one.count for one in groups), groups=views)


def _transcripts(routes: APIRouter, access: Access, records: Records) -> None:
    @routes.get("/transcripts", dependencies=[Depends(access.needs("conversations:read"))])
    async def transcripts(limit: Limit = 50, cursor: Cursor = None) -> Page[dict[str, Any]]:
        """Archived conversations as `transcript/1`, masked, latest first."""
        after = read_cursor(cursor, (int, float), str, int) if cursor else None
        rows = await asyncio.to_thread(records.transcripts, limit=limit + 1, after=after)
        following = cursor_of(*rows[limit - 1][:3]) if len(rows) > limit else None
        return Page(data=[json.loads(row[3]) for row in rows[:limit]], next_cursor=following)
