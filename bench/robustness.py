"""What noise costs: `python bench/robustness.py [--encoder FILE] [--shots 10] [--asked 600] [--shared DIR]`.

BANKING77, the head of `deskhand evaluate intents` on a frozen encoder: accuracy on the published development rows as
they are, and with typos, capitals, emoji, filler, without accents, and as a speech recogniser writes
(training/noise.py); once with the bundled encoder, once with the one given, each also with a noisy copy of every
example. Prints a Markdown table, and what encoding costs: CPU milliseconds for one text, texts a CPU second in batches.
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
import numpy as np

from retrieval.encoder import Encoder
from retrieval.types import Matrix
from training.encoder import SentenceEncoder
from training.export import export
from training.intent_head import held_out, plain_head
from training.noise import PERTURBATIONS, noisy

Rows = list[tuple[str, str]]
STRENGTH = 10.0


def accuracies(
    encoder: Encoder, train: Rows, asked: Rows, *, noise: bool, seed: int, perturbed: bool = True
) -> dict[str, float]:
    """Perturbation -> accuracy; `clean` first, and alone unless `perturbed`."""
    labels = sorted({label for _, label in train})
    number = {label: i for i, label in enumerate(labels)}
    texts = [text for text, _ in train]
    owner = [number[label] for _, label in train]
    if noise:
        texts, owner = texts + noisy(texts, seed=seed), owner * 2
    texts += [label.replace("_", " ") for label in labels]
    intent_of = np.array([*owner, *range(len(labels))], np.int64)
    vectors = encoder.encode(texts)
    mix = held_out(vectors, intent_of, labels, strength=STRENGTH, seed=seed).mix
    head = plain_head(vectors, intent_of, labels, strength=STRENGTH, mix=mix)
    gold = np.array([number[label] for _, label in asked])

    def right(rows: Matrix) -> float:
        return float((head.votes(rows).mixed(mix).argmax(1) == gold).mean())

    found = {"clean": right(encoder.encode([text for text, _ in asked]))}
    for name, perturb in PERTURBATIONS.items() if perturbed else ():
        rng = random.Random(seed + 1000)
        found[name] = right(encoder.encode([perturb(text, rng) for text, _ in asked]))
    return found


def cost(encoder: Encoder, texts: Sequence[str]) -> tuple[float, float]:
    """CPU milliseconds of one text, and texts a CPU second in one call."""
    start = time.process_time()
    for n, text in enumerate(texts[:200]):
        encoder.encode([f"{text} {n}"])
    one = 1000 * (time.process_time() - start) / len(texts[:200])
    start = time.process_time()
    encoder.encode([f"{text} again" for text in texts])
    return one, len(texts) / (time.process_time() - start)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=None, help="a delta made without BANKING77 (bench/general_encoder.py)")
    parser.add_argument("--shots", type=int, choices=(5, 10), default=10)
    parser.add_argument("--asked", type=int, default=600)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    files = datasets.banking77((given.shared or datasets.shared_folder()) / "data", f"few{given.shots}")
    train, asked = ([(row["text"], row["intent"]) for row in files[part]] for part in ("train", "test"))
    asked = random.Random(given.seed).sample(asked, min(given.asked, len(asked)))
    with TemporaryDirectory(prefix="robustness-") as scratch:
        for base in filter(None, ("bundled", given.encoder)):
            directory = Path(scratch) / str(len(base))
            export(SentenceEncoder.load(base), directory, weights=False)
            encoder = Encoder(directory, cache=0)
            for noise in (False, True):
                found = accuracies(encoder, train, asked, noise=noise, seed=given.seed)
                if base == "bundled" and not noise:
                    print(f"| encoder | noisy copies | {' | '.join(found)} |\n| --- | --- {'| ---: ' * len(found)}|")
                cells = [Path(base).stem, "yes" if noise else "no", *(f"{100 * share:.1f}" for share in found.values())]
                print(f"| {' | '.join(cells)} |", flush=True)
            one, many = cost(encoder, [text for text, _ in asked])
            print(f"{Path(base).stem}: {one:.1f} CPU ms for one text, {many:.0f} texts a CPU second", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
