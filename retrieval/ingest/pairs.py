"""Tables and JSON lines of questions with their answers; a row is an article, and a bad row is skipped and named."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from retrieval.errors import BadInput
from retrieval.ingest.found import Found, Given, Skipped, text_of

LONGEST_ROW = 60  # lines; a quote that is never closed would swallow the rest of the file
NAMES = {
    "question": ("question", "q", "title", "frage", "pregunta", "prompt", "query", "faq", "heading"),
    "answer": ("answer", "a", "text", "content", "antwort", "respuesta", "response", "reply", "body", "markdown"),
    "id": ("id", "key", "faq_id", "doc_id"),
    "url": ("url", "link", "source"),
    "tags": ("tags", "tag", "category", "audience"),
    "language": ("language", "lang", "locale"),
    "updated": ("updated", "modified", "date"),
    "valid_from": ("valid_from",),
    "valid_until": ("valid_until",),
    "subject": ("subject", "product", "entity"),
    "questions": ("questions", "phrasings", "alternatives", "queries", "variants"),
}
Row = tuple[int, Mapping[str, Any]]


def read(name: str, content: bytes, given: Given) -> Found:
    text = text_of(name, content)
    lines = name.lower().endswith((".jsonl", ".ndjson"))
    skipped: list[Skipped] = []
    rows = _objects(text, skipped) if lines else _table(name, text, skipped)
    articles, ids = [], set()
    for number, row in rows:
        try:
            article = _article(row, given)
        except ValueError as error:
            skipped.append(Skipped(f"line {number}", str(error)))
            continue
        if article.id in ids:
            skipped.append(Skipped(f"line {number}", f"the id {article.id!r} came before; the first one is kept"))
            continue
        ids.add(article.id)
        articles.append(article)
    if not articles:
        why = f"; line by line: {skipped[0].what}: {skipped[0].why}" if skipped else ""
        raise BadInput(f"{name}: holds no question with an answer{why}")
    return Found(tuple(articles), tuple(skipped))


def _article(row: Mapping[str, Any], given: Given) -> Any:
    question, answer = _plain(row.get("question")), str(row.get("answer") or "").strip()
    if not question or not answer:
        raise ValueError("has no " + ("question" if not question else "answer"))
    own = _plain(row.get("id")) or hashlib.sha256(question.encode()).hexdigest()[:12]
    return given.article(
        answer,
        id=f"{given.id}/{own}",
        title=question,
        url=_plain(row.get("url")),
        tags=_several(row.get("tags"), ",;|"),
        language=_plain(row.get("language"))[:2].lower(),
        subject=_plain(row.get("subject")),
        questions=_several(row.get("questions"), "|\n"),
        **{key: _day(key, row.get(key)) for key in ("updated", "valid_from", "valid_until")},
    )


def _plain(value: Any) -> str:
    return " ".join(str(value).split()) if value is not None else ""


def _several(value: Any, marks: str) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(text for part in value if (text := _plain(part)))
    text = str(value or "")
    for mark in marks[1:]:
        text = text.replace(mark, marks[0])
    return tuple(part for piece in text.split(marks[0]) if (part := _plain(piece)))


def _day(key: str, value: Any) -> str:
    text = _plain(value)[:10]
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as error:
        raise ValueError(f"{key} is {text!r}; write a date as 2026-11-22") from error


def _objects(text: str, skipped: list[Skipped]) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("is no object")
        except (ValueError, RecursionError) as error:
            skipped.append(Skipped(f"line {number}", f"is no JSON object: {error}"))
            continue
        yield number, _known(row)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row under our names; the first of the other names that it has counts."""
    lower = {str(key).strip().lower(): value for key, value in row.items()}
    return {name: next((lower[key] for key in keys if key in lower), None) for name, keys in NAMES.items()}


def _table(name: str, text: str, skipped: list[Skipped]) -> Iterator[Row]:
    lines = text.split("\n")
    mark = _delimiter(lines[0], name)
    head = next(csv.reader([lines[0]], delimiter=mark))
    known = _known(dict(zip(head, head, strict=True)))
    if known["question"] is None or known["answer"] is None:
        raise BadInput(f"{name}: its first line names the columns {', '.join(head)}; it needs 'question' and 'answer'")
    at = 1
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        values, used = _record(lines, at, mark, len(head))
        if values is None:
            skipped.append(Skipped(f"line {at + 1}", f"does not fit the {len(head)} columns, or a quote goes wrong"))
        else:
            yield at + 1, _known(dict(zip(head, values, strict=True)))
        at += used


def _delimiter(line: str, name: str) -> str:
    if name.lower().endswith(".tsv"):
        return "\t"
    return max(",;\t|", key=line.count)


def _record(lines: list[str], at: int, mark: str, width: int) -> tuple[list[str] | None, int]:
    """The record that begins at a line and how many lines it takes. One that does not fit costs its first line only,
    so that the rows after a wrong quote are read."""
    for used in range(1, min(LONGEST_ROW, len(lines) - at) + 1):
        piece = "\n".join(lines[at : at + used])
        try:
            rows = list(
                csv.reader(
                    piece.split("\n") if used == 1 else [p + "\n" for p in piece.split("\n")],
                    delimiter=mark,
                    strict=True,
                )
            )
        except csv.Error:
            continue
        if len(rows) == 1 and len(rows[0]) == width:
            return [value.rstrip("\n") for value in rows[0]], used
        break
    return None, 1
