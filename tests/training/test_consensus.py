from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, homogeneity_score, normalized_mutual_info_score

from training import consensus as module
from training.cluster import unit
from training.consensus import agreed, consensus, modularity, neighbour_graph


def blobs(sizes: list[int], *, noise: float = 0.12, dimension: int = 40) -> tuple[np.ndarray, list[int]]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(dimension)[labels] + noise * np.random.default_rng(0).normal(size=(len(labels), dimension))
    return unit(rows.astype(np.float32)), labels.tolist()


@pytest.mark.parametrize("kinds", [6, 14, 25])
def test_how_many_kinds_there_are_is_found(kinds: int) -> None:
    rows, labels = blobs([30] * kinds)
    found = consensus(rows, least=2, most=60, seed=1)
    assert 0.8 * kinds <= len(set(found.tolist())) <= kinds
    assert normalized_mutual_info_score(labels, found) > 0.95


def test_a_rare_kind_beside_large_ones_keeps_a_group_of_its_own() -> None:
    rows, labels = blobs([200, 150, 100, 60, 40, 8, 6])
    found = consensus(rows, least=2, most=40, seed=1)
    for kind in (5, 6):
        (own,) = {group for group, label in zip(found.tolist(), labels, strict=True) if label == kind}
        assert {label for group, label in zip(found.tolist(), labels, strict=True) if group == own} == {kind}


def test_what_is_said_over_and_over_counts_as_one_request() -> None:
    rows, labels = blobs([20] * 5)
    many = np.vstack([rows, np.repeat(rows[:1], 500, axis=0)])
    found = consensus(many, least=2, most=20, seed=1)
    assert homogeneity_score(labels, found[: len(rows)]) > 0.98
    assert set(found[len(rows) :].tolist()) == {found[0]}


def test_a_large_log_is_grouped_by_a_sample_and_the_rest_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = blobs([60] * 6)
    monkeypatch.setattr(module, "SAMPLE", 120)
    found = consensus(rows, least=2, most=20, seed=1)
    assert adjusted_rand_score(labels, found) > 0.98


def test_the_same_rows_and_seed_give_the_same_groups() -> None:
    rows, _ = blobs([30] * 6, noise=0.5)
    assert consensus(rows, least=2, most=20, seed=3).tolist() == consensus(rows, least=2, most=20, seed=3).tolist()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_hardly_any_rows_are_grouped_without_complaint(count: int) -> None:
    rows = unit(np.eye(8)[:count].astype(np.float32))
    assert len(consensus(rows, least=5, most=20, seed=1)) == count


def test_rows_without_any_likeness_are_grouped_without_complaint() -> None:
    assert len(agreed(np.eye(50, dtype=np.float32), least=5, most=20, seed=1)) == 50
    assert consensus(np.zeros((30, 4), np.float32), least=5, most=20, seed=1).tolist() == [0] * 30


def test_the_true_grouping_has_the_higher_modularity() -> None:
    rows, labels = blobs([30] * 6)
    graph = neighbour_graph(rows @ rows.T - 2 * np.eye(len(rows), dtype=np.float32), 10)
    shuffled = np.random.default_rng(1).permutation(labels)
    assert modularity(graph, np.array(labels)) > 0.7 > 0.1 > modularity(graph, shuffled)
