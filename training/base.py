"""The untuned encoder as int8 ONNX: exported once, then kept in the work directory for every later run."""

from __future__ import annotations

from pathlib import Path

from retrieval.encoder import Encoder
from training.config import TrainingConfig
from training.encoder import SentenceEncoder
from training.export import export
from training.stages import Stages, fingerprint

VERSION = 2
CACHE = 400_000


def base_directory(config: TrainingConfig, work: Path) -> Path:
    def build(directory: Path) -> None:
        export(SentenceEncoder.load(config.encoder.base), directory)

    return Stages(work).run("base", fingerprint(VERSION, config.encoder.base), build)[0]


def base_encoder(config: TrainingConfig, work: Path) -> Encoder:
    """Caches every text of a run: mining encodes the same texts again and again."""
    return Encoder(base_directory(config, work), cache=CACHE)
