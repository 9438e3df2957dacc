"""A bundle is an immutable directory that one training run made. Files first, manifest last, then one rename.

`verify` refuses, never warns. `CURRENT` holds the id in service and is replaced atomically; `HISTORY` is the list of
what was promoted before, so that a rollback needs no guess.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retrieval.errors import BadBundle, NotFound

SCHEMA = "bundle/3"
_ID = re.compile(r"^\d{8}T\d{6}-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Thresholds:
    """Probabilities in [0, 1] from which on the bot acts by itself; they follow from the error budget.

    `taught` is for answers that a person taught; None, in a bundle without them, means as `answer`. `promises` says
    what `answer` would be for other budgets ("0.02"), so that the exam can show whether those are kept.
    """

    answer: float = 0.9
    taught: float | None = None
    passage: float = 0.5
    intent: float = 0.5
    in_scope: float = 0.5
    promises: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself. `files` maps a relative path to its sha256, `rows` a table to its row count.

    `seal` is the sha256 of all the rest, so that a threshold cannot change unseen either.
    """

    id: str
    created: str
    dimension: int
    labels: tuple[str, ...]
    thresholds: Thresholds
    rows: dict[str, int]
    data: str
    config: str
    versions: dict[str, str]
    encoder: dict[str, Any]
    scores: dict[str, Any] = field(default_factory=dict)
    probes: tuple[dict[str, Any], ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    schema: str = SCHEMA
    seal: str = ""

    @classmethod
    def from_json(cls, data: Any) -> Manifest:
        if not isinstance(data, dict):
            raise BadBundle(f"a manifest is an object, not {str(data)[:40]!r}; train again or roll back")
        if data.get("schema") != SCHEMA:
            raise BadBundle(f"bundle schema is {data.get('schema')!r}, this version reads {SCHEMA!r}: train again")
        if not data.get("seal"):
            raise BadBundle(f"bundle {data.get('id')}: it was made by an earlier version of Deskhand; train again")
        if data.get("seal") != seal(data):
            raise BadBundle(
                f"bundle {data.get('id')}: its manifest is damaged (the seal differs); roll back or train again"
            )
        try:
            values = {
                **data,
                "labels": tuple(data["labels"]),
                "probes": tuple(data["probes"]),
                "thresholds": Thresholds(**data["thresholds"]),
            }
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise BadBundle(f"the manifest does not fit {SCHEMA}: {error}; train again or roll back") from error


def new_id(fingerprint: str) -> str:
    """`<utc>-<hash8>`; the hash tells runs of the same second apart."""
    now = datetime.now(UTC)
    digest = hashlib.sha256(f"{fingerprint}{now.isoformat()}{os.getpid()}".encode()).hexdigest()
    return f"{now:%Y%m%dT%H%M%S}-{digest[:8]}"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(data: Mapping[str, Any]) -> str:
    """sha256 of a manifest as it stands in JSON, without its own seal."""
    rest = {key: value for key, value in data.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Hash every file below `directory` and write `manifest.json`, durably. Replaces an earlier manifest."""
    files = {
        str(path.relative_to(directory)): sha256(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    data = json.loads(json.dumps({**asdict(manifest), "files": files}))
    data["seal"] = seal(data)
    _write_durably(directory / "manifest.json", json.dumps(data, indent=1, ensure_ascii=False))


def read_manifest(directory: Path) -> Manifest:
    path = directory / "manifest.json"
    if not path.is_file():
        raise BadBundle(f"{directory} has no manifest.json: it is no finished bundle; train again or roll back")
    try:
        data = json.loads(path.read_text("utf-8"), parse_float=_as_written)
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"{path} is not JSON ({error}); train again or roll back") from error
    return Manifest.from_json(data)


def _as_written(text: str) -> float:
    """Two texts can be one number (0.8, 0.80000000000000001): what Python would not write is no whole manifest."""
    value = float(text)
    if repr(value) != text:
        raise BadBundle(f"the manifest is damaged: {text} stands for {value!r}; roll back or train again")
    return value


def verify(directory: Path) -> Manifest:
    """The manifest, once every file that it names is there with the right sha256 and nothing else lies beside them."""
    manifest = read_manifest(directory)
    there = {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()} - {"manifest.json"}
    if odd := there ^ manifest.files.keys():
        raise BadBundle(f"bundle {manifest.id}: files do not match the manifest: {', '.join(sorted(odd))}; roll back")
    for name, expected in manifest.files.items():
        if sha256(directory / name) != expected:
            raise BadBundle(f"bundle {manifest.id}: {name} is damaged (sha256 differs); roll back or train again")
    return manifest


class Bundles:
    """The directory that holds all bundles, and which one is in service."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ids(self) -> list[str]:
        """Finished bundles, oldest first."""
        if not self.root.is_dir():
            return []
        return sorted(p.name for p in self.root.iterdir() if _ID.match(p.name) and (p / "manifest.json").is_file())

    def path(self, id: str) -> Path:
        if id not in self.ids():
            known = ", ".join(self.ids()[-3:]) or "none yet: run `deskhand train`"
            raise NotFound(f"no bundle {id!r} in {self.root}; latest: {known}")
        return self.root / id

    def manifest(self, id: str) -> Manifest:
        return read_manifest(self.path(id))

    def current(self) -> str | None:
        try:
            return (self.root / "CURRENT").read_text("utf-8").strip() or None
        except FileNotFoundError:
            return None

    def in_service(self) -> Path:
        """The directory of the bundle in service. NotFound when there is none."""
        if (id := self.current()) is None:
            raise NotFound(f"no bundle in service in {self.root}; run `deskhand train --promote` first")
        return self.path(id)

    def promote(self, id: str) -> None:
        """Put a bundle into service. Servers see it within a second. A damaged bundle is refused."""
        verify(self.path(id))
        before = self.current()
        if before == id:
            return
        if before:
            self._write_history([*self.history(), before])
        _write_durably(self.root / "CURRENT", id + "\n")
        self._note(id, before, "promoted")

    def rollback(self) -> str:
        """Put the bundle back that was in service before, and return its id."""
        history = self.history()
        if not history:
            raise NotFound("nothing to roll back to: no bundle was in service before this one")
        verify(self.path(history[-1]))
        before = self.current()
        _write_durably(self.root / "CURRENT", history[-1] + "\n")
        self._write_history(history[:-1])
        self._note(history[-1], before, "rolled_back")
        return history[-1]

    def changes(self) -> list[dict[str, Any]]:
        """What came into service, oldest first: `at` in seconds since the epoch, `bundle`, `before`, and `how`, which
        is promoted | rolled_back."""
        try:
            lines = (self.root / "CHANGES.jsonl").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]  # a line that a crash cut off is none

    def _note(self, id: str, before: str | None, how: str) -> None:
        row = {"at": time.time(), "bundle": id, "before": before, "how": how}
        with (self.root / "CHANGES.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
            log.flush()
            os.fsync(log.fileno())

    def history(self) -> list[str]:
        try:
            return (self.root / "HISTORY").read_text("utf-8").split()
        except FileNotFoundError:
            return []

    def _write_history(self, ids: list[str]) -> None:
        _write_durably(self.root / "HISTORY", "".join(f"{id}\n" for id in ids[-20:]))

    @contextmanager
    def building(self, id: str) -> Iterator[Path]:
        """A scratch directory that becomes bundle `id` by one rename when the block ends well, and vanishes else."""
        self.root.mkdir(parents=True, exist_ok=True)
        scratch = self.root / f".building-{id}"
        scratch.mkdir()
        try:
            yield scratch
            read_manifest(scratch)
            _sync_tree(scratch)
            scratch.rename(self.root / id)
            _sync(self.root)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise


def _write_durably(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def _sync_tree(directory: Path) -> None:
    for path in directory.rglob("*"):
        _sync(path)
    _sync(directory)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
