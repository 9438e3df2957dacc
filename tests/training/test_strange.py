"""However few and however easy its conversations are, a bot does not take everything for what it knows."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.answers import sigmoid
from training.heads import LEAST_STRANGE, calibrate_answers, fit_answers, judge, validate_answers
from training.split import folds

rng = np.random.default_rng(8)
DIMENSION = 96


def near(middle: np.ndarray, count: int, noise: float = 0.05) -> np.ndarray:
    rows = middle + noise * rng.normal(size=(count, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def anything(count: int) -> np.ndarray:
    return near(np.zeros(DIMENSION), count)


@pytest.mark.parametrize("answers", [1, 2, 3, 6])
@pytest.mark.parametrize("count", [12, 30, 80, 300])
def test_of_a_log_where_all_was_right_strange_messages_are_still_handed_over(answers: int, count: int) -> None:
    owner = np.arange(count) % answers
    rows = np.concatenate([near(np.eye(DIMENSION)[kind], 1) for kind in owner])
    seen = validate_answers(
        rows, owner, answers, keys=rows, parts=folds(np.arange(count)), seed=1, strange=anything(28)
    )
    assert seen.right[~seen.hidden, 0].all()
    weights, limit = calibrate_answers(seen, [True] * answers, error_budget=0.1)
    asked = judge(fit_answers(rows, owner, answers, keys=rows, seed=1), anything(200), np.full(200, -1))
    sure = sigmoid(asked.signals[:, 0] @ weights[:-1] + weights[-1])
    assert (sure >= limit).mean() <= 0.02
    assert count < 300 or limit <= 1, "a large clean log is answered from"


def test_where_hiding_answers_brings_enough_that_is_strange_nothing_stands_in() -> None:
    owner = np.arange(1600) % 8
    rows = np.concatenate([near(np.eye(DIMENSION)[kind], 1) for kind in owner])
    seen = validate_answers(rows, owner, 8, keys=rows, parts=folds(np.arange(1600)), seed=1, strange=anything(28))
    assert len(seen.right) == 1600
    assert seen.hidden.sum() >= LEAST_STRANGE
