"""Transcript files, and data/transcripts: every conversation that training may read, redacted.

The folder is append-only, has one file an import, and holds no id twice. The schema: `bot/transcript_schema.py`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from json import JSONDecoder
from pathlib import Path
from typing import IO

from bot.transcript_schema import (
    SCHEMA,
    SPEAKERS,
    By,
    Outcome,
    Transcript,
    Turn,
    clean,
    decode,
    dumps,
    encode,
    iso,
    loads,
    seconds,
)
from retrieval.errors import BadInput

__all__ = [
    "SCHEMA",
    "SPEAKERS",
    "Added",
    "By",
    "Outcome",
    "Transcript",
    "TranscriptFolder",
    "Turn",
    "clean",
    "decode",
    "dumps",
    "encode",
    "iso",
    "loads",
    "read",
    "replace_file",
    "seconds",
    "slug",
    "write",
]


def read(path: Path) -> Iterator[Transcript]:
    """The transcripts of a file in its order, empty lines skipped; BadInput names the file and the line."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        yield loads(line)
                    except BadInput as error:
                        raise BadInput(f"{path}, line {number}: {error}") from error
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; give a {SCHEMA} JSONL file") from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise BadInput(f"{path} cannot be read as UTF-8 text: {error}") from error


def write(path: Path, transcripts: Iterable[Transcript]) -> int:
    """Write all of them or, when anything fails, nothing; returns how many."""
    count = 0

    def fill(file: IO[str]) -> Path:
        nonlocal count
        for transcript in transcripts:
            file.write(dumps(transcript) + "\n")
            count += 1
        return path

    replace_file(path.parent, fill)
    return count


def replace_file(folder: Path, fill: Callable[[IO[str]], Path | None]) -> None:
    """Let `fill` write a temporary file in `folder`, then rename it to the path that `fill` returns (None: drop it).

    Flushed to disk before the rename: after a crash or on a full disk the old file or the whole new one is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", dir=folder)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            target = fill(file)
            file.flush()
            os.fsync(file.fileno())
        if target is not None:
            os.chmod(name, 0o644)
            os.replace(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


@dataclass(frozen=True)
class Added:
    new: int
    unchanged: int


class TranscriptFolder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self) -> list[Path]:
        return sorted(self.root.glob("*.jsonl"))

    def add(self, transcripts: Iterable[Transcript], source: str) -> Added:
        """Append those whose id is not there yet as one new file; all of them or, when anything fails, none.

        The file is named after `source` and its content, so the same import makes the same file.
        """
        new = unchanged = 0

        def fill(file: IO[str]) -> Path | None:
            nonlocal new, unchanged
            digest = hashlib.sha256()
            for transcript in transcripts:
                if transcript.id in known:
                    unchanged += 1
                    continue
                known.add(transcript.id)
                line = dumps(transcript) + "\n"
                file.write(line)
                digest.update(line.encode())
                new += 1
            return self.root / f"{slug(source)}-{digest.hexdigest()[:12]}.jsonl" if new else None

        with self._locked():
            known = self.ids()
            replace_file(self.root, fill)
        return Added(new, unchanged)

    def ids(self) -> set[str]:
        found: set[str] = set()
        for path in self.files():
            with path.open(encoding="utf-8") as lines:
                found.update(_id(line) for line in lines if line.strip())
        return found

    def read(self) -> Iterator[Transcript]:
        """All transcripts by `started_at`, those without one first, ties by id."""
        return iter(sorted(self._all(), key=lambda t: (t.started_at or "", t.id)))

    def fingerprint(self) -> str:
        """sha256 of the content; the same for the same lines, however they are spread over files."""
        lines = sorted(hashlib.sha256(dumps(t).encode()).digest() for t in self._all())
        return hashlib.sha256(b"".join(lines)).hexdigest()

    def public(self) -> frozenset[str]:
        """Contact values of the desk itself that are not masked: `public.txt`, one a line, for the operator to edit."""
        path = self.root / "public.txt"
        return frozenset(path.read_text(encoding="utf-8").splitlines()) if path.exists() else frozenset()

    def publish(self, values: Iterable[str]) -> None:
        """Add to `public.txt`."""
        path = self.root / "public.txt"
        with self._locked():
            if all_of_them := sorted(self.public() | set(values)):
                replace_file(self.root, lambda file: path if file.write("\n".join(all_of_them) + "\n") else None)

    def _all(self) -> Iterator[Transcript]:
        for path in self.files():
            yield from read(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


_BEFORE_ID = f'{{"schema":"{SCHEMA}","id":'


def _id(line: str) -> str:
    """The id of a line; a line that we wrote begins with it, so the rest needs no parsing."""
    if not line.startswith(_BEFORE_ID):
        return loads(line).id
    return str(JSONDecoder().raw_decode(line, len(_BEFORE_ID))[0])


def slug(name: str) -> str:
    """A name that is safe in a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "import"
