"""Scores -> probabilities -> thresholds. Probabilities are fitted on validation rows; thresholds follow from a budget.

The threshold is the lowest one at which an upper confidence bound of the share of wrong answers stays within the error
budget on validation: risk control as in arXiv 2110.01052, by the bound of Clopper and Pearson (1934) for small samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import beta

from retrieval.types import Matrix, Vector

NEVER = 1.01
CONFIDENCE = 0.8
"""How sure the choice is that the budget holds for the validation conversations' like."""
LEAST_SURE = 0.5
"""However easy the log: nothing is sent that is more likely wrong than right."""
PULL = 20.0
Flags = NDArray[np.bool_]


def fit_logistic(
    signals: Matrix,
    right: Flags,
    *,
    weight: Vector | None = None,
    strength: float = 1.0,
    signs: Sequence[int] | None = None,
) -> Vector:
    """(s + 1,) weights with the intercept last; a constant when only one outcome was seen.

    `signs` (s,) keeps a weight from turning against what its signal means: 1 it may only speak for, -1 only against.
    """
    out = np.zeros(signals.shape[1] + 1, np.float32)
    if right.all() or not right.any():
        share = (right.sum() + 1) / (len(right) + 2)
        out[-1] = np.log(share / (1 - share))
        return out
    centre, spread = signals.mean(0), np.maximum(signals.std(0), 1e-6)
    ridge = np.append(np.full(signals.shape[1], 1 / strength), 0.0)
    weights = _least_loss((signals - centre) / spread, right, weight, np.zeros(len(out)), ridge, signs)
    out[:-1] = weights[:-1] / spread
    out[-1] = weights[-1] - (weights[:-1] * centre / spread).sum()
    return out


def fit_near(
    signals: Matrix, right: Flags, prior: Sequence[float], *, weight: Vector | None = None, signs: Sequence[int] = ()
) -> Vector:
    """(s + 1,) as `fit_logistic`, but near `prior` (s + 1,), which counts as `PULL` rows.

    So a handful of rows, or rows that were all right, do not make everything certain: what is unlike a known request
    stays improbable, because the prior says so.
    """
    start = np.array(prior, np.float64)
    pull = PULL / np.maximum(np.abs(start), 1.0) ** 2
    return _least_loss(signals, right, weight, start, pull, signs).astype(np.float32)


def _least_loss(
    rows: Matrix,
    right: Flags,
    weight: Vector | None,
    start: NDArray[np.float64],
    ridge: NDArray[np.float64],
    signs: Sequence[int] | None,
) -> NDArray[np.float64]:
    """Logistic regression, the intercept last: each weight within its sign, and held to `start` by `ridge`."""
    rows = np.column_stack([rows, np.ones(len(rows))]).astype(np.float64)
    counted = np.ones(len(right)) if weight is None else weight

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds, away = rows @ at, at - start
        excess = counted * (1 / (1 + np.exp(-np.clip(odds, -500, 500))) - right)
        cost = (counted * np.logaddexp(0, np.where(right, -odds, odds))).sum() + ridge @ away**2 / 2
        return float(cost), rows.T @ excess + ridge * away

    within = {1: (0, None), -1: (None, 0), 0: (None, None)}
    bounds = [within[sign] for sign in signs or [0] * (len(start) - 1)] + [(None, None)]
    return np.asarray(minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x)


def threshold_for(
    sure: Vector, right: Flags, *, error_budget: float, weight: Vector | None = None, confidence: float = CONFIDENCE
) -> float:
    """The lowest probability from which on answers stay within the budget; NEVER when no threshold does.

    `weight` (n,) is how much each row counts, 1 by default. Within the budget is the upper bound of the share of wrong
    ones that holds with `confidence`, so that few rows mean caution: with none wrong, 5% takes 32 rows.
    """
    if weight is None:
        weight = np.ones(len(sure), np.float32)
    order = np.argsort(-sure, kind="stable")
    ranked = sure[order]
    counted = weight[order].astype(np.float64)
    wrong = np.cumsum(~right[order] * counted)
    answered = np.cumsum(counted)
    fits = upper_bound(wrong, answered, confidence=confidence) <= error_budget
    fits &= np.append(ranked[:-1] > ranked[1:], True)  # rows of equal probability stand or fall together
    if not fits.any():
        return NEVER
    last = int(np.flatnonzero(fits)[-1])
    return float(ranked[last])


def upper_bound(
    wrong: NDArray[np.float64], answered: NDArray[np.float64], *, confidence: float = CONFIDENCE
) -> NDArray[np.float64]:
    """What the true share of wrong ones does not exceed (one-sided Clopper and Pearson); counts may be weighted."""
    rest = answered - wrong
    return np.where(rest > 1e-9, beta.ppf(confidence, wrong + 1, np.maximum(rest, 1e-9)), 1.0)


def scope_threshold(in_scope: Vector, outside: Vector, *, keep: float = 0.95, share: float = 0.2) -> float:
    """Where most messages are judged rightly if `share` of them were out of scope, never losing over 1 - keep."""
    highest = float(np.quantile(in_scope, 1 - keep))
    candidates = np.unique(np.concatenate([in_scope, outside, [0.0]]))
    candidates = candidates[candidates <= highest]
    gain = [(1 - share) * (in_scope >= t).mean() + share * (outside < t).mean() for t in candidates]
    return float(candidates[int(np.argmax(gain))])
