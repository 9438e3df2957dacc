from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retrieval.index as index_module
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
    rows = unit_rows(FLAT_BYTES // 4 // 384 + 1, 384)
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


def text_like(count: int, dimension: int = 32) -> np.ndarray:
    """Rows in clusters, as texts are."""
    centres, rng = unit_rows(60, dimension, 7), np.random.default_rng(3)
    rows = centres[rng.integers(0, 60, count)] + 0.15 * rng.standard_normal((count, dimension)).astype(np.float32)
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "FLAT_BYTES", 1000)
    monkeypatch.setattr(index_module, "EXACT_ROWS", 1000)


@pytest.mark.usefixtures("small_sizes")
@pytest.mark.parametrize("pq_rows", [10**9, 2000])
def test_a_huge_index_reads_as_many_lists_as_the_recall_target_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pq_rows: int
) -> None:
    monkeypatch.setattr(index_module, "PQ_ROWS", pq_rows)
    rows = text_like(6000)
    built = Index.build(rows, recall_target=0.9)
    assert built.tuned is not None
    assert built.tuned.recall >= 0.9
    assert built.tuned.probes < 310, "not all lists are read"
    assert "recall@10" in built.explain
    built.save(tmp_path / "i.faiss")
    np.save(tmp_path / "rows.npy", rows)
    monkeypatch.setattr(index_module, "MAPPED_BYTES", 1000)
    loaded = Index.load(tmp_path / "i.faiss", exact=np.load(tmp_path / "rows.npy", mmap_mode="r"))
    assert loaded.explain == built.explain
    asked = text_like(6100)[-100:]
    scores, found = loaded.search(asked, 10)
    truth = np.argsort(-(asked @ rows.T), axis=1)[:, :10]
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), truth.tolist(), strict=True)])
    assert recall >= 0.85
    np.testing.assert_allclose(scores, np.take_along_axis(asked @ rows.T, found, 1), atol=1e-5)
    (tmp_path / "i.tuned.json").write_text("{}")
    with pytest.raises(BadBundle, match="what it was tuned to cannot be read"):
        Index.load(tmp_path / "i.faiss", exact=rows)


@pytest.mark.usefixtures("small_sizes")
def test_without_a_gpu_the_index_is_searched_here_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    rows = text_like(1500)
    with caplog.at_level("WARNING"):
        found = Index.build(rows, device="gpu").search(rows[:20], 1)[1]
    assert found[:, 0].tolist() == list(range(20))
    assert [record.message for record in caplog.records] == [
        "no GPU for the index (this faiss is built without GPU support); it is searched on the CPU"
    ]


def test_the_device_is_chosen_without_a_word_when_nobody_asked_for_a_gpu(caplog: pytest.LogCaptureFixture) -> None:
    Index.build(unit_rows(10, 4))
    assert not caplog.records
