"""Scores -> probabilities -> thresholds. Probabilities are fitted on validation rows; thresholds follow from a budget.

The threshold is the lowest one at which (wrong + 1) / (answered + 1) stays within the error budget on validation:
conformal risk control (arXiv 2208.02814) for the share of wrong answers, conservative by one answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from retrieval.types import Matrix, Vector

NEVER = 1.01
Flags = NDArray[np.bool_]


def fit_logistic(signals: Matrix, right: Flags, *, weight: Vector | None = None, strength: float = 1.0) -> Vector:
    """(s + 1,) weights with the intercept last; a constant when only one outcome was seen."""
    out = np.zeros(signals.shape[1] + 1, np.float32)
    if right.all() or not right.any():
        share = (right.sum() + 1) / (len(right) + 2)
        out[-1] = np.log(share / (1 - share))
        return out
    centre, spread = signals.mean(0), np.maximum(signals.std(0), 1e-6)
    model = LogisticRegression(C=strength, max_iter=1000)
    model.fit((signals - centre) / spread, right, sample_weight=weight)
    out[:-1] = model.coef_[0] / spread
    out[-1] = model.intercept_[0] - (model.coef_[0] * centre / spread).sum()
    return out


def threshold_for(sure: Vector, right: Flags, *, error_budget: float, weight: Vector | None = None) -> float:
    """The lowest probability from which on answers stay within the budget; NEVER when no threshold does.

    `weight` (n,) is how much each row counts, 1 by default.
    """
    if weight is None:
        weight = np.ones(len(sure), np.float32)
    order = np.argsort(-sure, kind="stable")
    ranked = sure[order]
    counted = weight[order].astype(np.float64)
    wrong = np.cumsum(~right[order] * counted)
    answered = np.cumsum(counted)
    fits = (wrong + 1) / (answered + 1) <= error_budget
    fits &= np.append(ranked[:-1] > ranked[1:], True)  # rows of equal probability stand or fall together
    if not fits.any():
        return NEVER
    last = int(np.flatnonzero(fits)[-1])
    return float(ranked[last])


def scope_threshold(in_scope: Vector, outside: Vector, *, keep: float = 0.95, share: float = 0.2) -> float:
    """Where most messages are judged rightly if `share` of them were out of scope, never losing over 1 - keep."""
    highest = float(np.quantile(in_scope, 1 - keep))
    candidates = np.unique(np.concatenate([in_scope, outside, [0.0]]))
    candidates = candidates[candidates <= highest]
    gain = [(1 - share) * (in_scope >= t).mean() + share * (outside < t).mean() for t in candidates]
    return float(candidates[int(np.argmax(gain))])
