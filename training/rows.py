"""The rows that `deskhand evaluate` reads: JSON objects, one a line, UTF-8. Every error names file, line and the cure.

Keys that are not needed are ignored, so a file may carry ids and splits of its own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import BadInput
from retrieval.types import Entity

IntentRow = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class TurnRow:
    text: str
    id: str
    dialogue: str | None
    intent: str | None


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """`context` holds the earlier turns, oldest first; `gold` the ids of the documents that answer it."""

    id: str
    text: str
    context: tuple[str, ...]
    gold: frozenset[str]


def read_intents(path: Path) -> list[IntentRow]:
    """(text, intent) rows; an intent that is null or absent is None, out of scope."""
    return [(_text(row, "text", at), _optional(row, "intent", at)) for at, row in _rows(path, "text, intent")]


def check_trainable(rows: Sequence[IntentRow], path: Path) -> None:
    """BadInput unless the rows hold at least two intents and two texts."""
    intents = {intent for _, intent in rows if intent is not None}
    if not intents:
        raise BadInput(f'{path}: no row has an intent; give rows like {{"text": "...", "intent": "..."}}')
    if len(intents) == 1:
        raise BadInput(f"{path}: every row has the intent {next(iter(intents))!r}; at least two intents are needed")
    if len({text for text, _ in rows}) == 1:
        raise BadInput(f"{path}: all rows have the same text {rows[0][0]!r}; nothing can be learned from it")


def draw_shots(rows: Sequence[IntentRow], shots: int, *, seed: int) -> list[IntentRow]:
    """At most `shots` rows of each intent, drawn by `seed`; out-of-scope rows stay out. Keeps the order of the file."""
    by_intent: dict[str, list[int]] = defaultdict(list)
    for index, (_, intent) in enumerate(rows):
        if intent is not None:
            by_intent[intent].append(index)
    rng = np.random.default_rng(seed)
    drawn = [i for _, own in sorted(by_intent.items()) for i in rng.permutation(own)[:shots]]
    return [rows[i] for i in sorted(drawn)]


def read_entities(path: Path) -> list[tuple[str, tuple[Entity, ...]]]:
    """Texts with their entities: `{entity, start, end}` and, where there are any, `role` and `group`."""
    found = []
    for row, at in ((row, at) for at, row in _rows(path, "text, entities")):
        text, listed = _text(row, "text", at), row.get("entities") or []
        if not isinstance(listed, list):
            raise BadInput(f"{at}: entities is {_shown(listed)}; it must be a list")
        found.append((text, tuple(_entity(one, text, at) for one in listed)))
    return found


def _entity(one: Any, text: str, at: str) -> Entity:
    if not isinstance(one, dict):
        raise BadInput(f'{at}: an entity is {_shown(one)}; write {{"entity": name, "start": 3, "end": 9}}')
    name, start, end = _text(one, "entity", at), one.get("start"), one.get("end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        long = f"text of {len(text)} characters"
        raise BadInput(f"{at}: entity {name!r} from {_shown(start)} to {_shown(end)} is no piece of a {long}")
    return Entity(name, text[start:end], start, end, role=_optional(one, "role", at), group=_optional(one, "group", at))


def read_turns(path: Path) -> list[TurnRow]:
    """Rows for induction; an id that is absent is the line number."""
    return [
        TurnRow(
            text=_text(row, "text", at),
            id=_optional(row, "id", at) or str(number),
            dialogue=_optional(row, "dialogue", at),
            intent=_optional(row, "intent", at),
        )
        for number, (at, row) in enumerate(_rows(path, "text and any of id, dialogue, intent"), 1)
    ]


def read_documents(path: Path) -> list[Document]:
    found = [
        Document(_text(row, "id", at), _optional(row, "title", at) or "", _text(row, "text", at))
        for at, row in _rows(path, "id, title, text")
    ]
    _unique([document.id for document in found], path)
    return found


def read_questions(path: Path) -> list[Question]:
    found = []
    for at, row in _rows(path, "id, text, context, gold"):
        context, gold = _texts(row, "context", at), _texts(row, "gold", at)
        if not gold:
            raise BadInput(f"{at}: gold is empty; name the ids of the documents that answer it, or drop the row")
        found.append(Question(_text(row, "id", at), _text(row, "text", at), tuple(context), frozenset(gold)))
    return found


def check_gold(questions: Sequence[Question], documents: Sequence[Document], path: Path) -> None:
    known = {document.id for document in documents}
    for question in questions:
        if missing := sorted(question.gold - known):
            gone = f"names the document {missing[0]!r}, which is not in --documents"
            raise BadInput(f"{path}: question {question.id!r} {gone}")


def _rows(path: Path, keys: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(`file, line n`, object) of every line that is not blank; BadInput when there is none."""
    empty = True
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        at, empty = f"{path}, line {number}", False
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{at}: not JSON ({error}); write one object with {keys} a line") from error
        if not isinstance(row, dict):
            raise BadInput(f"{at}: {type(row).__name__} instead of an object; write one object with {keys} a line")
        yield at, row
    if empty:
        raise BadInput(f"{path} is empty; give JSON lines with {keys}")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").split("\n")
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; give a JSONL file") from error
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a directory; give a JSONL file") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8 and try again") from error


def _text(row: dict[str, Any], key: str, at: str) -> str:
    value = row.get(key)
    if isinstance(value, str) and value.strip():
        return value
    if key not in row:
        raise BadInput(f"{at}: no {key!r}, only {', '.join(sorted(row)) or 'nothing'}; rename the key that holds it")
    raise BadInput(f"{at}: {key} is {_shown(value)}; it must be a text that is not empty")


def _optional(row: dict[str, Any], key: str, at: str) -> str | None:
    value = row.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, str):
        return value or None
    raise BadInput(f"{at}: {key} is {_shown(value)}; it must be a text or null")


def _texts(row: dict[str, Any], key: str, at: str) -> list[str]:
    value = row.get(key) or []
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise BadInput(f"{at}: {key} is {_shown(value)}; it must be a list of texts")


def _unique(ids: Sequence[str], path: Path) -> None:
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise BadInput(f"{path}: the id {id!r} stands there twice; every document needs an id of its own")
        seen.add(id)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
