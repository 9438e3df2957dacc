"""Several intents in one message: `python bench/several.py [--runs 3] [--seed 13] [--shared DIR]`.

NLU++ banking (CC BY 4.0): a message has 0 to 8 of its intents. Twenty folds; as in the paper's low-data setting a model
learns from one group of folds and is asked about all others. One logistic regression an intent on the vectors of the
frozen encoder of a new bundle; a message is judged as a whole and by its parts (`bot.requests.parts`), each intent by
the surer of the two; one threshold, the one with the best micro F1 in a three-fold cross-validation of the training
rows. Beside it: the whole alone, the usual threshold of 0.5, and words (tf-idf). Prints a Markdown table of micro F1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from bot.requests import parts
from retrieval.encoder import Encoder
from training.encoder import SUPPORT, SentenceEncoder
from training.export import export

STRENGTH = 30.0
THRESHOLDS = np.linspace(0.1, 0.7, 25)
FOLDS, SIZES = 20, (1, 2, 18)

Shares = NDArray[np.float64]
Flags = NDArray[np.bool_]
Vectors = Callable[[Sequence[str]], Any]


def shares(train: Any, gold: Flags, asked: Any) -> Shares:
    """(asked, intents): one regression an intent; an intent that no row or every row has is as common as there."""
    out = np.zeros((asked.shape[0], gold.shape[1]))
    for intent in range(gold.shape[1]):
        own = gold[:, intent]
        if own.all() or not own.any():
            out[:, intent] = own.mean()
        else:
            out[:, intent] = (
                LogisticRegression(C=STRENGTH, solver="liblinear").fit(train, own).predict_proba(asked)[:, 1]
            )
    return out


def micro_f1(gold: Flags, found: Flags) -> float:
    return float(2 * (gold & found).sum() / max(1, gold.sum() + found.sum()))


def chosen_threshold(scores: Shares, gold: Flags) -> float:
    return float(max(THRESHOLDS, key=lambda at: micro_f1(gold, scores >= at)))


def with_parts(texts: Sequence[str], judge: Callable[[Sequence[str]], Shares], whole: Shares) -> Shares:
    """Each intent by the surer of the whole message and its parts."""
    out = whole.copy()
    pieces = [(row, piece) for row, text in enumerate(texts) if len(found := parts(text)) > 1 for piece in found]
    if pieces:
        judged = judge([piece for _, piece in pieces])
        for (row, _), own in zip(pieces, judged, strict=True):
            out[row] = np.maximum(out[row], own)
    return out


def measured(
    texts: list[str], gold: Flags, train: Sequence[int], asked: Sequence[int], vectors: Vectors, seed: int
) -> dict[str, float]:
    known, own = vectors([texts[i] for i in train]), gold[train]
    held, held_parts = np.zeros(own.shape), np.zeros(own.shape)
    for kept, out in KFold(3, shuffle=True, random_state=seed).split(train):
        held[out] = shares(known[kept], own[kept], known[out])
        said = [texts[train[i]] for i in out]
        held_parts[out] = with_parts(said, lambda some, k=kept: shares(known[k], own[k], vectors(some)), held[out])
    whole = shares(known, own, vectors([texts[i] for i in asked]))
    both = with_parts([texts[i] for i in asked], lambda some: shares(known, own, vectors(some)), whole)
    return {
        "whole, 0.5": micro_f1(gold[asked], whole >= 0.5),
        "whole": micro_f1(gold[asked], whole >= chosen_threshold(held, own)),
        "whole and parts": micro_f1(gold[asked], both >= chosen_threshold(held_parts, own)),
    }


def words_of(texts: Sequence[str]) -> Vectors:
    transform: Vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(texts).transform
    return transform


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="so many of the groups of folds are trained on, in turn")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    rows = list(datasets.rows((given.shared or datasets.shared_folder()) / "data/nlupp/banking.jsonl.gz"))
    texts, fold = [row["text"] for row in rows], np.array([row["fold"] for row in rows])
    intents = sorted({intent for row in rows for intent in row["intents"]})
    gold = np.array([[intent in row["intents"] for intent in intents] for row in rows], bool)
    with TemporaryDirectory(prefix="several-") as scratch:
        export(SentenceEncoder.load(SUPPORT), Path(scratch), weights=False)
        encode = Encoder(Path(scratch), cache=10_000).encode
    print("| learns from | rows | vectors | whole, 0.5 | whole | whole and parts |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    for size in SIZES:
        for kind in ("tf-idf", "encoder"):
            found, counts = [], []
            for run in range(given.runs):
                inside = np.isin(fold, [(run * size + i) % FOLDS for i in range(size)])
                train, asked = np.flatnonzero(inside).tolist(), np.flatnonzero(~inside).tolist()
                vectors = encode if kind == "encoder" else words_of([texts[i] for i in train])
                found.append(measured(texts, gold, train, asked, vectors, given.seed))
                counts.append(len(train))
            cells = (f"{100 * np.mean([one[key] for one in found]):.1f}" for key in found[0])
            print(f"| {size} of {FOLDS} folds | {np.mean(counts):.0f} | {kind} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
