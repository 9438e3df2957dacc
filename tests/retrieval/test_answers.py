from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.answers import SIGNALS, AnswerModel, compose, encode_requests, sigmoid, softmax
from retrieval.index import Index

rng = np.random.default_rng(5)


def unit_rows(count: int, dimension: int) -> np.ndarray:
    rows = rng.normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def around(centres: np.ndarray, each: int, noise: float = 0.1) -> np.ndarray:
    rows = np.repeat(centres, each, axis=0) + noise * rng.normal(size=(len(centres) * each, centres.shape[1]))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


CENTRES = unit_rows(6, 24)
ROWS = around(CENTRES, 10)
OWNER = np.repeat(np.arange(6), 10)


@pytest.fixture
def model() -> AnswerModel:
    """Six answers with ten requests each; the head knows nothing, so neighbours alone decide."""
    return AnswerModel(
        index=Index.build(ROWS),
        answer_of=OWNER,
        support=np.bincount(OWNER),
        weight=np.zeros((24, 6), np.float32),
        bias=np.zeros(6, np.float32),
        calibration=np.array([6, 2, *[0.0] * (len(SIGNALS) - 2), -3], np.float32),
        replies=CENTRES,
        requests=CENTRES,
        coherence=np.linspace(0.5, 1, 6, dtype=np.float32),
        record=np.full(6, 0.8, np.float32),
    )


def test_a_composed_request_is_of_length_one_and_products_are_weighted_sums_of_cosines() -> None:
    parts = [unit_rows(4, 8) for _ in range(3)]
    weights = (1.0, 0.5, 0.25)
    both = compose(*parts, weights)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, atol=1e-5)
    cosines = sum(w * w * part @ part.T for w, part in zip(weights, parts, strict=True))
    np.testing.assert_allclose(both @ both.T, cosines / sum(w * w for w in weights), atol=1e-5)


def test_context_that_is_missing_or_short_counts_as_said_nothing() -> None:
    known: dict[str, np.ndarray] = {}

    def encode(texts: list[str]) -> np.ndarray:
        return np.stack([known.setdefault(text, unit_rows(1, 8)[0]) for text in texts])

    weights = (1.0, 0.5, 0.25)
    rows = encode_requests(encode, ["a"] * 4, [(), ("",), ("", ""), ("how many?", "")], weights)
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not np.allclose(rows[0], rows[3])


def test_the_answer_of_the_nearest_requests_comes_first(model: AnswerModel) -> None:
    scored = model.score(CENTRES)
    assert scored.answers[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert (np.diff(scored.scores, axis=1) <= 0).all()
    assert scored.signals.shape == (6, 5, len(SIGNALS))


def test_a_head_that_knows_better_outvotes_the_neighbours(model: AnswerModel) -> None:
    bias = np.array([0, 0, 0, 0, 0, 50], np.float32)
    assert replace(model, bias=bias, mix=0.2).score(CENTRES[:1]).answers[0, 0] == 5
    assert replace(model, bias=bias, mix=1.0).score(CENTRES[:1]).answers[0, 0] == 0


def test_there_are_never_more_candidates_than_answers(model: AnswerModel) -> None:
    assert model.score(CENTRES[:2], k=50).answers.shape == (2, 6)
    assert model.score(CENTRES[:2], k=1).answers.shape == (2, 1)


def test_one_answer_alone_is_scored_too(model: AnswerModel) -> None:
    only = replace(
        model, answer_of=np.zeros(60, np.int64), support=np.array([60]), weight=model.weight[:, :1], bias=model.bias[:1]
    )
    scored = only.score(CENTRES)
    assert scored.answers.ravel().tolist() == [0] * 6
    assert np.isfinite(scored.signals).all()


def test_rows_that_are_skipped_do_not_vote(model: AnswerModel) -> None:
    own = np.arange(10)[None, :]
    assert model.score(CENTRES[:1]).answers[0, 0] == 0
    scored = model.score(CENTRES[:1], k=6, skip=own)
    votes = scored.signals[0, :, SIGNALS.index("votes")]
    assert votes[scored.answers[0].tolist().index(0)] == 0
    assert scored.answers[0, 0] != 0
    assert not np.isin(scored.rows[np.isfinite(scored.similarities)], own).any()


def test_signals_mean_what_they_are_called(model: AnswerModel) -> None:
    scored = model.score(ROWS[:1])
    first = dict(zip(SIGNALS, scored.signals[0, 0].tolist(), strict=True))
    assert first["nearest"] == pytest.approx(1, abs=1e-5)
    assert first["centroid"] == pytest.approx(float(ROWS[0] @ CENTRES[0]), abs=1e-5)
    assert first["coherence"] == pytest.approx(0.5)
    assert first["record"] == pytest.approx(0.8)
    assert first["margin"] == pytest.approx(scored.scores[0, 0] - scored.scores[0, 1], abs=1e-6)
    assert first["head"] == pytest.approx(1 / 6, abs=1e-6)
    assert first["support"] == pytest.approx(np.log1p(10) / 5, abs=1e-5)


def test_a_request_is_scored_the_same_alone_and_among_others(model: AnswerModel) -> None:
    together = model.score(ROWS)
    for row in (0, 17, 59):
        alone = model.score(ROWS[row : row + 1])
        np.testing.assert_array_equal(alone.answers[0], together.answers[row])
        np.testing.assert_allclose(alone.signals[0], together.signals[row], atol=1e-5)


def test_a_far_request_is_less_sure_than_a_near_one(model: AnswerModel) -> None:
    near, far = CENTRES[:1], (CENTRES[:1] + CENTRES[1:2]) / np.sqrt(2)
    sure = [float(model.p_correct(model.score(q.astype(np.float32)).signals)[0, 0]) for q in (near, far)]
    assert 1 >= sure[0] > sure[1] >= 0


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=9))
def test_softmax_is_a_distribution_and_sigmoid_a_probability_whatever_comes(values: list[float]) -> None:
    row = np.array([values], np.float32)
    assert softmax(row).sum() == pytest.approx(1, abs=1e-5)
    assert ((sigmoid(row) >= 0) & (sigmoid(row) <= 1)).all()
    assert (np.argsort(sigmoid(np.sort(row))) >= 0).all()
