"""The untuned encoder, for what is measured without a bundle."""

from __future__ import annotations

from pathlib import Path

from retrieval.encoder import Encoder
from training.config import TrainingConfig
from training.stages import Stages, fingerprint


def base_encoder(config: TrainingConfig, work: Path) -> Encoder:
    """The recipe's base encoder as int8 ONNX, exported into `work` unless it is there already."""

    def build(directory: Path) -> None:
        from training.encoder import SentenceEncoder
        from training.export import export

        export(SentenceEncoder.load(config.encoder.base), directory, weights=False)

    path, _ = Stages(work).run("encoder", fingerprint(config.encoder.base), build)
    return Encoder(path, cache=100_000)
