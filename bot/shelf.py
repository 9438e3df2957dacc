"""The articles of the desk, attached to the engine in service and followed while they change."""

from __future__ import annotations

import hashlib
from pathlib import Path

from retrieval.articles import fingerprint, load_articles
from retrieval.bundle import Manifest
from retrieval.engine import Engine
from retrieval.knowledge import sync


def encoder_id(manifest: Manifest) -> str:
    """Names the encoder of a bundle by its files: bundles with the same encoder share one knowledge index."""
    files = sorted(item for item in manifest.files.items() if item[0].startswith("encoder/"))
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]


class KnowledgeShelf:
    """Articles of `folder`, with their indexes in `root`. Synchronous."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._seen: tuple[str, str] | None = None

    def attach(self, engine: Engine) -> bool:
        """Give the engine the index of the articles as they are now; whether that changed anything. Only articles
        that were not encoded before cost time. Raises BadInput or BadBundle; the engine then keeps what it has."""
        if not self._folder.is_dir():
            return False
        seen = (engine.id, fingerprint(self._folder))
        if seen == self._seen:
            return False
        self._seen = seen
        synced = sync(load_articles(self._folder), self._root, engine.encode, encoder_id=encoder_id(engine.manifest))
        engine.knowledge = synced.index
        return True
