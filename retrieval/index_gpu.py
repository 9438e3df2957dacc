"""Vector search on an NVIDIA GPU, where `faiss-gpu` is installed instead of `faiss-cpu`: the same rows within rounding.

Which index follows from what the memory of the GPU holds: all rows as float32, compared exactly; a CAGRA graph where
this faiss is built with cuVS; the inverted file of the CPU, copied as it is. Anything that is missing (GPU support, a
GPU, memory) is said in one line, and the CPU goes on. None of this was run on a GPU in this project yet;
docs/benchmarks.md leaves its figures open.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.types import Matrix

log = logging.getLogger(__name__)

EXACT_ROWS = 5_000_000  # above, exact search is slower than a graph
SHARE = 0.8  # of the free memory that an index may take
GRAPH = 2.0  # times the rows: what building a CAGRA graph needs


class OnGpu:
    """A copy of an index on the first GPU. A GPU index serves one search at a time, so searches wait for each other."""

    def __init__(self, index: Any, kind: str) -> None:
        self.kind = kind
        self._index = index  # keeps its resources alive: faiss refers to them from Python
        self._lock = threading.Lock()

    def search(self, queries: Matrix, k: int) -> tuple[Matrix, NDArray[np.int64]] | None:
        """As `Index.search`; None when the GPU failed, and then the CPU has to."""
        try:
            with self._lock:
                scores, rows = self._index.search(queries, k)
        except RuntimeError as error:
            _fall_back(_reason(error))
            return None
        return scores, rows


def copy(index: Any, vectors: Matrix) -> OnGpu | None:
    """The index on the GPU, or None with one line in the log that says what is missing."""
    if not hasattr(faiss, "StandardGpuResources"):
        _fall_back("this faiss is built without GPU support")
        return None
    if not faiss.get_num_gpus():
        _fall_back("faiss sees none; look at nvidia-smi and the CUDA libraries")
        return None
    try:
        return _copied(index, vectors)
    except RuntimeError as error:
        _fall_back(_reason(error))
        return None


def _copied(index: Any, vectors: Matrix) -> OnGpu:
    resources = faiss.StandardGpuResources()
    free = SHARE * _free_bytes()
    if vectors.nbytes < free and len(vectors) <= EXACT_ROWS:
        return OnGpu(_filled(faiss.GpuIndexFlatIP(resources, vectors.shape[1]), vectors), "exact")
    if GRAPH * vectors.nbytes < free and hasattr(faiss, "GpuIndexCagra"):
        made = faiss.GpuIndexCagra(resources, vectors.shape[1], faiss.METRIC_INNER_PRODUCT)
        made.train(np.ascontiguousarray(vectors))
        return OnGpu(made, "CAGRA")
    return OnGpu(faiss.index_cpu_to_gpu(resources, 0, index), "inverted file")


def _filled(index: Any, vectors: Matrix) -> Any:
    for start in range(0, len(vectors), 200_000):
        index.add(np.ascontiguousarray(vectors[start : start + 200_000], np.float32))
    return index


def _free_bytes() -> float:
    return float(faiss.get_free_memory(0)) if hasattr(faiss, "get_free_memory") else float(8 << 30)


def _reason(error: RuntimeError) -> str:
    return str(error).strip().splitlines()[-1]


def _fall_back(why: str) -> None:
    log.warning("no GPU for the index (%s); it is searched on the CPU", why)
