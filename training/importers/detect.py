"""Which format a file has, by its content; the name of a file says little."""

from __future__ import annotations

import re
from pathlib import Path

from retrieval.errors import BadInput
from training.importers.text import encoding_of

FORMATS = ("jsonl", "table", "rasa")
_LOOK = 1 << 20


def detect(path: Path) -> str:
    """jsonl | table | rasa; BadInput for JSON that is neither of ours."""
    with path.open(encoding=encoding_of(path), errors="replace") as file:
        head = file.read(_LOOK).lstrip()
    if not head.startswith(("{", "[")):
        return "table"
    keys = set(re.findall(r'"(turns|events|event|sender_id)"\s*:', head))
    if "events" in keys or {"event", "sender_id"} <= keys:
        return "rasa"
    if "turns" in keys:
        return "jsonl"
    seen = ", ".join(dict.fromkeys(re.findall(r'"(\w+)"\s*:', head)[:8])) or "none"
    raise BadInput(
        f"{path} is JSON, but neither transcript/1 lines (key turns) nor a Rasa tracker (key events); it has {seen}. "
        "Convert it to transcript/1 (docs/transcripts.md) or to a CSV with one message a row"
    )
