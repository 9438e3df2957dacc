"""transcript/1 JSON lines, ours or anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bot.transcript import Transcript, dumps, loads
from retrieval.errors import BadInput
from training.importers.rows import MAX_CHARS, Options, Rejected
from training.importers.text import encoding_of


def read(path: Path, options: Options) -> Iterator[Transcript | Rejected]:
    """One transcript or rejection for every line that is not empty. An id that stands for two conversations is one."""
    seen: dict[str, str] = {}
    with path.open(encoding=encoding_of(path), errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            found = _one(line, number, options.source_of(path))
            if isinstance(found, Transcript) and seen.setdefault(found.id, content := dumps(found)) != content:
                found = Rejected(
                    number, f"id {found.id!r} stands for another conversation above; give each its own", line
                )
            yield found


def _one(line: str, number: int, source: str) -> Transcript | Rejected:
    if "\ufffd" in line:
        return Rejected(number, "the line is not valid UTF-8; save the file as UTF-8", line)
    try:
        transcript = loads(line)
    except BadInput as error:
        return Rejected(number, str(error), line)
    for n, turn in enumerate(transcript.turns):
        if len(turn.text) > MAX_CHARS:
            return Rejected(number, f"turns[{n}].text has {len(turn.text)} characters, more than {MAX_CHARS}", line)
    return replace(transcript, source=transcript.source or source)
