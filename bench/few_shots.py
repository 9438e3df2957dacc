"""Few labels, many draws: `python bench/few_shots.py SET ENCODER [--shots 5 10] [--seeds 5] [--plots DIR]`.

The heads of Deskhand beside tf-idf and frozen MiniLM with logistic regression, on texts that are encoded once: five
seeds cost minutes, where `bench/understanding.py` takes a process and an encoding for each. ENCODER is what
`encoder.base` may be; for a set that the general encoder was trained on, a delta made without it. Every other training
text of the set serves as unlabelled in the last column; no text that is tested does. Draws: `random.Random(seed)`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, pstdev
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import numpy as np
import rivals
from understanding import TRAINED_ON, Run, drawn, plots

from retrieval.encoder import Encoder
from training.cluster import Labels
from training.encoder import BUNDLED, SentenceEncoder
from training.export import export
from training.intent_head import fit_intents
from training.regression import regression
from training.spread import Spread

STRENGTH = 10.0
Rows = list[dict[str, Any]]
Sure = tuple[Any, Any]
"""For m texts: the number of the first intent, and how sure of it the system is."""


@dataclass(frozen=True)
class Draw:
    train: Rows
    loose: Rows
    test: Rows
    labels: list[str]
    seed: int

    @property
    def intent_of(self) -> Labels:
        """Of the training rows, then of the names of the intents."""
        number = {label: i for i, label in enumerate(self.labels)}
        return np.array([number[row["intent"]] for row in self.train] + list(range(len(self.labels))), np.int64)

    @property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.train] + [label.replace("_", " ") for label in self.labels]


class Vectors:
    """Encodes every text once, and keeps what it encoded in `cache`."""

    def __init__(self, name: str, base: str, cache: Path) -> None:
        self.file = cache / f"{name}.npz"
        self.base = base
        self.cache = cache
        self.known: dict[str, Any] = {}
        if self.file.is_file():
            with np.load(self.file) as kept:
                self.known = dict(zip(kept["texts"].tolist(), kept["vectors"], strict=True))

    def __call__(self, texts: Sequence[str]) -> Any:
        if missing := [text for text in dict.fromkeys(texts) if text not in self.known]:
            directory = self.cache / self.file.stem
            if not directory.is_dir():
                export(SentenceEncoder.load(self.base), directory, weights=False)
            self.known.update(zip(missing, Encoder(directory).encode(missing), strict=True))
            np.savez(self.file, texts=np.array(list(self.known)), vectors=np.stack(list(self.known.values())))
        return np.stack([self.known[text] for text in texts])


def tfidf(draw: Draw) -> Sure:
    predicted, sure = rivals.tfidf(draw.train, draw.test, draw.seed)
    return np.array([draw.labels.index(name) for name in predicted]), np.array(sure)


def minilm(draw: Draw, encode: Vectors) -> Sure:
    intents = draw.intent_of[: len(draw.train)]
    weight, bias = regression(encode([r["text"] for r in draw.train]), intents, len(draw.labels), STRENGTH)
    logits = encode([r["text"] for r in draw.test]) @ weight + bias
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return logits.argmax(1), (shares / shares.sum(1, keepdims=True)).max(1)


def deskhand(draw: Draw, encode: Vectors, *, unlabelled: bool) -> Sure:
    """As `training/labelled.py` does it with `encoder.tune: never`."""
    vectors, spread = encode(draw.texts), None
    if unlabelled:
        loose = encode([row["text"] for row in draw.loose])
        tried = Spread(vectors, draw.intent_of, loose, len(draw.labels), STRENGTH)
        alone, helped = tried.right()
        spread = tried if helped > alone else None
    fitted = fit_intents(vectors, draw.intent_of, draw.labels, strength=STRENGTH, seed=draw.seed, spread=spread)
    assert fitted.head is not None
    judged = fitted.head.judge(encode([row["text"] for row in draw.test]))
    return judged.probabilities.argmax(1), judged.trust


def draws(home: Path, shots: int, seeds: int) -> Iterator[Draw]:
    """Draws of the training part; the test part is the same in all."""
    train, test = (
        [
            row
            for line in (home / f"{part}.jsonl").read_text("utf-8").splitlines()
            if (row := json.loads(line))["intent"]
        ]
        for part in ("train", "test")
    )
    labels = sorted({row["intent"] for row in train})
    for seed in range(seeds if shots else 1):
        few = drawn(train, shots, seed)
        taken = {row["text"] for row in few}
        yield Draw(few, [row for row in train if row["text"] not in taken], test, labels, seed)


def measure(name: str, draw: Draw, shots: int, systems: dict[str, Callable[[Draw], Sure]]) -> Iterator[Run]:
    gold = np.array([draw.labels.index(row["intent"]) for row in draw.test])
    for system, answer in systems.items():
        top, sure = answer(draw)
        right = (top == gold).tolist()
        yield Run(name, shots, system, draw.seed, mean(right), 0.0, 0.0, np.asarray(sure).tolist(), right)
        print(f"{name} {shots} {system} seed {draw.seed}: {mean(right):.4f}", file=sys.stderr, flush=True)


def table(runs: Sequence[Run], titles: dict[str, str]) -> str:
    """Mean, and in brackets the standard deviation over the draws."""
    shots = list(dict.fromkeys(run.shots for run in runs))
    heads = [f"{s} a class" if s else "all" for s in shots]
    lines = [f"| {runs[0].set} | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(shots)]
    for system, title in titles.items():
        own = [[100 * r.accuracy for r in runs if (r.system, r.shots) == (system, s)] for s in shots]
        cells = [f"{mean(found):.1f} ({pstdev(found):.1f})" if found else "-" for found in own]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", metavar="SET", choices=["banking77", "clinc150", "hint3-curekart"])
    parser.add_argument("encoder", metavar="ENCODER")
    parser.add_argument("--shots", type=int, nargs="+", default=[5, 10], help="labels a class; 0: all, one draw")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plots", type=Path, default=None)
    parser.add_argument("--cache", type=Path, default=None, help="keep what is encoded here; default: thrown away")
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    if given.set in TRAINED_ON and given.encoder in ("support", "auto"):
        parser.error(f"the general encoder was trained on {given.set}; give a delta that was made without it")
    titles = {
        "tfidf": "tf-idf + LR",
        "minilm": "frozen MiniLM + LR",
        "fast": "Deskhand, frozen",
        "loose": "Deskhand, frozen, other texts unlabelled",
    }
    runs: list[Run] = []
    with TemporaryDirectory(prefix="few-shots-") as scratch:
        home, cache = Path(scratch), given.cache or Path(scratch)
        datasets.convert(given.set, home / given.set, shared=given.shared or datasets.shared_folder())
        bundled = Vectors(f"{given.set}-bundled", BUNDLED, cache)
        encode = Vectors(f"{given.set}-{Path(given.encoder).stem}", given.encoder, cache)
        systems: dict[str, Callable[[Draw], Sure]] = {
            "tfidf": tfidf,
            "minilm": lambda draw: minilm(draw, bundled),
            "fast": lambda draw: deskhand(draw, encode, unlabelled=False),
            "loose": lambda draw: deskhand(draw, encode, unlabelled=True),
        }
        for shots in given.shots:
            chosen = systems if shots else {name: systems[name] for name in ("tfidf", "minilm", "fast")}
            for draw in draws(home / given.set, shots, given.seeds):
                runs += measure(given.set, draw, shots, chosen)
    print(table(runs, titles))
    if given.plots:
        plots(runs, given.plots, titles)
    return 0


if __name__ == "__main__":
    sys.exit(main())
