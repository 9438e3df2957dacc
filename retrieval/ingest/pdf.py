"""PDF: lines with their size and place (pypdf) -> headings, paragraphs and lists; page heads and feet are left out."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.errors import BadInput
from retrieval.ingest.found import Found, Given, Skipped

MOST_PAGES = 2000
EDGE = 2  # lines at the top and the foot of a page that may be its head or foot
LARGER = 1.15  # than the text: a heading
GAP = 1.6  # line heights: a new paragraph
_BULLET = re.compile(r"^\s*(?:[•◦▪‣·–*-]|\(?\d{1,2}[.)])\s+")


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    size: float
    y: float


def read(name: str, content: bytes, given: Given) -> Found:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    try:
        document = PdfReader(io.BytesIO(content))
        if document.is_encrypted and not document.decrypt(""):
            raise BadInput(f"{name}: is encrypted; save it without a password")
        if len(document.pages) > MOST_PAGES:
            raise BadInput(f"{name}: has {len(document.pages)} pages, at most {MOST_PAGES} are read; split it")
        pages, skipped = _pages(document)
        about = document.metadata
    except (
        PyPdfError,
        DependencyError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        why = str(error) or type(error).__name__
        raise BadInput(f"{name}: is no PDF that can be read ({why}); save it again") from error
    if not any(pages):
        raise BadInput(f"{name}: {len(pages)} pages and no text; it is scanned, run it through text recognition (OCR)")
    blocks = list(_blocks(_without_edges(pages)))
    first = next((text for mark, text in blocks if mark), "")
    title = given.title or str((about.title if about else "") or "").strip() or first or given.id.rpartition("/")[2]
    markdown = "\n\n".join(mark + text for mark, text in blocks if not (mark and text == title))
    updated = _date(about)
    return Found((given.article(markdown, title=title, updated=given.updated or updated),), tuple(skipped))


def _pages(document: Any) -> tuple[list[list[Line]], list[Skipped]]:
    from pypdf.errors import PyPdfError

    pages: list[list[Line]] = []
    skipped: list[Skipped] = []
    for number, page in enumerate(document.pages, 1):
        lines: list[Line] = []
        try:
            lines = list(_lines(page))
        except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            skipped.append(Skipped(f"page {number}", f"cannot be read: {error or type(error).__name__}"))
        else:
            if not lines:
                skipped.append(Skipped(f"page {number}", "has no text"))
        pages.append(lines)
    return pages, skipped


def _lines(page: Any) -> Iterator[Line]:
    parts: list[tuple[str, float, float]] = []

    def visit(text: str, matrix: Any, place: Any, _font: Any, size: float) -> None:
        height = abs(float(size) * float(place[3] or place[0] or 1.0) * float(matrix[3] or matrix[0] or 1.0))
        parts.append((text, height, float(place[5])))

    page.extract_text(visitor_text=visit)
    kept: list[tuple[str, float, float]] = []
    for text, size, y in parts:
        before, *after = text.split("\n")
        kept.append((before, size, y))
        for piece in after:
            yield from _line(kept)
            kept = [(piece, size, y)]
    yield from _line(kept)


def _line(parts: Sequence[tuple[str, float, float]]) -> Iterator[Line]:
    said = [(text, size, y) for text, size, y in parts if text.strip()]
    text = " ".join("".join(text for text, _, _ in parts).split())
    if said and text:
        yield Line(text, max(size for _, size, _ in said), said[0][2])


def _without_edges(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Without lines that stand at the edge of half of the pages and are no sentence: page heads and feet. Numbers in
    them may differ, but not those of larger lines, which are numbered headings."""
    body = _body(pages)

    def same(line: Line) -> str:
        return line.text if line.size >= LARGER * body else re.sub(r"\d+", "#", line.text)

    edges: Counter[str] = Counter()
    for page in pages:
        edges.update({same(line) for line in (*page[:EDGE], *page[-EDGE:])})
    often = {
        text for text, count in edges.items() if count >= max(3, len(pages) / 2) and not text.endswith((".", "!", "?"))
    }
    return [
        [line for at, line in enumerate(page) if not (min(at, len(page) - 1 - at) < EDGE and same(line) in often)]
        for page in pages
    ]


def _sizes(pages: Sequence[Sequence[Line]]) -> Counter[float]:
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[round(line.size, 1)] += len(line.text)
    return sizes


def _body(pages: Sequence[Sequence[Line]]) -> float:
    """The size that most of the text has."""
    sizes = _sizes(pages)
    return sizes.most_common(1)[0][0] if sizes else 1.0


def _blocks(pages: Sequence[Sequence[Line]]) -> Iterator[tuple[str, str]]:
    """(mark of a heading or "", text); a paragraph may go over a page."""
    body = _body(pages)
    larger = sorted({size for size in _sizes(pages) if size >= LARGER * body}, reverse=True)[:4]
    kept: list[str] = []
    before: Line | None = None
    for line in (line for page in pages for line in page):
        size = round(line.size, 1)
        heading = size in larger and len(line.text.split()) <= 14 and not line.text.endswith((".", ",", ";"))
        if kept and (heading or _breaks(before, line, body)):
            yield "", _joined(kept)
            kept = []
        if heading:
            yield "#" * (larger.index(size) + 1) + " ", line.text
        else:
            kept.append(line.text)
        before = None if heading else line
    if kept:
        yield "", _joined(kept)


def _breaks(before: Line | None, line: Line, body: float) -> bool:
    if before is None or line.y > before.y:  # a new column or page goes on with the sentence
        return before is None or before.text.endswith((".", "!", "?", ":"))
    return before.y - line.y > GAP * max(before.size, body)


def _joined(lines: Iterable[str]) -> str:
    """Lines of one paragraph; list items stay lines, and a word that was cut at the end of a line is whole again."""
    text = ""
    for line in lines:
        if _BULLET.match(line):
            text += ("\n" if text else "") + re.sub(r"^\s*[•◦▪‣·–*]\s+", "- ", line)
        elif re.search(r"[^\W\d_]-$", text) and line[:1].islower():
            text = text[:-1] + line
        else:
            text += (" " if text else "") + line
    return text


def _date(about: Any) -> str:
    try:
        when = about.modification_date or about.creation_date if about else None
    except ValueError:  # dates of PDF files are written by hand at times
        return ""
    return when.date().isoformat() if when else ""
