"""`/api/v1/bundles`: what was trained, what is in service, and how one follows the other."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from bot.api.pages import Cursor, Limit, Page, page_of
from bot.api.route import IDEMPOTENT, Body
from bot.api.training import JobModel
from bot.auth import Access
from bot.jobs import Jobs
from retrieval.bundle import Bundles
from retrieval.errors import BadBundle

BundleId = Annotated[str, Path(max_length=100, examples=["20260101T000000-1a2b3c4d"])]


class BundleView(BaseModel):
    """The scores are those of its replay on held-out conversations; null when it was never replayed."""

    id: str
    in_service: bool
    created: str | None
    answers: int | None
    recall_at_1: float | None = Field(description="Share of turns whose right answer comes first.")
    coverage: float | None = Field(description="Share of turns that it answers.")
    wrong_answer_rate: float | None = Field(description="Share of its answers that are wrong.")
    problem: str | None


class BundleDetail(BundleView):
    report: str = Field(description="Markdown; empty when there is none.")


class Promotion(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}, {"force": True, "reason": "urgent"}]})

    force: bool = Field(default=False, description="Pass the gate over; needs `reason`.")
    reason: str = Field(default="", max_length=500)


class InService(BaseModel):
    bundle: str


def add(routes: APIRouter, access: Access, bundles: Bundles, jobs: Jobs) -> None:
    reads, writes = [Depends(access.needs("bundles:read"))], [Depends(access.needs("bundles:write")), IDEMPOTENT]

    @routes.get("/bundles", dependencies=reads)
    async def all_(limit: Limit = 50, cursor: Cursor = None) -> Page[BundleView]:
        """Newest first."""
        data, following = page_of(list(reversed(bundles.ids())), str, cursor, limit)
        views = await asyncio.to_thread(lambda: [BundleView(**_facts(bundles, id_)) for id_ in data])
        return Page(data=views, next_cursor=following)

    @routes.post("/bundles/rollback", dependencies=writes)
    async def rollback() -> InService:
        """Puts the bundle back that was in service before."""
        return InService(bundle=await asyncio.to_thread(bundles.rollback))

    @routes.get("/bundles/{bundle_id}", dependencies=reads)
    async def one(bundle_id: BundleId) -> BundleDetail:
        """With the report that says in plain words what was learned."""
        return await asyncio.to_thread(_detail, bundles, bundle_id)

    @routes.post("/bundles/{bundle_id}/promote", status_code=202, dependencies=writes)
    async def promote(bundle_id: BundleId, body: Promotion | None = None) -> JobModel:
        """Asks the gate, which replays held-out conversations for minutes, and puts the bundle into service when it
        passes. The worker does it; `GET /api/v1/training/runs/{id}` tells how it went."""
        how = body or Promotion()
        bundles.path(bundle_id)
        return JobModel.of(await asyncio.to_thread(jobs.promote, bundle_id, force=how.force, reason=how.reason))


def _detail(bundles: Bundles, id_: str) -> BundleDetail:
    report = bundles.path(id_) / "report.md"
    return BundleDetail(**_facts(bundles, id_), report=report.read_text("utf-8") if report.is_file() else "")


def _facts(bundles: Bundles, id_: str) -> dict[str, Any]:
    facts = dict.fromkeys(BundleView.model_fields, None) | {"id": id_, "in_service": id_ == bundles.current()}
    try:
        manifest = bundles.manifest(id_)
    except BadBundle as error:
        return {**facts, "problem": str(error)}
    replay = manifest.scores.get("replay", {})
    return {
        **facts,
        "created": manifest.created,
        "answers": manifest.rows.get("answers", 0),
        "recall_at_1": replay.get("answer_recall_at_1"),
        "coverage": replay.get("coverage"),
        "wrong_answer_rate": replay.get("wrong_answer_rate"),
    }
