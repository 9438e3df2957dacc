"""What every importer speaks: the options of an import, and a piece of input that could not be read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.transcript import slug

MAX_CHARS = 100_000
"""A longer message is no chat message but a file or a broken quote."""


@dataclass(frozen=True)
class Rejected:
    """A row or line that was left out. `line` counts from 1 in the source file, `raw` is what stands there."""

    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Options:
    """`columns`: role -> column name, "-" for none; `agents`: values of the author column that are the desk's.
    `public_after`: a contact value that the desk gave to so many customers stays (0: none does)."""

    columns: Mapping[str, str] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    source: str = ""
    public_after: int = 5

    def source_of(self, path: Path) -> str:
        """Where the conversations come from. Ids are made from it, so it must not change between two exports."""
        return self.source or slug(path.stem)


def stable_id(source: str, *key: str) -> str:
    """The same id for the same conversation in every export. A key may be a phone number, so it is hashed."""
    digest = hashlib.sha256("\0".join((source, *key)).encode("utf-8", "replace"))
    return f"{slug(source)}-{digest.hexdigest()[:16]}"
