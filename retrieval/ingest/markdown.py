"""Markdown with front matter, and plain text."""

from __future__ import annotations

from dataclasses import asdict, replace

from retrieval.articles import parse_article
from retrieval.ingest.found import Found, Given, text_of


def read(name: str, content: bytes, given: Given) -> Found:
    article = parse_article(name, text_of(name, content), given.id, title=given.title)
    own = asdict(given.article(article.markdown))
    missing = {key: value for key, value in own.items() if value and not getattr(article, key)}
    return Found((replace(article, **missing),))
