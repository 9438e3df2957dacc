"""Knowledge articles: Markdown files with front matter, written by the support team."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from retrieval.blocks import parse
from retrieval.errors import BadInput, NotFound

KEYS = ("title", "url", "tags", "updated")


@dataclass(frozen=True, slots=True)
class Article:
    """`id` is the path below the folder without `.md`; `markdown` is the body; `updated` is an ISO date or ""."""

    id: str
    title: str
    markdown: str
    url: str = ""
    tags: tuple[str, ...] = ()
    updated: str = ""

    @property
    def hash(self) -> str:
        """sha256 of all that ends up in the index."""
        fields = [self.id, self.title, self.markdown, self.url, self.tags, self.updated]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def load_articles(folder: Path) -> list[Article]:
    """Every `*.md` below `folder`, sorted by id. Raises one BadInput that names every file that cannot be read."""
    articles: list[Article] = []
    errors: list[str] = []
    for path in _files(folder):
        try:
            articles.append(read_article(path, path.relative_to(folder).with_suffix("").as_posix()))
        except BadInput as error:
            errors.append(str(error))
    if errors:
        raise BadInput("\n".join(errors))
    return articles


def fingerprint(folder: Path) -> str:
    """Changes when an article is added, removed, renamed or written. Reads no content, so a server may poll it."""
    stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in _files(folder)]
    seen = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise NotFound(f"knowledge folder {folder} is not there; create it with one Markdown file an article")
    return sorted(path for path in folder.rglob("*.md") if path.is_file())


def read_article(path: Path, id: str) -> Article:
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    head, body = _front_matter(path, text)
    attributes = tuple(_attributes(path, head))
    title = str(head.get("title") or _first_heading(body))
    if not title:
        raise BadInput(f"{path}: has no title; add 'title: ...' between two '---' lines at the top")
    if not any(block.kind != "heading" for block in parse(body)):
        raise BadInput(f"{path}: has no text below its front matter; write the article or remove the file")
    return Article(id, title, body, *attributes)


def _front_matter(path: Path, text: str) -> tuple[Mapping[str, Any], str]:
    lines = text.split("\n")
    if lines[0].strip() != "---":
        return {}, text
    end = next((number for number, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        raise BadInput(f"{path}: the front matter that begins in line 1 never ends; close it with a line '---'")
    try:
        head = yaml.safe_load("\n".join(lines[1:end])) or {}
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{path}: the front matter is not YAML: {reason}; quote values that hold ': '") from error
    if not isinstance(head, dict):
        raise BadInput(f"{path}: the front matter is {head!r}; write one 'key: value' a line")
    return head, "\n".join(lines[end + 1 :])


def _attributes(path: Path, head: Mapping[str, Any]) -> Iterator[Any]:
    for key in head:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, 1)
            cure = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(KEYS)}"
            raise BadInput(f"{path}: unknown front matter key {key!r}; {cure}")
    yield str(head.get("url") or "")
    tags = head.get("tags") or ()
    yield tuple(str(tag) for tag in (tags.split(",") if isinstance(tags, str) else tags))
    updated = head.get("updated") or ""
    if updated and not isinstance(updated, date):
        raise BadInput(f"{path}: updated is {updated!r}; write a date as 2026-11-22")
    yield updated.isoformat()[:10] if updated else ""


def _first_heading(body: str) -> str:
    return next((block.text for block in parse(body) if block.kind == "heading"), "")
