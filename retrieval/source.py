"""A source of articles as the library keeps it: what it held, what it holds, and what of it could not be read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from retrieval.articles import Article
from retrieval.errors import BadInput
from retrieval.fetch import Page
from retrieval.files import write_at_once
from retrieval.ingest import Given, Skipped

Kind = Literal["file", "upload", "page"]
SCHEMA = "source/1"
VERSIONS = 20  # earlier wordings of an article that are kept


@dataclass(frozen=True)
class Source:
    """`origin` is the path below the knowledge folder, the name of an upload, or an address. `stamp` tells a file that
    was not touched and a page that did not change; `problem` says why the last reading failed, "" when it did not.
    `earlier` are the wordings that articles had, `learned` how customers put the question of an article, both by id."""

    kind: Kind
    origin: str
    hash: str
    at: str
    articles: tuple[Article, ...]
    skipped: tuple[Skipped, ...] = ()
    stamp: str = ""
    problem: str = ""
    given: Given | None = None
    earlier: Mapping[str, Sequence[Article]] = field(default_factory=dict)
    learned: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its file in the library."""
        digest = hashlib.sha256(f"{self.kind}:{self.origin}".encode()).hexdigest()[:12]
        return f"{slug(self.origin)[:60]}-{digest}.json"


@dataclass(frozen=True)
class Report:
    """Ids of articles, and what was left out and why: whole sources and parts of them."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def __add__(self, other: Report) -> Report:
        return Report(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


def slug(text: str) -> str:
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "article"


def page_id(url: str) -> str:
    """The id of a page's article: its host and path."""
    return re.sub(r"[^\w./-]+", "-", re.sub(r"^https?://(www\.)?", "", url)).strip("/-").removesuffix(".html")


def stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def blank(kind: Kind, origin: str) -> Source:
    return Source(kind, origin, hash="", at="", articles=())


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def validators(page: Page) -> str:
    kept = {name: page.headers[name] for name in ("etag", "last-modified") if name in page.headers}
    return json.dumps(kept)


def condition(old: Source | None) -> dict[str, str]:
    if old is None or old.problem or not old.stamp:
        return {}
    seen = json.loads(old.stamp)
    names = {"etag": "if-none-match", "last-modified": "if-modified-since"}
    return {names[name]: value for name, value in seen.items()}


def versioned(new: Source, old: Source) -> Source:
    """With the number of each wording, and the wordings before."""
    before = {article.id: article for article in old.articles}
    earlier = {id: list(kept) for id, kept in old.earlier.items()}
    articles = []
    for article in new.articles:
        was = before.get(article.id)
        if was is None:
            version = len(earlier.get(article.id, ())) + 1
        elif was.hash == article.hash:
            version = was.version
        else:
            version = was.version + 1
            earlier[article.id] = [*earlier.get(article.id, ()), was][-VERSIONS:]
        articles.append(replace(article, version=version))
    return replace(new, articles=tuple(articles), earlier=earlier)


def difference(old: Source, new: Source) -> Report:
    before = {article.id: article.hash for article in old.articles}
    now = {article.id: article.hash for article in new.articles}
    return Report(
        added=tuple(id for id in now if id not in before),
        changed=tuple(id for id in now if id in before and before[id] != now[id]),
        removed=tuple(id for id in before if id not in now),
        skipped=tuple(Skipped(f"{new.origin}: {one.what}", one.why) for one in new.skipped),
    )


def load(path: Path) -> Source:
    try:
        data = json.loads(path.read_text("utf-8"))
        if data.pop("schema") != SCHEMA:
            raise ValueError("it has another schema")
        articles = tuple(_article(one) for one in data.pop("articles"))
        skipped = tuple(Skipped(**one) for one in data.pop("skipped"))
        earlier = {id: [_article(one) for one in kept] for id, kept in data.pop("earlier").items()}
        given = data.pop("given")
        told = Given(**{**given, "tags": tuple(given["tags"])}) if given else None
        return Source(**data, articles=articles, skipped=skipped, given=told, earlier=earlier)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} cannot be read: {error}; delete it and add the source again") from error


def _article(data: Mapping[str, Any]) -> Article:
    return Article(**{**data, "tags": tuple(data["tags"]), "questions": tuple(data["questions"])})


def save(store: Path, source: Source) -> None:
    data = {"schema": SCHEMA, **{one.name: getattr(source, one.name) for one in fields(source)}}
    write_at_once(store / source.name, json.dumps(data, ensure_ascii=False, default=asdict))
