from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrieval.intents import SIGNALS, IntentHead, IntentTables, relative_mahalanobis
from training.intent_head import fit_intents

rng = np.random.default_rng(8)
LABELS = tuple(f"intent_{n}" for n in range(8))


def around(centres: np.ndarray, each: int, noise: float = 0.08) -> np.ndarray:
    rows = np.repeat(centres, each, axis=0) + noise * rng.normal(size=(len(centres) * each, centres.shape[1]))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


CENTRES = around(np.eye(16), 1, 0.01)
OWNER = np.repeat(np.arange(8), 20)
ROWS = around(CENTRES[:8], 20)


@pytest.fixture(scope="module")
def head() -> IntentHead:
    return fit_intents(ROWS, OWNER, LABELS, strength=10.0, seed=3).head


def test_new_messages_get_the_intent_of_their_neighbourhood(head: IntentHead) -> None:
    judged = head.judge(around(CENTRES[:8], 5))
    assert judged.probabilities.argmax(1).tolist() == np.repeat(np.arange(8), 5).tolist()
    np.testing.assert_allclose(judged.probabilities.sum(1), 1, atol=1e-5)


def test_messages_of_kinds_never_seen_are_less_in_scope_than_known_ones(head: IntentHead) -> None:
    known, strange = head.judge(around(CENTRES[:8], 5)), head.judge(around(CENTRES[8:], 5))
    assert known.in_scope.min() > strange.in_scope.max()
    assert known.trust.mean() > strange.trust.mean() + 0.3


def test_a_message_is_judged_the_same_alone_and_among_others(head: IntentHead) -> None:
    rows = around(CENTRES, 2)
    together = head.judge(rows)
    for row in (0, 13, 31):
        alone = head.judge(rows[row : row + 1])
        np.testing.assert_allclose(alone.probabilities[0], together.probabilities[row], atol=1e-5)
        assert alone.in_scope[0] == pytest.approx(together.in_scope[row], abs=1e-4)


def test_an_example_can_be_kept_from_voting_for_itself(head: IntentHead) -> None:
    nearest = SIGNALS.index("nearest")
    assert head.signals(ROWS)[1][:, nearest].min() == pytest.approx(1, abs=1e-5)
    assert head.signals(ROWS, skip_self=True)[1][:, nearest].max() < 0.9999


def test_the_relative_distance_is_the_background_distance_minus_that_of_the_nearest_class(head: IntentHead) -> None:
    tables, row = head.tables, around(CENTRES[:1], 1)[0]

    def distance(mean: np.ndarray, precision: np.ndarray) -> float:
        return float((row - mean) @ precision @ (row - mean))

    own = min(distance(mean, tables.precision) for mean in tables.means)
    expected = distance(tables.mean_all, tables.precision_all) - own
    assert relative_mahalanobis(row[None, :], tables)[0] == pytest.approx(expected, rel=1e-3)


def test_tables_survive_their_arrays(head: IntentHead) -> None:
    arrays = {name: array.astype(np.float32) for name, array in head.tables.to_arrays().items()}
    again = replace(head, tables=IntentTables.from_arrays(arrays))
    np.testing.assert_array_equal(again.judge(ROWS).in_scope, head.judge(ROWS).in_scope)
