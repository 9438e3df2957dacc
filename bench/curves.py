"""How honest a bundle is: risk against coverage, and promised against kept certainty, as one picture.

    python bench/curves.py NAME=BUNDLE_DIR=TEST.jsonl[=TRAIN.jsonl] ... --out docs/images/curves.svg

Replays each test file through its bundle's `Engine`, as `deskhand evaluate replay` does. TRAIN is needed only where the
files carry action labels. Prints the table that the picture shows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from bot.transcript import read
from training.promote import replay
from training.scores import Scores

COVERAGES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
BINS = np.linspace(0, 1, 11)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("docs/images/curves.svg"))
    options = parser.parse_args()
    mpl.use("svg")
    from matplotlib import pyplot

    figure, (risk, trust) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    print("| set | messages | " + " | ".join(f"wrong at {c:.0%}" for c in COVERAGES) + " |")
    print("| --- |" + " ---: |" * (len(COVERAGES) + 1))
    for entry in options.sets:
        name, bundle, test, *train = entry.split("=")
        learned = read(Path(train[0])) if train else ()
        draw(risk, trust, name, replay(Path(bundle), list(read(Path(test))), training=learned, error_budget=0.05))
    finish(risk, trust)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, metadata={"Date": None})


def draw(risk: Any, trust: Any, name: str, scores: Scores) -> None:
    """Every first candidate counts, whether or not it would have been sent."""
    sure = np.array([case.p_correct for case in scores.cases])
    right = np.array([case.rank == 1 for case in scores.cases])
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    coverage = np.arange(1, len(order) + 1) / len(order)
    risk.plot(coverage, wrong, label=name)
    found = [wrong[max(0, round(c * len(order)) - 1)] for c in COVERAGES]
    print(f"| {name} | {scores.n} | " + " | ".join(f"{w:.1%}" for w in found) + " |")
    own = np.digitize(sure, BINS[1:-1])
    kept = [(sure[own == b].mean(), right[own == b].mean()) for b in range(10) if (own == b).sum() >= 10]
    trust.plot(*zip(*kept, strict=True), marker="o", label=name)


def finish(risk: Any, trust: Any) -> None:
    risk.set(xlabel="coverage: share of messages answered", ylabel="risk: share of answers wrong", ylim=(0, None))
    trust.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    trust.set(xlabel="P(correct) promised", ylabel="right", xlim=(0, 1), ylim=(0, 1))
    risk.legend(frameon=False)


if __name__ == "__main__":
    main()
