"""What a reader is told, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from retrieval.articles import Article
from retrieval.errors import BadInput


@dataclass(frozen=True, slots=True)
class Skipped:
    """`what` names the part of a source, such as a row or a page."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    articles: tuple[Article, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """`id` is that of the article, or what the ids of several begin with. The rest is for articles that do not say it
    themselves."""

    id: str
    title: str = ""
    url: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""
    updated: str = ""
    valid_from: str = ""
    valid_until: str = ""

    def article(self, markdown: str, **own: Any) -> Article:
        """An article whose `own` attributes come first, where they are not empty."""
        names = ("title", "url", "tags", "language", "updated", "valid_from", "valid_until")
        kept = {name: own.pop(name, "") or getattr(self, name) for name in names}
        return Article(own.pop("id", self.id), markdown=markdown, **kept, **own)


def text_of(name: str, content: bytes) -> str:
    """UTF-8, or UTF-16 with its mark. Raises BadInput for anything else: a wrong guess would reach customers."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
