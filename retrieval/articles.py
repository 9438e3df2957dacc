"""Knowledge articles: Markdown with front matter, written by the support team or made from other files (`ingest`)."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import yaml

from retrieval.blocks import parse
from retrieval.errors import BadInput

KEYS = ("title", "url", "tags", "updated", "language", "subject", "valid_from", "valid_until", "questions")
DATES = ("updated", "valid_from", "valid_until")


@dataclass(frozen=True, slots=True)
class Article:
    """`id` is the path below the folder without `.md`; `markdown` is the body. Dates are ISO dates or "".

    `subject` is what several articles are about, such as a product; `questions` are other wordings of the question that
    the article answers; `language` is an ISO 639-1 code.
    """

    id: str
    title: str
    markdown: str
    url: str = ""
    tags: tuple[str, ...] = ()
    updated: str = ""
    language: str = ""
    subject: str = ""
    valid_from: str = ""
    valid_until: str = ""
    questions: tuple[str, ...] = ()
    version: int = 1

    @property
    def topic(self) -> str:
        """The subject; without one what stands before the question in a title such as "Trail tent: How do I ...?"."""
        before, colon, _ = self.title.partition(": ")
        return self.subject or (before.strip() if colon and self.asks else "")

    @property
    def asks(self) -> bool:
        """Whether the article is a question with its answer."""
        return self.title.rstrip().endswith(("?", "？"))

    @property
    def hash(self) -> str:
        """sha256 of all that ends up in the index."""
        return hashlib.sha256(json.dumps({**asdict(self), "version": 0}).encode()).hexdigest()


def parse_article(path: str, text: str, id: str, *, title: str = "") -> Article:
    """Markdown with front matter; `path` names it in errors, `title` is for one that has none."""
    head, body = _front_matter(path, text)
    attributes = _attributes(path, head)
    title = str(head.get("title") or _first_heading(body) or title)
    if not title:
        raise BadInput(f"{path}: has no title; add 'title: ...' between two '---' lines at the top")
    if not any(block.kind != "heading" for block in parse(body)):
        raise BadInput(f"{path}: has no text below its front matter; write the article or remove the file")
    return Article(id, title, body, **attributes)


def _front_matter(path: str, text: str) -> tuple[Mapping[str, Any], str]:
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


def _attributes(path: str, head: Mapping[str, Any]) -> dict[str, Any]:
    for key in head:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, 1)
            cure = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(KEYS)}"
            raise BadInput(f"{path}: unknown front matter key {key!r}; {cure}")
    dates = {key: _date(path, key, head.get(key) or "") for key in DATES}
    plain = {key: str(head.get(key) or "") for key in ("url", "language", "subject")}
    return {**plain, **dates, "tags": _words(head.get("tags")), "questions": _words(head.get("questions"), cut="\n")}


def _words(value: Any, cut: str = ",") -> tuple[str, ...]:
    parts = value.split(cut) if isinstance(value, str) else value or ()
    return tuple(text for part in parts if (text := str(part).strip()))


def _date(path: str, key: str, value: Any) -> str:
    if value and not isinstance(value, date):
        raise BadInput(f"{path}: {key} is {value!r}; write a date as 2026-11-22")
    return value.isoformat()[:10] if value else ""


def _first_heading(body: str) -> str:
    return next((block.text for block in parse(body) if block.kind == "heading"), "")
