from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.redaction import Redactor
from bot.transcript import TranscriptFolder
from training.importers import Options, Report, import_files

SHARED = Path(os.environ.get("DESKHAND_SHARED", Path(__file__).parents[4] / "shared"))


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"no shared folder at {SHARED}")
    return SHARED


class Desk:
    """A data directory, and an import into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = TranscriptFolder(root / "data" / "transcripts")
        self.quarantine = root / "data" / "quarantine"

    def file(self, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = self.root / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    def imports(
        self, path: Path, options: Options | None = None, *, format: str = "auto", dry_run: bool = False
    ) -> Report:
        redactor = Redactor(salt=b"test")
        reports = import_files(
            [path], format, options or Options(), self.folder, self.quarantine, redactor, dry_run=dry_run
        )
        return reports[0]

    def bytes(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted((self.root / "data").rglob("*")) if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


MakeTable = Callable[..., str]


@pytest.fixture
def table() -> MakeTable:
    """A CSV of `chats` chats, each asked by a customer and answered by an agent."""

    def make(chats: int = 4, *, header: str = "conversation_id,time,speaker,text", sep: str = ",") -> str:
        rows = [header.replace(",", sep)]
        for n in range(chats):
            rows.append(
                sep.join((f"c{n}", f"2026-01-0{n % 9 + 1}T10:00:00Z", "customer", f"Where is my parcel number {n}?"))
            )
            rows.append(sep.join((f"c{n}", f"2026-01-0{n % 9 + 1}T10:00:30Z", "agent", "It is on its way to you.")))
        return "\n".join(rows) + "\n"

    return make
