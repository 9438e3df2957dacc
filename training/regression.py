"""Multinomial logistic regression on encoded texts, and how often it is right on rows that it had not seen."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from retrieval.types import Matrix, Vector
from training.calibrate import Flags
from training.cluster import Labels


def regression(
    vectors: Matrix, intent_of: Labels, classes: int, strength: float, weight: Vector | None = None
) -> tuple[Matrix, Vector]:
    """(d, c) and (c,); classes without a row get a bias that never wins. `weight` (n,) is what each row counts."""
    present = np.unique(intent_of)
    directions = np.zeros((vectors.shape[1], classes), np.float32)
    bias = np.full(classes, -1e4, np.float32)
    if len(present) == 1:
        bias[present] = 0.0
        return directions, bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="The number of unique classes")  # few examples a class: few shots
        model = LogisticRegression(C=strength, max_iter=300).fit(vectors, intent_of, sample_weight=weight)
    if len(present) == 2:
        directions[:, present[1]], bias[present] = model.coef_[0], (0.0, float(model.intercept_[0]))
    else:
        directions[:, present], bias[present] = model.coef_.T, model.intercept_
    return directions, bias


def dealt(intent_of: Labels, *, folds: int = 5) -> Labels:
    """The fold of each row. Rows of an intent are dealt out in turn, so that each fold has some of every intent."""
    fold_of = np.empty(len(intent_of), np.int64)
    fold_of[np.argsort(intent_of, kind="stable")] = np.arange(len(intent_of)) % folds
    return fold_of


def cross_validate(vectors: Matrix, intent_of: Labels, *, tested: int, classes: int, strength: float) -> Flags:
    """Which of the first `tested` rows got their intent from a regression that was fitted without them."""
    fold_of = np.full(len(vectors), -1)
    fold_of[:tested] = dealt(intent_of[:tested])
    right = np.zeros(tested, bool)
    for fold in np.unique(fold_of[:tested]):
        held = np.flatnonzero(fold_of == fold)
        kept = fold_of != fold
        weight, bias = regression(vectors[kept], intent_of[kept], classes, strength)
        right[held] = (vectors[held] @ weight + bias).argmax(1) == intent_of[held]
    return right
