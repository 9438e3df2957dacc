"""Articles -> passages -> a searchable index, made with one encoder and refused by every other.

A passage scores as the best of its rows. A rebuild encodes only the articles whose hash changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.articles import Article, load_articles
from retrieval.errors import BadBundle, BadInput
from retrieval.index import Index
from retrieval.relevance import PRIOR, Relevance, examples, fit
from retrieval.shelves import Encode, Shelf, describe, restore, shelve
from retrieval.types import Matrix, Passage, Vector

SCHEMA = "knowledge/1"
FILE = "knowledge.npz"


class KnowledgeIndex:
    """Built with `build`, searched by any number of threads. `articles` maps an article to its hash."""

    def __init__(self, shelves: Sequence[Shelf], *, encoder_id: str, dimension: int, relevance: Relevance) -> None:
        self.shelves = tuple(shelves)
        self.encoder_id = encoder_id
        self.dimension = dimension
        self.relevance = relevance
        self.passages = tuple(passage for shelf in self.shelves for passage in shelf.passages)
        self.articles = {shelf.article: shelf.hash for shelf in self.shelves}
        self._owner = _offset([s.owner for s in self.shelves], [len(s.passages) for s in self.shelves])

    @classmethod
    def build(
        cls, articles: Sequence[Article], encode: Encode, *, encoder_id: str, previous: KnowledgeIndex | None = None
    ) -> KnowledgeIndex:
        """`encode(texts)` gives (n, d) float32 rows of length one. `previous` lends the rows of unchanged articles."""
        known = {}
        if previous is not None and previous.encoder_id == encoder_id:
            known = {shelf.hash: shelf for shelf in previous.shelves}
        shelves = [known.get(article.hash) or shelve(article, encode) for article in articles]
        dimension = shelves[0].vectors.shape[1] if shelves else encode([]).shape[1]
        return cls(shelves, encoder_id=encoder_id, dimension=dimension, relevance=_calibrate(shelves))

    @cached_property
    def _index(self) -> Index:
        return Index.build(_stack([shelf.vectors for shelf in self.shelves], self.dimension))

    def __len__(self) -> int:
        return len(self.passages)

    def search(self, vector: Vector, *, k: int = 5) -> list[Passage]:
        """The k passages closest to `vector` (d,), best first, each with its cosine and its P(relevant)."""
        if vector.shape != (self.dimension,):
            raise BadInput(f"query vector has shape {vector.shape}, the index needs ({self.dimension},)")
        scores, rows = self._index.search(vector[None, :], 12 * k)
        best: dict[int, float] = {}
        for score, row in zip(scores[0].tolist(), rows[0].tolist(), strict=True):
            best.setdefault(int(self._owner[row]), score)
        hits = [replace(self.passages[number], score=score) for number, score in best.items()]
        return [replace(hit, p_relevant=self.relevance.p(hit.score, _lead(hit, hits))) for hit in hits[:k]]

    def save(self, directory: Path) -> None:
        """Write one file into `directory`, replacing an older one at once: a reader sees the old or the new index."""
        directory.mkdir(parents=True, exist_ok=True)
        arrays = _arrays(self.shelves, self.dimension)
        meta = {
            "schema": SCHEMA,
            "encoder_id": self.encoder_id,
            "relevance": self.relevance.to_json(),
            "shelves": [describe(shelf) for shelf in self.shelves],
        }
        blob = np.frombuffer(json.dumps(meta, ensure_ascii=False).encode(), np.uint8)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".", suffix=".tmp", delete=False) as file:
            try:
                np.savez(file, allow_pickle=False, meta=blob, sha256=_digest(blob, arrays), **arrays)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, directory / FILE)
            except BaseException:
                os.unlink(file.name)
                raise

    @classmethod
    def load(cls, directory: Path, *, encoder_id: str) -> KnowledgeIndex:
        """Raises BadBundle for another encoder's index, a damaged file, or rows that do not fit the passages."""
        path = directory / FILE
        if not path.is_file():
            raise BadBundle(f"{path} is not there; run 'deskhand knowledge sync'")
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            blob, digest = arrays.pop("meta"), arrays.pop("sha256")
            if _digest(blob, arrays).tobytes() != digest.tobytes():
                raise ValueError("its sha256 differs")
            meta = json.loads(blob.tobytes())
            return cls._from(meta, arrays, encoder_id)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise BadBundle(f"{path} cannot be read: {error}; remove it and run 'deskhand knowledge sync'") from error

    @classmethod
    def _from(cls, meta: dict[str, Any], arrays: dict[str, Any], encoder_id: str) -> KnowledgeIndex:
        if meta["schema"] != SCHEMA:
            raise ValueError(f"its schema is {meta['schema']!r}, this version reads {SCHEMA!r}")
        if meta["encoder_id"] != encoder_id:
            raise ValueError(f"it was made with encoder {meta['encoder_id']!r}, not {encoder_id!r}")
        shelves = list(restore(meta["shelves"], arrays))
        dimension = arrays["vectors"].shape[1]
        return cls(shelves, encoder_id=encoder_id, dimension=dimension, relevance=Relevance(**meta["relevance"]))


