from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import cluster
from training.cluster import centroids, merge, renumber, split, tight_groups, unit


def blobs(
    kinds: int, each: int, *, noise: float = 0.05, dimension: int = 24, seed: int = 0
) -> tuple[np.ndarray, list[int]]:
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.eye(dimension)[:kinds], each, axis=0) + noise * rng.normal(size=(kinds * each, dimension))
    return unit(rows.astype(np.float32)), np.repeat(np.arange(kinds), each).tolist()


def same_partition(a: list[int], b: list[int]) -> bool:
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@settings(deadline=None)
@given(st.lists(st.integers(-3, 5), min_size=1, max_size=60))
def test_renumbering_keeps_the_groups_and_puts_the_largest_first(labels: list[int]) -> None:
    new = renumber(np.array(labels)).tolist()
    assert same_partition(labels, new)
    sizes = np.bincount(new)
    assert (np.diff(sizes) <= 0).all()
    assert sorted(set(new)) == list(range(len(sizes)))


def test_the_same_groups_get_the_same_numbers_whatever_they_were_called() -> None:
    assert renumber(np.array([7, 7, 2, 2, 9])).tolist() == renumber(np.array([0, 0, 5, 5, 3])).tolist()


def test_centroids_are_of_length_one_and_stand_by_number() -> None:
    rows, labels = blobs(3, 5)
    middle = centroids(rows, np.array(labels))
    np.testing.assert_allclose(np.linalg.norm(middle, axis=1), 1, atol=1e-5)
    assert (rows @ middle.T).argmax(1).tolist() == labels


def test_a_row_of_nothing_stays_finite() -> None:
    assert np.isfinite(unit(np.zeros((2, 4), np.float32))).all()


def test_alike_rows_are_a_group_and_others_are_not() -> None:
    rows, labels = blobs(6, 12)
    assert same_partition(labels, tight_groups(rows, similarity=0.6, most=50, seed=1).tolist())


def test_many_rows_are_over_split_and_merged_to_the_same_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "EXACT", 50)
    rows, labels = blobs(6, 40)
    assert same_partition(labels, tight_groups(rows, similarity=0.6, most=30, seed=1).tolist())


@pytest.mark.parametrize("count", [0, 1])
def test_one_row_or_none_is_one_group(count: int) -> None:
    assert tight_groups(np.ones((count, 3), np.float32), similarity=0.5, most=5, seed=1).tolist() == [0] * count


def test_a_split_has_no_more_groups_than_asked_and_no_more_than_different_rows() -> None:
    rows, _ = blobs(4, 10)
    assert int(split(rows, 7, seed=1).max()) < 7
    assert split(np.ones((9, 3), np.float32), 5, seed=1).tolist() == [0] * 9


def test_merging_one_group_is_that_group() -> None:
    rows, _ = blobs(1, 5)
    assert merge(rows, np.zeros(5, np.int64), similarity=0.5).tolist() == [0] * 5


def test_the_same_rows_and_seed_give_the_same_groups() -> None:
    rows, _ = blobs(5, 20, noise=0.4)
    assert split(rows, 9, seed=3).tolist() == split(rows, 9, seed=3).tolist()
