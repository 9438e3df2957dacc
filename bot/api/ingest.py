"""`/api/v1/knowledge/files`, `/pages`, `/runs`, `/sources`: articles from files and addresses, read by the worker, with
a report of what was skipped and why. The servers index what it read within about a second."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, UploadFile
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.api.pages import Cursor, Limit, Page, page_of
from bot.api.route import IDEMPOTENT, Body
from bot.api.training import JobModel
from bot.auth import Access
from bot.engines import Engines
from bot.ingesting import Order, check_name, incoming
from bot.jobs import Jobs
from bot.settings import Settings
from retrieval.errors import BadInput, Unavailable
from retrieval.library import Library
from retrieval.source import Source

MOST_SKIPPED = 20
Tags = Annotated[list[Annotated[str, Field(min_length=1, max_length=60)]], Field(max_length=20)]
Language = Annotated[str, Field(pattern="^([a-z]{2})?$", description="ISO 639-1, for articles that do not say theirs.")]


class Upload(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"file": "returns.pdf", "tags": ["shop"]}]}
    )

    file: UploadFile = Field(description="Markdown, HTML, PDF, DOCX, CSV or JSON lines.")
    tags: Tags = Field(default=[])
    language: Language = ""


class Pages(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"urls": ["https://shop.example/returns"], "tags": ["shop"]}]}
    )

    urls: list[Annotated[str, Field(pattern="^https?://", max_length=2000)]] = Field(default=[], max_length=5000)
    sitemap: str = Field(
        default="", pattern="^(https?://.*)?$", max_length=2000, description="Adds the pages it names."
    )
    tags: Tags = Field(default=[])
    language: Language = ""

    @model_validator(mode="after")
    def something(self) -> Pages:
        if not self.urls and not self.sitemap:
            raise ValueError("give urls, or a sitemap")
        return self


class SkippedView(BaseModel):
    what: str
    why: str


class SourceView(BaseModel):
    """`kind`: file (of the knowledge folder) | upload | page. `problem` says why the last reading failed; the source
    then keeps the articles that it had."""

    kind: str
    origin: str
    at: str
    articles: int
    problem: str
    skipped: list[SkippedView] = Field(description=f"The first {MOST_SKIPPED} parts that could not be read.")
    skipped_in_all: int

    @classmethod
    def of(cls, source: Source) -> SourceView:
        return cls(
            kind=source.kind,
            origin=source.origin,
            at=source.at,
            articles=len(source.articles),
            problem=source.problem,
            skipped=[SkippedView(what=one.what, why=one.why) for one in source.skipped[:MOST_SKIPPED]],
            skipped_in_all=len(source.skipped),
        )


def add(routes: APIRouter, access: Access, engines: Engines, jobs: Jobs, settings: Settings) -> None:
    reads, writes = [Depends(access.needs("knowledge:read"))], [Depends(access.needs("knowledge:write"))]
    _orders(routes, access, jobs, settings)

    @routes.get("/knowledge/runs", dependencies=reads)
    async def runs(limit: Limit = 50, cursor: Cursor = None) -> Page[JobModel]:
        """Newest first."""
        found = await asyncio.to_thread(jobs.all, "ingest", limit=1000)
        data, following = page_of(found, lambda view: view.id, cursor, limit)
        return Page(data=[JobModel.of(view) for view in data], next_cursor=following)

    @routes.get("/knowledge/runs/{run_id}", dependencies=reads)
    async def run(run_id: Annotated[str, InPath(pattern=r"^ingest-[0-9a-f]{1,40}$")]) -> JobModel:
        """`progress` while it runs, then `result`: `counts`, and by name what was added, changed, removed, skipped."""
        return JobModel.of(await asyncio.to_thread(jobs.get, run_id))

    @routes.get("/knowledge/sources", dependencies=reads)
    async def sources(limit: Limit = 50, cursor: Cursor = None) -> Page[SourceView]:
        """Files, uploads and pages that articles come from, with what could not be read of them and why."""
        found = sorted(await asyncio.to_thread(_sources, engines.library), key=lambda one: (one.origin, one.kind))
        data, following = page_of(found, lambda one: f"{one.kind}:{one.origin}", cursor, limit)
        return Page(data=[SourceView.of(one) for one in data], next_cursor=following)

    @routes.delete("/knowledge/sources", status_code=204, dependencies=writes)
    async def forget(origin: Annotated[str, Query(min_length=1, max_length=2000)]) -> None:
        """Removes an upload or a page with all its articles."""
        await asyncio.to_thread(engines.library.remove_source, origin)


def _orders(routes: APIRouter, access: Access, jobs: Jobs, settings: Settings) -> None:
    writes = [Depends(access.needs("knowledge:write"))]

    @routes.post("/knowledge/files", status_code=202, dependencies=writes)
    async def upload(body: Annotated[Upload, Form(media_type="multipart/form-data")]) -> JobModel:
        """Queues a file for the worker. A file of the same name replaces the earlier one; the same file again changes
        nothing."""
        name = check_name(body.file.filename or "")
        if not body.file.size:
            raise BadInput(f"{name} is empty; send the file as the form field 'file'")
        place = await asyncio.to_thread(_keep, body.file, settings)
        order = Order(name=name, stored=str(place.absolute()), tags=tuple(body.tags), language=body.language)
        try:
            return JobModel.of(await asyncio.to_thread(jobs.ingest, order))
        except BaseException:
            place.unlink(missing_ok=True)
            raise

    @routes.post("/knowledge/pages", status_code=202, dependencies=[*writes, IDEMPOTENT])
    async def pages(body: Pages) -> JobModel:
        """Queues pages for the worker. robots.txt is kept; addresses of this machine and its network are refused."""
        order = Order(
            urls=tuple(dict.fromkeys(body.urls)), sitemap=body.sitemap, tags=tuple(body.tags), language=body.language
        )
        return JobModel.of(await asyncio.to_thread(jobs.ingest, order))


def _keep(file: UploadFile, settings: Settings) -> Path:
    try:
        place = incoming(settings)
        with place.open("wb") as kept:
            shutil.copyfileobj(file.file, kept)
        return place
    except OSError as error:
        raise Unavailable(f"the file cannot be kept: {error}; is the data directory full or read-only?") from error


def _sources(library: Library) -> list[Source]:
    library.sync()
    return library.sources()
