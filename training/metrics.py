"""The measures of `deskhand evaluate`: pure functions of labels, flags and scores.

Rates and recalls are shares in [0, 1], never percentages. An undefined measure (no row of the kind that it needs) is
None, so that it can never be mistaken for a bad or a perfect one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, roc_auc_score

Floats = NDArray[np.float64]


def share(flags: ArrayLike) -> float | None:
    """The share of true flags; None of no flags."""
    values = np.asarray(flags, dtype=float)
    return float(values.mean()) if values.size else None


def oos_auroc(in_scope: ArrayLike, out_of_scope: ArrayLike) -> float | None:
    """Probability that an in-scope row has a higher in-scope score than an out-of-scope row; ties count half."""
    inside, outside = np.asarray(in_scope, dtype=float), np.asarray(out_of_scope, dtype=float)
    if not inside.size or not outside.size:
        return None
    truth = np.r_[np.ones(inside.size), np.zeros(outside.size)]
    return float(roc_auc_score(truth, np.r_[inside, outside]))


def oos_recall_at(in_scope: ArrayLike, out_of_scope: ArrayLike, *, keep: float = 0.95) -> float | None:
    """Share of out-of-scope rows refused by the highest threshold that still keeps `keep` of the in-scope rows."""
    inside, outside = np.sort(np.asarray(in_scope, dtype=float)), np.asarray(out_of_scope, dtype=float)
    if not inside.size or not outside.size:
        return None
    may_lose = int(np.floor((1 - keep) * inside.size + 1e-9))
    return share(outside < inside[min(may_lose, inside.size - 1)])


def best_accuracy(scores: ArrayLike, right: ArrayLike, out_of_scope: ArrayLike) -> float | None:
    """Accuracy at the threshold on `scores` that suits these rows best. Each argument has shape (n,).

    At a threshold, a row at or above it is right when its intent is right, a row below it when it is out of scope.
    """
    s, hit, out = np.asarray(scores, dtype=float), np.asarray(right, dtype=bool), np.asarray(out_of_scope, dtype=bool)
    if not s.size:
        return None
    order = np.argsort(-s, kind="stable")
    accepted = np.r_[0, np.cumsum(hit[order] & ~out[order])]
    refused = out.sum() - np.r_[0, np.cumsum(out[order])]
    return float((accepted + refused)[_cuts(s[order])].max() / s.size)


def coverage_at_error(confidence: ArrayLike, right: ArrayLike, *, error: float) -> float | None:
    """The largest share of rows that can be answered, most confident first, with at most `error` of them wrong."""
    s, hit = np.asarray(confidence, dtype=float), np.asarray(right, dtype=bool)
    if not s.size:
        return None
    order = np.argsort(-s, kind="stable")
    wrong = np.r_[0, np.cumsum(~hit[order])]
    answered = np.arange(s.size + 1)
    allowed = _cuts(s[order]) & (wrong <= error * answered + 1e-9)
    return float(answered[allowed].max() / s.size)


def _cuts(descending: Floats) -> NDArray[np.bool_]:
    """Which prefix lengths 0..n a threshold can make: rows with equal scores are accepted together."""
    return np.concatenate([[True], descending[1:] != descending[:-1], [True]]).astype(np.bool_)


@dataclass(frozen=True)
class Clustering:
    """`acc`: best one-to-one match (Hungarian). `precision`, `recall`, `f1`: many-to-one as in DSTC11 track 2, i.e. the
    share of rows that carry the commonest gold label of their cluster, and the other way round."""

    acc: float
    nmi: float
    ari: float
    precision: float
    recall: float
    f1: float


def clustering(gold: Sequence[Hashable], found: Sequence[Hashable]) -> Clustering:
    """Agreement of two labellings of the same rows (n >= 1)."""
    table = contingency(gold, found)
    n = table.sum()
    precision, recall = float(table.max(axis=0).sum() / n), float(table.max(axis=1).sum() / n)
    rows, columns = linear_sum_assignment(-table)
    g, f = _codes(gold), _codes(found)
    return Clustering(
        acc=float(table[rows, columns].sum() / n),
        nmi=float(normalized_mutual_info_score(g, f)),
        ari=float(adjusted_rand_score(g, f)),
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall),
    )


def contingency(gold: Sequence[Hashable], found: Sequence[Hashable]) -> NDArray[np.int64]:
    """Counts, (gold labels, found labels), labels in the order of first appearance."""
    if len(gold) != len(found) or not gold:
        raise ValueError(f"two labellings of the same rows are needed, got {len(gold)} and {len(found)}")
    g, f = _codes(gold), _codes(found)
    table = np.zeros((g.max() + 1, f.max() + 1), dtype=np.int64)
    np.add.at(table, (g, f), 1)
    return table


def _codes(labels: Sequence[Hashable]) -> NDArray[np.int64]:
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in labels], dtype=np.int64)


def recall_at(ranks: Sequence[int | None], k: int) -> float | None:
    """Share of rows whose first right candidate stands at rank <= k; ranks count from 1, None is not found."""
    return share([rank is not None and rank <= k for rank in ranks])


def mrr(ranks: Sequence[int | None], *, k: int | None = None) -> float | None:
    """Mean reciprocal rank; a rank beyond k, or None, counts 0."""
    if not ranks:
        return None
    return float(np.mean([1 / rank if rank and (k is None or rank <= k) else 0.0 for rank in ranks]))


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


def bootstrap(
    conversations: Sequence[str],
    values: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Floats:
    """`draws` resampled values of sum(values) / sum(weights); weights default to 1.

    The turns of one conversation are not independent, so whole conversations are drawn, with replacement (cluster
    bootstrap). A paired comparison passes differences as `values`. Draws without any weight are left out.
    """
    codes = _codes(conversations)
    count = int(codes.max()) + 1
    top = np.asarray(values, dtype=float)
    bottom = np.ones(top.size) if weights is None else np.asarray(weights, dtype=float)
    sums = np.stack([np.bincount(codes, part, count) for part in (top, bottom)], axis=1)
    rng = np.random.default_rng(seed)
    drawn = np.empty((draws, 2))
    for i in range(draws):
        drawn[i] = sums[rng.integers(0, count, count)].sum(axis=0)
    kept = drawn[drawn[:, 1] > 0]
    return np.asarray(kept[:, 0] / kept[:, 1])


def interval(
    conversations: Sequence[str], values: ArrayLike, weights: ArrayLike | None = None, *, seed: int = 0
) -> Interval | None:
    """The 95% percentile bootstrap interval of sum(values) / sum(weights)."""
    if not len(conversations):
        return None
    drawn = bootstrap(conversations, values, weights, seed=seed)
    return Interval(*(float(q) for q in np.quantile(drawn, (0.025, 0.975)))) if drawn.size else None
