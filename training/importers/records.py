"""Splits a delimited file into records with their line numbers, and survives a quote that is never closed."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from retrieval.errors import BadInput
from training.importers.rows import Rejected

DELIMITERS = ",;\t|"
_SAMPLE = 100


class Record(NamedTuple):
    line: int
    fields: list[str]


def delimiter_of(path: Path, encoding: str) -> str:
    """The delimiter that splits the first lines into the same number of columns most often; BadInput when none does."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        lines = [line for _, line in zip(range(_SAMPLE), file, strict=False)]

    def score(delimiter: str) -> tuple[int, int]:
        widths = [len(fields) for fields in csv.reader(lines, delimiter=delimiter) if fields]
        width = widths[0] if widths else 0
        return (Counter(widths)[width] if width > 1 else 0, width)

    best = max(DELIMITERS, key=score)
    if score(best)[1] < 2:
        raise BadInput(
            f"{path} has one column only (first {''.join(lines).strip()[:60]!r}); a table needs a conversation, "
            f"an author and a text column, separated by one of {DELIMITERS!r}"
        )
    return best


class _Lines:
    """The lines of a file, with those of the current record at hand so that they can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.current: list[str] = []
        self.ended = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
        elif (read := next(self._lines, None)) is not None:
            line = read.replace("\x00", "")
        else:
            self.ended = True
            raise StopIteration
        self.current.append(line)
        return line

    def give_back(self) -> str:
        """All lines of the current record but the first, which is returned."""
        first, *rest = self.current
        self._again.extendleft(reversed(rest))
        self.ended = False
        return first


def records(path: Path, encoding: str, delimiter: str) -> Iterator[Record | Rejected]:
    """The header first, then every record; those with another number of fields than the header are rejected."""
    csv.field_size_limit(1 << 30)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        lines, number, width = _Lines(file), 1, 0
        while (fields := _next(lines, delimiter)) is not None:
            line = number
            if (
                fields
                and len(lines.current) > 1
                and ((width and len(fields) != width) or _open_quote(lines, delimiter))
            ):
                raw = lines.give_back()
                number += 1
                yield Rejected(line, "a quote opened in this row is never closed; close it or double it", raw)
                continue
            number += len(lines.current)
            width = width or len(fields)
            raw = "".join(lines.current)
            if not raw.strip():
                continue
            if len(fields) != width:
                yield Rejected(line, f"{len(fields)} fields where the header has {width}", raw)
            elif "\ufffd" in raw:
                yield Rejected(line, f"bytes that are not {encoding}; save the file as UTF-8", raw)
            else:
                yield Record(line, fields)


def _next(lines: _Lines, delimiter: str) -> list[str] | None:
    """The fields of the next record, or None at the end. A new reader each time: it keeps no state between records."""
    lines.current = []
    return next(csv.reader(lines, delimiter=delimiter), None)


def _open_quote(lines: _Lines, delimiter: str) -> bool:
    """Whether the last record ran into the end of the file inside a quote."""
    if not lines.ended:
        return False
    try:
        list(csv.reader(lines.current, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False
