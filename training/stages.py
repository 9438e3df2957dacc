"""Stages that are not done twice: a stage's directory carries the fingerprint of all that it depends on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

Report = Callable[[str, int, int, str], None]
"""(stage, done, total, note): called as work goes on; `done == total` ends a stage."""


def silent(stage: str, done: int, total: int, note: str) -> None:
    """A Report for callers that do not watch."""


def fingerprint(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()


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
