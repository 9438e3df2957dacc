"""What operators decided about groups of requests: one JSON file that every training carries out from the start."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from retrieval.errors import BadInput
from training.groups import Decision

SCHEMA = "groups/1"


def read_decisions(path: Path) -> list[Decision]:
    """In the order in which they were made. BadInput when the file is not what `write_decisions` wrote."""
    if not path.is_file():
        return []
    try:
        table = json.loads(path.read_text("utf-8"))
        if table["schema"] != SCHEMA:
            raise ValueError(f"schema {table['schema']!r}")
        return [Decision.of(row) for row in table["decisions"]]
    except (KeyError, TypeError, ValueError) as error:
        cure = "put back a copy of it, or delete it: names and merges of groups are then forgotten"
        raise BadInput(f"{path} is no file of decisions ({error}); {cure}") from error


def write_decisions(path: Path, decisions: list[Decision]) -> None:
    table = {"schema": SCHEMA, "decisions": [asdict(one) for one in decisions]}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    fresh.write_text(json.dumps(table, ensure_ascii=False, indent=1), "utf-8")
    os.replace(fresh, path)


@contextmanager
def changing(path: Path) -> Iterator[list[Decision]]:
    """The list, to be changed; it is written when all went well. Two operators wait for each other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        decisions = read_decisions(path)
        yield decisions
        write_decisions(path, decisions)