def ask(encode: Encode, text: str, context: Sequence[str] = ()) -> Vector:
    """The query vector (d,) of a question in its conversation; `context` is what was said before, latest last.

    The mean of the question alone and of the question with what was said before it. Alone, it misses what a follow-up
    leaves out ("and how long does that take?"); with its context only, a new topic is searched under the old one.
    """
    said = [part for part in reversed(context) if part.strip()]
    if not said:
        vector: Vector = encode([text])[0]
        return vector
    mean = encode([text, " ".join([text, *said])]).mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


@dataclass(frozen=True)
class Synced:
    """The index, and the ids of the articles that were encoded for it and that left it."""

    index: KnowledgeIndex
    encoded: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def sync(folder: Path, root: Path, encode: Encode, *, encoder_id: str) -> Synced:
    """Bring the index of this encoder, kept in `root/<encoder_id>`, up to the articles in `folder`.

    Every encoder has its own directory, so that a bundle that is rolled back finds its index again.
    """
    articles = load_articles(folder)
    directory = root / encoder_id
    previous = KnowledgeIndex.load(directory, encoder_id=encoder_id) if (directory / FILE).is_file() else None
    before = previous.articles if previous else {}
    now = {article.id: article.hash for article in articles}
    if previous and before == now:
        return Synced(previous)
    index = KnowledgeIndex.build(articles, encode, encoder_id=encoder_id, previous=previous)
    index.save(directory)
    known = set(before.values())
    encoded = tuple(article.id for article in articles if article.hash not in known)
    return Synced(index, encoded, tuple(sorted(before.keys() - now.keys())))


def _calibrate(shelves: Sequence[Shelf]) -> Relevance:
    if not shelves:
        return PRIOR
    owner = np.repeat(np.arange(len(shelves)), [len(shelf.vectors) for shelf in shelves])
    rows = _offset([shelf.rows for shelf in shelves], [len(shelf.vectors) for shelf in shelves])
    asked, left, vectors = (
        np.concatenate(parts)
        for parts in zip(*((shelf.asked, shelf.left, shelf.vectors) for shelf in shelves), strict=True)
    )
    return fit(*examples(asked, left, rows, vectors, owner))


def _lead(hit: Passage, hits: Sequence[Passage]) -> float:
    rivals = (other.score for other in hits if other.article != hit.article)
    # When no other article is among the hits its best is below the last of them.
    return hit.score - next(rivals, hits[-1].score)


def _offset(parts: Sequence[NDArray[np.int64]], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Numbers that count within each part -> numbers that count through all parts, whose sizes are given."""
    starts = np.cumsum([0, *sizes])
    return np.concatenate([np.empty(0, np.int64), *(part + start for part, start in zip(parts, starts, strict=False))])


def _stack(parts: Sequence[Matrix], dimension: int) -> Matrix:
    return np.concatenate([np.empty((0, dimension), np.float32), *parts])


def _arrays(shelves: Sequence[Shelf], dimension: int) -> dict[str, NDArray[Any]]:
    numbers = np.empty(0, np.int64)
    return {
        "vectors": _stack([shelf.vectors for shelf in shelves], dimension),
        "asked": _stack([shelf.asked for shelf in shelves], dimension),
        "left": _stack([shelf.left for shelf in shelves], dimension),
        "owner": np.concatenate([numbers, *(shelf.owner for shelf in shelves)]),
        "rows": np.concatenate([numbers, *(shelf.rows for shelf in shelves)]),
    }


def _digest(meta: NDArray[np.uint8], arrays: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
    digest = hashlib.sha256(meta.tobytes())
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}{arrays[name].dtype}".encode() + arrays[name].tobytes())
    return np.frombuffer(digest.digest(), np.uint8)
