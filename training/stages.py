"""Stages that are not done twice: a stage's directory carries the fingerprint of all that it depends on."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import Conflict

Report = Callable[[str, int, int, str], None]
"""(stage, done, total, note): called as work goes on; `done == total` ends a stage."""


def silent(stage: str, done: int, total: int, note: str) -> None:
    """A Report for callers that do not watch."""


def fingerprint(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """One training at a time in a work directory: another would build the same stages. Conflict when it is taken."""
    work.mkdir(parents=True, exist_ok=True)
    with work.with_name(f".{work.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another training is at work in {work}; wait for it, or give another --data") from error
        yield


class Stages:
    """`run` builds a stage in a scratch directory and renames it when it is whole; an interrupted one starts anew."""

    def __init__(self, work: Path, *, keep: int = 3) -> None:
        self.work = work
        self._keep = keep

    def run(self, name: str, key: str, build: Callable[[Path], None]) -> tuple[Path, bool]:
        """The stage's directory, and whether it was there already."""
        done = self.work / f"{name}-{key[:16]}"
        if done.is_dir():
            return done, True
        scratch = self.work / f".{name}-{key[:16]}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            build(scratch)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        scratch.rename(done)
        self._forget_old(name)
        return done, False

    def _forget_old(self, name: str) -> None:
        old = sorted(self.work.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime, reverse=True)[self._keep :]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
