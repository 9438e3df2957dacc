from __future__ import annotations

import numpy as np
import pytest

from retrieval.intents import SIGNALS
from training.intent_head import fit_intents

rng = np.random.default_rng(6)


def around(kinds: int, each: int, *, noise: float = 0.15, dimension: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each kind in turn, as in a log: 0, 1, 2, 0, 1, 2, ..."""
    owner = np.tile(np.arange(kinds), each)
    rows = np.eye(dimension)[owner] + noise * rng.normal(size=(kinds * each, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), owner


@pytest.mark.parametrize(("kinds", "each"), [(1, 12), (2, 12), (1, 1), (2, 1), (6, 1), (3, 2), (6, 2), (8, 15)])
def test_intents_can_be_fitted_on_few_rows_and_few_kinds(kinds: int, each: int) -> None:
    rows, owner = around(kinds, each)
    labels = [f"i{n}" for n in range(kinds)]
    fitted = fit_intents(rows, owner, labels, strength=10.0, seed=1)
    judged = fitted.head.judge(rows)
    assert (judged.probabilities.argmax(1) == owner).mean() > 0.9
    assert np.isfinite(judged.in_scope).all()
    assert 0 <= fitted.in_scope <= 1


def test_a_label_without_any_row_never_wins() -> None:
    rows, owner = around(6, 10)
    fitted = fit_intents(rows, owner, [f"i{n}" for n in range(9)], strength=10.0, seed=1)
    assert fitted.head.judge(rows).probabilities[:, 6:].max() < 0.01


def test_rows_of_known_intents_stay_in_scope() -> None:
    rows, owner = around(9, 30)
    fitted = fit_intents(rows, owner, [f"i{n}" for n in range(9)], strength=10.0, seed=1)
    new, _ = around(9, 10)
    assert (fitted.head.judge(new).in_scope >= fitted.in_scope).mean() >= 0.9
    strange = np.eye(24, dtype=np.float32)[12:]
    assert (fitted.head.judge(strange).in_scope < fitted.in_scope).mean() > 0.8


def test_no_request_at_all_gives_a_head_that_understands_nothing() -> None:
    fitted = fit_intents(np.zeros((0, 24), np.float32), np.zeros(0, np.int64), [], strength=10.0, seed=1)
    assert (fitted.head, fitted.in_scope) == (None, 0.0)


def test_signals_are_as_many_as_their_weights() -> None:
    rows, owner = around(6, 10)
    tables = fit_intents(rows, owner, [f"i{n}" for n in range(6)], strength=10.0, seed=1).head.tables
    assert tables.scope.shape == tables.trust.shape == (len(SIGNALS) + 1,)
    assert tables.centre.shape == tables.spread.shape == (len(SIGNALS),)
