"""The articles of the desk, attached to the engine in service and followed while they change."""

from __future__ import annotations

import hashlib
from pathlib import Path

from retrieval.bundle import Manifest
from retrieval.engine import Engine
from retrieval.knowledge import Synced, sync
from retrieval.library import Library, Progress
from retrieval.source import Report


def encoder_id(manifest: Manifest) -> str:
    """Names the encoder of a bundle by its files: bundles with the same encoder share one knowledge index."""
    files = sorted(item for item in manifest.files.items() if item[0].startswith("encoder/"))
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]


class KnowledgeShelf:
    """The library of `folder` (which need not exist) and of what was added to it, kept in `root` with its indexes.
    Synchronous. `problem` names sources that cannot be read; they keep the articles that they had. `gpu` searches on a
    GPU; without one it is said once, and the CPU goes on."""

    def __init__(self, folder: Path, root: Path, *, gpu: bool = False) -> None:
        self.library = Library(root / "library", folder)
        self.problem: str | None = None
        self._root = root
        self._gpu = gpu
        self._seen: tuple[str, str] | None = None

    def attach(self, engine: Engine) -> bool:
        """Give the engine the index of the articles as they are now; whether that changed anything. Only articles
        that were not encoded before cost time. Raises BadInput or BadBundle; the engine then keeps what it has."""
        if self._seen == (engine.id, self.library.fingerprint()):
            return False
        if self._seen is None and not self.library.exists():
            return False
        self.bring_up(engine)
        return True

    def bring_up(self, engine: Engine, *, progress: Progress | None = None) -> tuple[Report, Synced]:
        """Read what changed, index it, and attach the index to the engine."""
        report = self.library.sync(progress=progress)
        seen = (engine.id, self.library.fingerprint())
        problems = [f"{source.origin}: {source.problem}" for source in self.library.sources() if source.problem]
        self.problem = "; ".join(problems) or None
        articles = self.library.articles()
        synced = sync(articles, self._root, engine.encode, encoder_id=encoder_id(engine.manifest))
        self._gpu = self._gpu and synced.index.use_gpu()
        engine.knowledge = synced.index
        self._seen = seen
        return report, synced
