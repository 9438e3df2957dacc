"""`/api/v1/knowledge`: the articles that the bot quotes. They are files of `knowledge/` in the configuration; servers
follow them within about a second, whoever writes them."""

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
from retrieval.errors import BadInput, NotFound, Unavailable
from retrieval.files import write_at_once
from retrieval.library import Library

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

    @classmethod
    def of(cls, article: Article) -> ArticleView:
        shown = {name: getattr(article, name) for name in cls.model_fields}
        return cls(**{**shown, "tags": list(article.tags)})


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

    @routes.put("/knowledge/articles/{article_id:path}", dependencies=writes)
    async def write(article_id: ArticleId, body: Write) -> ArticleView:
        """Adds the article, or replaces it."""
        article = parse_article(article_id, body.markdown, article_id)
        await asyncio.to_thread(_write, folder / f"{article_id}.md", body.markdown)
        return ArticleView.of(article)

    @routes.delete("/knowledge/articles/{article_id:path}", status_code=204, dependencies=writes)
    async def remove(article_id: ArticleId) -> None:
        """The bot stops quoting it."""
        await asyncio.to_thread(_remove, folder / f"{article_id}.md")


def _articles(library: Library) -> list[Article]:
    library.sync()  # what was written a moment ago counts
    return library.articles()


def _write(path: Path, markdown: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_at_once(path, markdown)
    except OSError as error:
        raise Unavailable(f"the article cannot be written: {error}; is the configuration read-only here?") from error


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise NotFound(f"no article {path.stem!r}; GET /api/v1/knowledge/articles lists them") from error
    except OSError as error:
        raise Unavailable(f"the article cannot be removed: {error}; is the configuration read-only here?") from error
