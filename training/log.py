"""Scalars of a run for TensorBoard: `tensorboard --logdir data/runs/tensorboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorboard.summary import Writer


class Scalars:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._writer: Any = Writer(str(directory))

    def add(self, name: str, value: float, step: int = 0) -> None:
        self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
