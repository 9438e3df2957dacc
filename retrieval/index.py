"""Vector search with FAISS: inner product over the rows of a float32 matrix; a row's number is its id.

How an index is built follows from its size, and `explain` says which it is and why:

- up to `FLAT_BYTES`: exact, float32;
- up to `EXACT_ROWS`: every row is compared as 8-bit codes, a quarter of the memory, and the best are compared exactly;
- above: an inverted file of 8-bit codes (4-bit product codes from `PQ_ROWS` on), the best compared exactly. How many of
  its lists are read is tuned on rows of its own until `recall_target` of the true neighbours are found.

The exact comparison reads the few rows it needs from `exact`, which may be mapped from a file.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval import index_gpu
from retrieval.errors import BadBundle
from retrieval.types import Matrix

FLAT_BYTES = 24 << 20
EXACT_ROWS = 60_000  # 1.7 ms a search; an inverted file is faster but has to be trained (docs/experiments.md)
PQ_ROWS = 4_000_000
RECALL_TARGET = 0.95
RECALL_K = 10
MARGIN = 0.01  # tuned above the target: other questions than those it was tuned on
TUNING_ROWS = 200
QUESTION = 0.7  # cosine of a question used for tuning and the row that it was made from
TRAINING_ROWS = 40  # of each list
RESCORED = 2  # candidates that are compared exactly for each one asked for, at least `LEAST`
LEAST = 30
MAPPED_BYTES = 256 << 20
LEAST_OF_PRODUCTS = 500  # 4-bit product codes are rough

Device = Literal["cpu", "gpu"]

faiss.omp_set_num_threads(1)


@dataclass(frozen=True, slots=True)
class Tuned:
    """`probes` lists are read; `recall` of the ten true neighbours was found on `rows` rows that were left out."""

    probes: int
    recall: float
    rows: int


class Index:
    """Built once with `build`, searched by any number of threads, saved and loaded as one file."""

    def __init__(self, index: Any, *, exact: Matrix | None = None, tuned: Tuned | None = None) -> None:
        self._index = index
        self._exact = exact
        self.tuned = tuned
        self._least = LEAST_OF_PRODUCTS if isinstance(index, faiss.IndexIVFPQFastScan) else LEAST
        self._gpu: index_gpu.OnGpu | None = None

    @classmethod
    def build(cls, vectors: Matrix, *, recall_target: float = RECALL_TARGET, device: Device = "cpu") -> Index:
        """`vectors` is (n, d) float32, C order. Rows need not be of length one; scores are inner products.

        `device="gpu"` is `use_gpu` (`index_gpu.py`), which falls back to the CPU with one line in the log.
        """
        built = cls._build(vectors, recall_target)
        if device == "gpu":
            built.use_gpu(vectors)
        return built

    def use_gpu(self, vectors: Matrix) -> bool:
        """Search on the GPU from now on. False, with one line in the log that says why, when that cannot be done."""
        self._gpu = index_gpu.copy(self._index, vectors)
        return self._gpu is not None

    @classmethod
    def _build(cls, vectors: Matrix, recall_target: float) -> Index:
        count, dimension = vectors.shape
        if vectors.nbytes <= FLAT_BYTES:
            index: Any = faiss.IndexFlatIP(dimension)
            if count:
                index.add(vectors)
            return cls(index)
        if count <= EXACT_ROWS:
            kind = faiss.ScalarQuantizer.QT_8bit_uniform
            index = faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)
            index.train(np.ascontiguousarray(vectors))
            _add(index, vectors)
            return cls(index, exact=vectors)
        index = _inverted(vectors)
        built = cls(index, exact=vectors)
        built.tuned = _tune(built, vectors, recall_target)
        return built

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    @property
    def explain(self) -> str:
        rows = f"{len(self):,} rows of {self.dimension}"
        if self.tuned:
            codes = "8-bit codes" if isinstance(self._index, faiss.IndexIVFScalarQuantizer) else "4-bit product codes"
            return (
                f"{rows}: inverted file of {self._index.nlist:,} lists, {codes}, {self.tuned.probes} lists read, "
                f"exact comparison of the best; recall@{RECALL_K} {self.tuned.recall:.3f} on {self.tuned.rows} rows"
            )
        if isinstance(self._index, faiss.IndexFlat):
            return f"{rows}: exact, float32"
        best = "" if self._exact is None else ", exact comparison of the best"
        return f"{rows}: every row as 8-bit codes{best}"

    def search(self, queries: Matrix, k: int) -> tuple[Matrix, NDArray[np.int64]]:
        """Scores (m, k) best first, and the rows (m, k) they belong to; k is cut to the number of rows.

        An approximate index that finds fewer than k fills up with row -1 and score -inf.
        """
        k = min(k, len(self))
        if k == 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        queries = np.ascontiguousarray(queries, np.float32)
        if self._gpu is not None and (found := self._gpu.search(queries, k)) is not None:
            return found
        if self._exact is None:
            scores, rows = self._index.search(queries, k)
            return scores, rows
        _, rows = self._index.search(queries, min(len(self), max(RESCORED * k, self._least)))
        return _rescored(queries, rows, self._exact, k)

    def save(self, path: Path) -> None:
        faiss.write_index(self._index, str(path))
        if self.tuned:
            tuned = {name: getattr(self.tuned, name) for name in Tuned.__slots__}
            path.with_suffix(".tuned.json").write_text(json.dumps(tuned))

    @classmethod
    def load(cls, path: Path, *, exact: Matrix | None = None) -> Index:
        """Codes are mapped from the file, so that processes share them. `exact` are the rows it was built from, which
        indexes above `FLAT_BYTES` compare the best with."""
        inverted = path.with_suffix(".tuned.json").is_file()
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP if inverted else faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise BadBundle(f"index {path} cannot be read: {reason}; build it again or roll back") from error
        if isinstance(index, faiss.IndexFlat):
            return cls(index)
        if not isinstance(index, faiss.IndexIVF):
            return cls(index, exact=exact)
        try:
            tuned = Tuned(**json.loads(path.with_suffix(".tuned.json").read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise BadBundle(f"index {path}: what it was tuned to cannot be read: {error}; build it again") from error
        index.nprobe = tuned.probes
        return cls(index, exact=exact, tuned=tuned)


def _sample(vectors: Matrix, most: int) -> Matrix:
    if len(vectors) <= most:
        return vectors
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), most, replace=False))
    return np.ascontiguousarray(vectors[rows])


def _add(index: Any, vectors: Matrix) -> None:
    """In parts, so that rows mapped from a file are never all in memory."""
    for start in range(0, len(vectors), 50_000):
        index.add(np.ascontiguousarray(vectors[start : start + 50_000], np.float32))


def _inverted(vectors: Matrix) -> Any:
    count, dimension = vectors.shape
    lists = 2 ** round(np.log2(4 * np.sqrt(count)))
    coarse = faiss.IndexFlatIP(dimension)
    if count < PQ_ROWS:
        kind = faiss.ScalarQuantizer.QT_8bit
        index: Any = faiss.IndexIVFScalarQuantizer(coarse, dimension, lists, kind, faiss.METRIC_INNER_PRODUCT, False)
    else:
        index = faiss.IndexIVFPQFastScan(coarse, dimension, lists, dimension // 4, 4, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 8
    index.cp.max_points_per_centroid = TRAINING_ROWS
    index.cp.min_points_per_centroid = 1
    index.train(_sample(vectors, TRAINING_ROWS * lists))
    _add(index, vectors)
    return index


def _tune(index: Index, vectors: Matrix, target: float) -> Tuned:
    """The fewest lists that find the target for questions: rows of the index, moved towards another row until they are
    as far away as questions are from the texts that answer them. Rows themselves, or rows with noise, find their
    neighbours in their own list and promise too much."""
    inner = index._index
    rng = np.random.default_rng(1)
    asked, towards = (np.sort(rng.choice(len(vectors), TUNING_ROWS, replace=False)) for _ in range(2))
    share = np.sqrt(1 - QUESTION**2)
    queries = np.ascontiguousarray(QUESTION * vectors[asked] + share * vectors[rng.permutation(towards)], np.float32)
    truth = _exact(queries, vectors, RECALL_K)
    probes = 1
    while True:
        inner.nprobe = probes
        _, found = index.search(queries, RECALL_K)
        shared = [len(set(a) & set(b)) / RECALL_K for a, b in zip(truth.tolist(), found.tolist(), strict=True)]
        recall = float(np.mean(shared))
        if recall >= min(target + MARGIN, 0.999) or probes >= inner.nlist:
            return Tuned(probes, recall, len(asked))
        probes = min(inner.nlist, max(probes + 1, round(probes * 1.3)))


def _exact(queries: Matrix, vectors: Matrix, k: int) -> NDArray[np.int64]:
    """The k nearest rows of each query (m, k), read in parts."""
    best = np.empty((len(queries), 0), np.float32)
    rows = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(vectors), 50_000):
        scores = queries @ np.asarray(vectors[start : start + 50_000]).T
        near = np.argpartition(-scores, min(k, scores.shape[1] - 1), axis=1)[:, :k]
        best = np.concatenate([best, np.take_along_axis(scores, near, 1)], axis=1)
        rows = np.concatenate([rows, near + start], axis=1)
    return np.take_along_axis(rows, np.argsort(-best, axis=1)[:, :k], 1)


def _rescored(queries: Matrix, rows: NDArray[np.int64], vectors: Matrix, k: int) -> tuple[Matrix, NDArray[np.int64]]:
    scores = np.full(rows.shape, -np.inf, np.float32)
    for query, own, out in zip(queries, rows, scores, strict=True):
        found = own >= 0
        out[found] = _read(vectors, own[found]) @ query
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def _read(vectors: Matrix, rows: NDArray[np.int64]) -> Matrix:
    """Some rows. Of a large mapped file they are read instead of touched: the kernel maps 16 pages around each one that
    is touched, and after some thousand questions all of the file would count as this process's memory."""
    if not isinstance(vectors, np.memmap) or vectors.nbytes < MAPPED_BYTES or vectors.filename is None:
        return vectors[rows]
    width = vectors.strides[0]
    with open(vectors.filename, "rb", buffering=0) as file:
        parts = [os.pread(file.fileno(), width, vectors.offset + int(row) * width) for row in rows]
    return np.frombuffer(b"".join(parts), np.float32).reshape(len(rows), -1)
