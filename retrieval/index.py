"""Vector search with FAISS: inner product over the rows of a float32 matrix; a row's number is its id.

Exact search over float32 up to `FLAT_BYTES`, exact search over 8-bit codes above: a quarter of the memory, and the
order of neighbours changes only where similarities differ by less than about 0.004.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadBundle
from retrieval.types import Matrix

FLAT_BYTES = 24 << 20

faiss.omp_set_num_threads(1)


class Index:
    """Built once with `build`, searched by any number of threads, saved and loaded as one file."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: Matrix) -> Index:
        """`vectors` is (n, d) float32, C order. Rows need not be of length one; scores are inner products."""
        count, dimension = vectors.shape
        index: faiss.Index = faiss.IndexFlatIP(dimension)
        if vectors.nbytes > FLAT_BYTES:
            index = faiss.IndexScalarQuantizer(
                dimension, faiss.ScalarQuantizer.QT_8bit_uniform, faiss.METRIC_INNER_PRODUCT
            )
            index.train(vectors)
        if count:
            index.add(np.ascontiguousarray(vectors, np.float32))
        return cls(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def search(self, queries: Matrix, k: int) -> tuple[Matrix, NDArray[np.int64]]:
        """Scores (m, k) best first, and the rows (m, k) they belong to; k is cut to the number of rows."""
        k = min(k, len(self))
        if k == 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        scores, rows = self._index.search(np.ascontiguousarray(queries, np.float32), k)
        return scores, rows

    def save(self, path: Path) -> None:
        faiss.write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path) -> Index:
        try:
            return cls(faiss.read_index(str(path)))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise BadBundle(f"index {path} cannot be read: {reason}; build it again or roll back") from error
