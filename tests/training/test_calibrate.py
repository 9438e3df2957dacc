from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.answers import sigmoid
from training.calibrate import NEVER, fit_logistic, scope_threshold, threshold_for, upper_bound

ROWS = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), max_size=120)


def arrays(rows: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s for s, _ in rows], np.float32), np.array([r for _, r in rows], bool)


@settings(deadline=None, max_examples=300)
@given(ROWS, st.sampled_from([0.02, 0.05, 0.1, 0.3, 0.5]))
def test_wrong_answers_above_the_threshold_stay_within_the_budget_and_no_lower_threshold_would(
    rows: list[tuple[float, bool]], budget: float
) -> None:
    sure, right = arrays(rows)
    threshold = threshold_for(sure, right, error_budget=budget)

    def fits(limit: float) -> bool:
        sent = sure >= limit
        wrong, answered = np.array([float((~right & sent).sum())]), np.array([float(sent.sum())])
        return bool(upper_bound(wrong, answered)[0] <= budget)

    assert threshold == NEVER or fits(threshold)
    assert not any(fits(limit) for limit in set(sure.tolist()) if limit < threshold)


@settings(deadline=None, max_examples=100)
@given(ROWS, st.sampled_from([0.1, 0.3]), st.integers(1, 3))
def test_a_row_that_counts_twice_is_as_good_as_two_rows(
    rows: list[tuple[float, bool]], budget: float, most: int
) -> None:
    sure, right = arrays(rows)
    times = np.arange(len(rows)) % most + 1
    repeated = threshold_for(np.repeat(sure, times), np.repeat(right, times), error_budget=budget)
    assert threshold_for(sure, right, error_budget=budget, weight=times.astype(np.float32)) == repeated


def test_too_few_validation_rows_mean_that_nothing_is_sent() -> None:
    """0.95 to the power of 31 is .204, of 32 .194: at 80% confidence it takes 32 rows without an error."""
    sure = np.linspace(0.5, 1, 31).astype(np.float32)
    assert threshold_for(sure, np.ones(31, bool), error_budget=0.05) == NEVER
    assert threshold_for(np.linspace(0.5, 1, 32).astype(np.float32), np.ones(32, bool), error_budget=0.05) == 0.5


def test_of_many_logs_whose_answers_are_wrong_just_over_the_budget_few_pass() -> None:
    rng = np.random.default_rng(3)
    sure = np.ones(400, np.float32)
    passed = [threshold_for(sure, rng.random(400) >= 0.11, error_budget=0.1) <= 1 for _ in range(300)]
    assert np.mean(passed) <= 0.2


def test_a_signal_that_may_only_speak_for_an_answer_never_speaks_against_it() -> None:
    """Two signals that say nearly the same take turns when they are free: the weaker one gets a negative weight."""
    rng = np.random.default_rng(4)
    good = rng.normal(size=2000)
    signals = np.stack([good, good + 0.3 * rng.normal(size=2000) - 0.2 * good**2], 1).astype(np.float32)
    right = good - 0.5 * (signals[:, 1] - good) + 0.3 * rng.normal(size=2000) > 0
    assert fit_logistic(signals, right)[1] < 0
    held = fit_logistic(signals, right, signs=(1, 1))
    assert held[0] > 0
    assert held[1] == 0


def test_probabilities_follow_how_often_it_was_right() -> None:
    rng = np.random.default_rng(1)
    signal = rng.random((4000, 1)).astype(np.float32)
    right = rng.random(4000) < signal[:, 0]
    weights = fit_logistic(signal, right)
    for share in (0.2, 0.5, 0.8):
        assert sigmoid(np.array([[share]]) @ weights[:-1] + weights[-1])[0] == pytest.approx(share, abs=0.06)


def test_signals_on_other_scales_give_the_same_probabilities() -> None:
    rng = np.random.default_rng(2)
    signals = rng.normal(size=(500, 2)).astype(np.float32)
    right = signals[:, 0] + 0.5 * rng.normal(size=500) > 0
    wide = signals * np.array([100, 0.01], np.float32) + np.array([5, -3], np.float32)
    plain, scaled = fit_logistic(signals, right), fit_logistic(wide, right)
    np.testing.assert_allclose(
        sigmoid(signals @ plain[:-1] + plain[-1]), sigmoid(wide @ scaled[:-1] + scaled[-1]), atol=0.02
    )


@pytest.mark.parametrize("outcome", [True, False])
def test_when_only_one_outcome_was_seen_the_probability_is_cautious(outcome: bool) -> None:
    weights = fit_logistic(np.ones((10, 3), np.float32), np.full(10, outcome))
    share = sigmoid(np.array([[9.0, -9.0, 4.0]]) @ weights[:-1] + weights[-1])[0]
    assert share == pytest.approx(11 / 12 if outcome else 1 / 12, abs=1e-5)


def test_no_rows_at_all_give_even_odds() -> None:
    weights = fit_logistic(np.zeros((0, 3), np.float32), np.zeros(0, bool))
    assert weights.tolist() == [0, 0, 0, 0]
    assert threshold_for(np.zeros(0, np.float32), np.zeros(0, bool), error_budget=0.5) == NEVER


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=80),
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=80),
)
def test_the_scope_threshold_keeps_95_in_100_messages_that_belong(inside: list[float], outside: list[float]) -> None:
    threshold = scope_threshold(np.array(inside, np.float32), np.array(outside, np.float32))
    assert (np.array(inside, np.float32) >= np.float32(threshold)).mean() >= 0.95 - 1 / len(inside)


def test_the_scope_threshold_parts_what_can_be_parted() -> None:
    inside, outside = np.linspace(0.7, 1, 50).astype(np.float32), np.linspace(0, 0.4, 50).astype(np.float32)
    assert 0.4 < scope_threshold(inside, outside) <= 0.7 + 0.3 * 0.05 + 1e-6
