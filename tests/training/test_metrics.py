"""Properties of the measures, and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import metrics

scores = st.lists(st.floats(0, 1, width=16), min_size=1, max_size=40)
labels = st.lists(st.integers(0, 5), min_size=1, max_size=60)


@st.composite
def rows(draw):
    n = draw(st.integers(1, 40))
    column = lambda kind: draw(st.lists(kind, min_size=n, max_size=n))  # noqa: E731
    return column(st.floats(0, 1, width=16)), column(st.booleans()), column(st.booleans())


@given(scores, scores)
def test_auroc_is_the_share_of_pairs_in_the_right_order(inside, outside):
    pairs = [(a > b) + 0.5 * (a == b) for a in inside for b in outside]
    assert metrics.oos_auroc(inside, outside) == pytest.approx(np.mean(pairs))


@given(scores, scores)
def test_oos_recall_is_that_of_the_best_threshold_which_keeps_95_percent(inside, outside):
    brute = max(np.mean(np.array(outside) < t) for t in inside if np.mean(np.array(inside) >= t) >= 0.95 - 1e-9)
    assert metrics.oos_recall_at(inside, outside) == pytest.approx(brute)


def test_oos_recall_of_separated_scores_is_one():
    assert metrics.oos_recall_at([0.9] * 20, [0.1] * 5) == 1.0
    assert metrics.oos_recall_at([0.5] * 20, [0.5] * 5) == 0.0


@given(rows())
def test_best_accuracy_equals_trying_every_threshold(drawn):
    score, right, out = (np.array(c) for c in drawn)
    tries = [*score, 2.0]
    brute = max(np.mean(np.where(score >= t, right & ~out, out)) for t in tries)
    assert metrics.best_accuracy(score, right, out) == pytest.approx(brute)


@given(rows(), st.sampled_from([0.0, 0.02, 0.05, 0.3]))
def test_coverage_equals_trying_every_threshold(drawn, error):
    score, right = np.array(drawn[0]), np.array(drawn[1])
    brute = max((np.mean(score >= t) for t in score if np.mean(~right[score >= t]) <= error + 1e-9), default=0.0)
    assert metrics.coverage_at_error(score, right, error=error) == pytest.approx(brute)


@given(rows())
def test_more_error_allowed_never_means_less_coverage(drawn):
    score, right, _ = drawn
    covered = [metrics.coverage_at_error(score, right, error=e) for e in (0.0, 0.02, 0.05, 1.0)]
    assert covered == sorted(covered)
    assert covered[-1] == 1.0


@given(labels, st.permutations(range(6)))
def test_renaming_clusters_changes_nothing_and_the_same_clusters_are_perfect(gold, names):
    perfect = metrics.clustering(gold, [f"cluster {names[g]}" for g in gold])
    assert (perfect.acc, perfect.precision, perfect.recall, perfect.f1) == (1, 1, 1, 1)
    assert perfect.nmi == pytest.approx(1)
    assert perfect.ari == pytest.approx(1)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=50))
def test_one_to_one_accuracy_never_beats_many_to_one(pairs):
    gold, found = zip(*pairs, strict=True)
    got = metrics.clustering(gold, found)
    assert got.acc <= min(got.precision, got.recall) + 1e-12


def test_clustering_by_hand():
    got = metrics.clustering(list("aaabbb"), [0, 0, 1, 1, 2, 2])
    assert got.acc == pytest.approx(4 / 6)
    assert got.precision == pytest.approx(5 / 6)
    assert got.recall == pytest.approx(4 / 6)
    assert got.f1 == pytest.approx(2 * 5 * 4 / (5 + 4) / 6)


def test_everything_in_one_cluster_has_full_recall_and_no_information():
    got = metrics.clustering(list("aabbb"), [0] * 5)
    assert (got.recall, got.precision, got.nmi) == (1, pytest.approx(0.6), pytest.approx(0))


def test_ranks_by_hand():
    ranks = [1, 2, None, 6]
    assert metrics.recall_at(ranks, 1) == 0.25
    assert metrics.recall_at(ranks, 5) == 0.5
    assert metrics.mrr(ranks) == pytest.approx((1 + 0.5 + 1 / 6) / 4)
    assert metrics.mrr(ranks, k=5) == pytest.approx(1.5 / 4)


@given(st.lists(st.one_of(st.none(), st.integers(1, 20)), min_size=1))
def test_recall_grows_with_k_and_encloses_mrr(ranks):
    by_k = [metrics.recall_at(ranks, k) for k in range(1, 21)]
    assert by_k == sorted(by_k)
    assert by_k[0] - 1e-12 <= metrics.mrr(ranks) <= by_k[-1] + 1e-12


def test_a_measure_without_its_rows_is_none():
    assert metrics.share([]) is None
    assert metrics.oos_auroc([1.0], []) is None
    assert metrics.oos_recall_at([], [1.0]) is None
    assert metrics.mrr([]) is None
    assert metrics.interval([], []) is None


def test_the_bootstrap_draws_whole_conversations():
    one_big = ["a"] * 50 + ["b"] * 50
    values = [1.0] * 50 + [0.0] * 50
    drawn = metrics.bootstrap(one_big, values, draws=400)
    assert set(np.round(drawn, 6)) == {0.0, 0.5, 1.0}


def test_the_bootstrap_interval_is_near_the_normal_one_and_repeats():
    rng = np.random.default_rng(3)
    values = rng.random(800) < 0.3
    names = [str(i) for i in range(800)]
    got = metrics.interval(names, values, seed=5)
    assert got == metrics.interval(names, values, seed=5)
    spread = 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 800)
    assert got.low == pytest.approx(values.mean() - spread, abs=0.01)
    assert got.high == pytest.approx(values.mean() + spread, abs=0.01)


def test_a_ratio_leaves_out_draws_without_weight():
    drawn = metrics.bootstrap(["a", "b"], [1.0, 0.0], [1.0, 0.0], draws=200)
    assert 100 < drawn.size < 200
    assert set(drawn) == {1.0}
