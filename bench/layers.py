"""Fewer layers: `python bench/layers.py [N ...] [--encoder FILE] [--shared DIR]`; accuracy and cost of each number.

BANKING77: the encoder is shortened and distilled on 3,000 texts of its training part, labels unseen; then the published
ten examples a class fit the head of `deskhand evaluate intents`, and the development rows judge it. Prints a table.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
from robustness import accuracies, cost

from retrieval.encoder import Encoder
from training.encoder import SentenceEncoder
from training.export import export
from training.shorten import shorten

TEXTS = 3000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layers", metavar="N", type=int, nargs="*", default=[6, 4, 3, 2])
    parser.add_argument("--encoder", default="bundled", help="a delta made without BANKING77")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    data = (given.shared or datasets.shared_folder()) / "data"
    texts = [row["text"] for row in datasets.banking77(data)["train"]]
    texts = random.Random(given.seed).sample(texts, min(TEXTS, len(texts)))
    few = datasets.banking77(data, "few10")
    train, asked = ([(row["text"], row["intent"]) for row in few[part]] for part in ("train", "test"))
    print("| layers | accuracy | CPU ms for one text | texts a CPU second | MB | distilled in CPU s |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for layers in given.layers:
        encoder = SentenceEncoder.load(given.encoder)
        start = time.process_time()
        if layers < encoder.transformer.config.num_hidden_layers:
            shorten(encoder, layers, texts, seed=given.seed)
        took = time.process_time() - start
        with TemporaryDirectory(prefix="layers-") as scratch:
            export(encoder, Path(scratch), weights=False)
            served = Encoder(Path(scratch), cache=0)
            right = accuracies(served, train, asked, noise=False, seed=given.seed, perturbed=False)["clean"]
            one, many = cost(served, [text for text, _ in asked])
            size = (Path(scratch) / "model.onnx").stat().st_size / 1e6
        print(f"| {layers} | {100 * right:.1f} | {one:.1f} | {many:.0f} | {size:.1f} | {took:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
