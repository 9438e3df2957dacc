from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from retrieval.encoder import Encoder
from retrieval.errors import BadBundle

TEXTS = ["do you ship to norway", "where is my order", "hello", "how do I return a jacket, I want to send it back"]


@pytest.fixture
def exported(tiny_base: Path) -> Encoder:
    return Encoder(tiny_base)


def test_every_text_becomes_a_row_of_length_one_in_the_order_given(exported: Encoder) -> None:
    forth, back = exported.encode(TEXTS), exported.encode(TEXTS[::-1])
    assert forth.shape == (4, 32)
    assert forth.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(forth, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(back[::-1], forth)


def test_no_text_gives_no_row(exported: Encoder) -> None:
    assert exported.encode([]).shape == (0, 32)


def test_a_text_that_stands_there_twice_gets_the_same_row_twice(exported: Encoder) -> None:
    rows = exported.encode(["hello", "where is my order", "hello"])
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not np.allclose(rows[0], rows[1])


def test_the_row_of_a_text_does_not_depend_on_its_company(tiny_base: Path) -> None:
    alone = np.stack([Encoder(tiny_base, cache=0).encode([text])[0] for text in TEXTS])
    np.testing.assert_allclose(Encoder(tiny_base).encode(TEXTS * 20)[:4], alone, atol=1e-6)


def test_callers_cannot_spoil_the_cache(exported: Encoder) -> None:
    first = exported.encode(["hello"]).copy()
    exported.encode(["hello"])[:] = 0
    np.testing.assert_array_equal(exported.encode(["hello"]), first)


@pytest.mark.parametrize("cache", [0, 1, 3])
def test_a_small_cache_changes_nothing_but_speed(tiny_base: Path, exported: Encoder, cache: int) -> None:
    small = Encoder(tiny_base, cache=cache)
    for _ in range(3):
        np.testing.assert_allclose(small.encode(TEXTS), exported.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("text", ["", " ", "?", "where " * 20_000, "私の注文はどこですか", "\x00\ud7ff", "👍" * 300])
def test_odd_texts_have_a_vector_too(exported: Encoder, text: str) -> None:
    row = exported.encode([text])[0]
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-4)


def test_threads_share_an_encoder_and_get_what_one_would_get(tiny_base: Path) -> None:
    texts = [f"{text} {number}" for number in range(30) for text in TEXTS]
    alone = Encoder(tiny_base)
    expected = [alone.encode([text]) for text in texts]
    shared = Encoder(tiny_base, cache=16)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda text: shared.encode([text]), texts))
    np.testing.assert_allclose(np.stack(got), np.stack(expected), atol=1e-6)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_damaged_or_missing_file_says_which_encoder_and_what_to_do(
    tiny_base: Path, tmp_path: Path, name: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_base, copy)
    (copy / name).write_bytes(b"\x00nonsense")
    with pytest.raises(BadBundle, match=r"copy cannot be read: .*; train again or roll back"):
        Encoder(copy)
    (copy / name).unlink()
    with pytest.raises(BadBundle, match=r"copy cannot be read"):
        Encoder(copy)
