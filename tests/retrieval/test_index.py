from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadBundle
from retrieval.index import FLAT_BYTES, Index


def unit_rows(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 8), st.integers(0, 99))
def test_the_neighbours_are_those_of_the_plain_product(count: int, dimension: int, k: int, seed: int) -> None:
    rows, asked = unit_rows(count, dimension, seed), unit_rows(5, dimension, seed + 1)
    scores, found = Index.build(rows).search(asked, k)
    every = asked @ rows.T
    best = -np.sort(-every, axis=1)[:, :k]
    np.testing.assert_allclose(scores, best, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(every, found, 1), best, atol=1e-5)


def test_k_is_cut_to_what_there_is_and_an_empty_index_finds_nothing() -> None:
    assert Index.build(unit_rows(3, 4)).search(unit_rows(2, 4), 10)[1].shape == (2, 3)
    empty = Index.build(np.empty((0, 4), np.float32))
    assert len(empty) == 0
    assert [part.shape for part in empty.search(unit_rows(2, 4), 10)] == [(2, 0), (2, 0)]


def test_rows_that_are_not_contiguous_are_searched_all_the_same() -> None:
    rows = unit_rows(50, 8)
    _, found = Index.build(rows[::2]).search(rows[::2][:5], 1)
    assert found[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_large_index_is_a_quarter_of_its_vectors_and_finds_the_same(tmp_path: Path) -> None:
    rows = unit_rows(FLAT_BYTES // 4 // 64 + 1, 64)
    Index.build(rows).save(tmp_path / "large.faiss")
    assert (tmp_path / "large.faiss").stat().st_size < rows.nbytes / 3.9
    scores, found = Index.load(tmp_path / "large.faiss").search(rows[:200], 5)
    assert found[:, 0].tolist() == list(range(200))
    np.testing.assert_allclose(scores, np.take_along_axis(rows[:200] @ rows.T, found, 1), atol=0.01)


def test_a_saved_index_loads_as_it_was(tmp_path: Path) -> None:
    rows = unit_rows(40, 6)
    Index.build(rows).save(tmp_path / "i.faiss")
    loaded = Index.load(tmp_path / "i.faiss")
    assert (len(loaded), loaded.dimension) == (40, 6)
    np.testing.assert_array_equal(loaded.search(rows, 3)[1], Index.build(rows).search(rows, 3)[1])


@pytest.mark.parametrize("content", [None, b"", b"no index at all", b"IxFI"])
def test_an_index_that_cannot_be_read_is_named_with_the_cure(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.faiss"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadBundle, match=r"bad\.faiss cannot be read: .*build it again or roll back"):
        Index.load(path)
