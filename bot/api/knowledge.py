"""`/api/v1/knowledge`: the articles that the bot quotes, what became of them, and search. Articles that are written
here are files of `knowledge/` in the configuration; servers follow them within about a second, whoever writes them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from bot.api.pages import Cursor, Limit, Page, page_of
from bot.api.route import Body
from bot.auth import Access
from bot.engines import Engines
from retrieval.articles import Article, parse_article
from retrieval.conflicts import Conflict, conflicts
from retrieval.errors import BadInput, Unavailable
from retrieval.files import write_at_once
from retrieval.library import Library
from retrieval.shelves import passages

AnyId = Annotated[str, InPath(min_length=1, max_length=500, examples=["shipping/abroad"])]
PART = r"[a-z0-9][a-z0-9_-]{0,63}"
ArticleId = Annotated[
    str, InPath(pattern=rf"^{PART}(/{PART}){{0,3}}$", max_length=255, examples=["shipping/abroad"])
]  # fmt: skip


class ArticleView(BaseModel):
    id: str
    title: str
    url: str
    tags: list[str]
    updated: str
    language: str
    valid_from: str
    valid_until: str
    version: int

    @classmethod
    def of(cls, article: Article) -> ArticleView:
        shown = {name: getattr(article, name) for name in ArticleView.model_fields}
        return cls(**{**shown, "tags": list(article.tags)})


class PieceView(BaseModel):
    """A passage of an article, as it is searched and quoted."""

    id: str
    heading: str
    text: str


class VersionView(BaseModel):
    version: int
    title: str
    markdown: str


class WholeView(BaseModel):
    article: ArticleView
    markdown: str
    questions: list[str] = Field(description="Other wordings of its question, written and learned.")
    source: str = Field(description="A file of the knowledge folder, the name of an upload, or an address.")
    passages: list[PieceView]
    earlier: list[VersionView] = Field(description="Wordings it had before, the newest first.")


class PassageView(BaseModel):
    """`p_relevant` is how surely the passage answers the query; `score` is how close it is."""

    id: str
    article: str
    title: str
    heading: str
    text: str
    url: str
    score: float
    p_relevant: float


class StatementView(BaseModel):
    article: str
    title: str
    heading: str
    text: str
    updated: str


class ConflictView(BaseModel):
    """Two sentences with nearly the same words, and what differs: numbers, dates, or yes and no."""

    what: str
    newer: StatementView
    older: StatementView
    elsewhere: bool = Field(description="The titles name different things, so that both may hold.")

    @classmethod
    def of(cls, found: Conflict) -> ConflictView:
        newer, older = (
            StatementView(**{name: getattr(side, name) for name in StatementView.model_fields})
            for side in (found.newer, found.older)
        )
        return cls(what=found.what, newer=newer, older=older, elsewhere=found.elsewhere)


class Write(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"markdown": "# Shipping\n\nWe ship to all of Europe."}]}
    )

    markdown: str = Field(min_length=1, description="With front matter where needed; see docs/knowledge.md.")


def add(routes: APIRouter, access: Access, engines: Engines, folder: Path) -> None:
    reads, writes = [Depends(access.needs("knowledge:read"))], [Depends(access.needs("knowledge:write"))]

    @routes.get("/knowledge/articles", dependencies=reads)
    async def articles(limit: Limit = 50, cursor: Cursor = None) -> Page[ArticleView]:
        """By id."""
        found = sorted(await asyncio.to_thread(_articles, engines.library), key=lambda article: article.id)
        data, following = page_of(found, lambda article: article.id, cursor, limit)
        return Page(data=[ArticleView.of(article) for article in data], next_cursor=following)

    @routes.get("/knowledge/articles/{article_id:path}", dependencies=reads)
    async def article(article_id: AnyId) -> WholeView:
        """One with the passages it became, where it comes from, and its earlier wordings."""
        return await asyncio.to_thread(_whole, engines.library, article_id)

    @routes.get("/knowledge/search", dependencies=reads)
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=1000)], k: Annotated[int, Query(ge=1, le=50)] = 5
    ) -> list[PassageView]:
        """Passages that answer `q`, best first."""
        if not q.strip():
            raise BadInput("q is empty; send the question")
        engine = engines.engine
        found = await asyncio.to_thread(lambda: engine.search(engine.understand(q), k=k))
        return [PassageView(**{name: getattr(one, name) for name in PassageView.model_fields}) for one in found]

    @routes.get("/knowledge/conflicts", dependencies=reads)
    async def contradictions(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[ConflictView]:
        """Articles that contradict each other, those under titles that name one thing first."""
        found = await asyncio.to_thread(lambda: conflicts(_articles(engines.library)))
        return [ConflictView.of(one) for one in found[:limit]]

    @routes.put("/knowledge/articles/{article_id:path}", dependencies=writes)
    async def write(article_id: ArticleId, body: Write) -> ArticleView:
        """Adds the article, or replaces it."""
        article = parse_article(article_id, body.markdown, article_id)
        await asyncio.to_thread(_write, folder / f"{article_id}.md", body.markdown)
        return ArticleView.of(article)

    @routes.delete("/knowledge/articles/{article_id:path}", status_code=204, dependencies=writes)
    async def remove(article_id: AnyId) -> None:
        """The bot stops quoting it. One of several in an upload or a page is left out until that changes."""
        await asyncio.to_thread(_remove, engines.library, folder, article_id)


def _articles(library: Library) -> list[Article]:
    library.sync()  # what was written a moment ago counts
    return library.articles()


def _write(path: Path, markdown: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_at_once(path, markdown)
    except OSError as error:
        raise Unavailable(f"the article cannot be written: {error}; is the configuration read-only here?") from error


def _whole(library: Library, id_: str) -> WholeView:
    library.sync()
    source, newest = library.owner(id_)
    return WholeView(
        article=ArticleView.of(newest),
        markdown=newest.markdown,
        questions=list(dict.fromkeys((*newest.questions, *source.learned.get(id_, ())))),
        source=source.origin,
        passages=[PieceView(id=one.id, heading=one.heading, text=one.text) for one in passages(newest)],
        earlier=[
            VersionView(version=one.version, title=one.title, markdown=one.markdown)
            for one in library.versions(id_)[1:]
        ],
    )


def _remove(library: Library, folder: Path, id_: str) -> None:
    library.sync()
    source, _ = library.owner(id_)
    if source.kind != "file":
        library.remove(id_)
        return
    if len(source.articles) > 1:
        raise BadInput(f"{id_} is one of {len(source.articles)} articles of {source.origin}; change that file")
    try:
        (folder / source.origin).unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"the article cannot be removed: {error}; is the configuration read-only here?") from error
