"""An article -> passages of about 60 to 180 words along its headings.

A passage never mixes two headings, because its heading is what a customer sees as the source; so a short section is a
short passage. No sentence, list or table is cut: one that is longer than `MOST` words is a passage of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from retrieval.articles import Article
from retrieval.blocks import Block, count_words, parse, sentences

MOST = 180  # words
AIM = 120

_SENTENCE, _BLOCK = " ", "\n\n"


@dataclass(frozen=True, slots=True)
class Section:
    """`heading` is the path below the title, as in "Returns > What it costs"; "" before the first heading."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is never cut, with the white space that stood before it."""

    glue: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A passage before it has a score; `retrieval.blocks.units(text)` gives its sentences, lists and tables."""

    heading: str
    text: str


def drafts(article: Article) -> list[Draft]:
    """The passages of an article in order, at least one: an article without text is found by its title."""
    return [draft for section in sections(article) for draft in _cut(section)] or [Draft("", article.title)]


def sections(article: Article) -> Iterator[Section]:
    path: list[tuple[int, str]] = []
    blocks: list[Block] = []
    for block in parse(article.markdown):
        if block.kind != "heading":
            blocks.append(block)
            continue
        if blocks:
            yield Section(_heading(path, article.title), tuple(blocks))
        blocks = []
        path = [*((level, text) for level, text in path if level < block.level), (block.level, block.text)]
    if blocks:
        yield Section(_heading(path, article.title), tuple(blocks))


def _heading(path: Iterable[tuple[int, str]], title: str) -> str:
    return " > ".join(text for _, text in path if text != title)


def _cut(section: Section) -> Iterator[Draft]:
    pieces = list(_pieces(section.blocks))
    words = sum(count_words(piece.text) for piece in pieces)
    parts = 1 if words <= MOST else math.ceil(words / AIM)
    kept: list[Piece] = []
    size = 0
    for piece in pieces:
        more = count_words(piece.text)
        if kept and (size + more > MOST or (size >= words / parts and more > 0)):
            yield _draft(section.heading, kept)
            kept, size = [], 0
        kept.append(piece)
        size += more
    yield _draft(section.heading, kept)


def _draft(heading: str, pieces: list[Piece]) -> Draft:
    return Draft(heading, "".join(piece.glue + piece.text for piece in pieces).strip())


def _pieces(blocks: Iterable[Block]) -> Iterator[Piece]:
    """Sentences of paragraphs, whole lists and tables; a list or table keeps the line that introduces it."""
    waiting: Piece | None = None
    for block in blocks:
        for piece in _of_block(block):
            if waiting and block.kind != "paragraph":
                yield Piece(_BLOCK, f"{waiting.text}\n{piece.text}")
                waiting = None
                continue
            if waiting:
                yield waiting
            waiting = piece if piece.text.endswith(":") else None
            if waiting is None:
                yield piece
    if waiting:
        yield waiting


def _of_block(block: Block) -> Iterator[Piece]:
    if block.kind != "paragraph":
        yield Piece(_BLOCK, block.text)
        return
    for number, sentence in enumerate(sentences(block.text)):
        yield Piece(_SENTENCE if number else _BLOCK, sentence)
