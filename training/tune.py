"""Fine-tune the encoder on mined pairs, and keep it only when it finds the right answer more often than before.

Pairs: two requests with the same answer, and a request with the reply it got, in turn. Hard negatives: the most
similar request that got another answer. The tuned encoder is judged as it would serve: exported to int8.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from retrieval.encoder import Encoder
from retrieval.index import Index
from retrieval.types import Matrix
from training.base import no_tuning
from training.cluster import Labels
from training.config import TrainingConfig
from training.encoder import Progress, SentenceEncoder, Tuning, tune
from training.export import export

Encode = Callable[[Sequence[str]], Matrix]

TUNED_SHARE = 0.7
LEAST_PAIRS = 200
NEIGHBOURS = 20


@dataclass(frozen=True)
class Choice:
    """Which encoder serves, and why. Shares are of validation rows whose first answer was right."""

    tuned: bool
    frozen_right: float
    tuned_right: float | None
    why: str

    def save(self, directory: Path) -> None:
        (directory / "choice.json").write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def load(cls, directory: Path) -> Choice:
        return cls(**json.loads((directory / "choice.json").read_text("utf-8")))


def choose_encoder(
    texts: Sequence[str],
    replies: Sequence[str],
    answer_of: Labels,
    frozen: Encoder,
    config: TrainingConfig,
    directory: Path,
    *,
    progress: Progress | None = None,
    on_loss: Callable[[int, float], None] | None = None,
) -> Choice:
    """Tune on the first rows (in time), compare on the later ones; a winner is exported to `directory`/encoder."""
    cut = round(TUNED_SHARE * len(texts))
    before = right_at_1(frozen.encode, texts, answer_of, cut)
    if why := no_tuning(config.encoder):
        return Choice(False, before, None, why)
    pairs, groups, hard = training_pairs(texts[:cut], replies[:cut], answer_of[:cut], frozen.encode, config.seed)
    if len(pairs) < LEAST_PAIRS:
        return Choice(False, before, None, f"only {len(pairs)} pairs of requests share an answer, {LEAST_PAIRS} needed")
    encoder = SentenceEncoder.load(config.encoder.base)
    settings = config.encoder
    tuning = Tuning(settings.epochs, settings.pairs, settings.batch, settings.learning_rate)

    def step(done: int, total: int, loss: float) -> None:
        if progress:
            progress(done, total, loss)
        if on_loss:
            on_loss(done, loss)

    tune(encoder, pairs, groups, tuning=tuning, seed=config.seed, hard=hard, progress=step)
    after = right_at_1(export(encoder, directory / "encoder").encode, texts, answer_of, cut)
    if after - before < settings.least_gain:
        return Choice(False, before, after, f"fine-tuning changed {before:.1%} right to {after:.1%}: not enough")
    return Choice(True, before, after, f"fine-tuning raised the right answers from {before:.1%} to {after:.1%}")


def right_at_1(encode: Encode, texts: Sequence[str], answer_of: Labels, cut: int, *, most: int = 4000) -> float:
    """The share of rows from `cut` on whose nearest earlier requests vote for their answer, by the message alone."""
    if cut < 1 or cut >= len(texts):
        return 0.0
    known = slice(max(0, cut - 3 * most), cut)
    asked = slice(cut, min(len(texts), cut + most))
    similar, rows = Index.build(encode(texts[known])).search(encode(texts[asked]), NEIGHBOURS)
    strength = np.exp((similar - similar[:, :1]) / 0.05)
    right = 0
    for weights, found, gold in zip(strength, answer_of[known][rows], answer_of[asked], strict=True):
        names, inverse = np.unique(found, return_inverse=True)
        right += int(names[np.bincount(inverse, weights).argmax()] == gold)
    return right / (asked.stop - asked.start)


def training_pairs(
    texts: Sequence[str], replies: Sequence[str], answer_of: Labels, encode: Encode, seed: int
) -> tuple[list[tuple[str, str]], Labels, Labels]:
    """Pairs (left, right), the answer that each shares, and for each the number of its hard negative (-1: none)."""
    rng = np.random.default_rng(seed)
    vectors = encode(texts)
    members = {int(a): np.flatnonzero(answer_of == a) for a in np.unique(answer_of)}
    rows: list[int] = []
    pairs: list[tuple[str, str]] = []
    for row, text in enumerate(texts):
        others = members[int(answer_of[row])]
        other = texts[int(rng.choice(others))]
        right = replies[row] if len(rows) % 2 or other == text else other
        if len(others) > 1 and right:
            rows.append(row)
            pairs.append((text, right))
    if not rows:
        return [], np.empty(0, np.int64), np.empty(0, np.int64)
    groups = answer_of[rows]
    return pairs, groups, _hard(vectors[rows], groups)


def _hard(vectors: Matrix, groups: Labels) -> Labels:
    """For each row the most similar row of another group, -1 when none is among its neighbours."""
    _, near = Index.build(vectors).search(vectors, NEIGHBOURS)
    other = groups[near] != groups[:, None]
    return np.where(other.any(1), near[np.arange(len(near)), other.argmax(1)], -1)
