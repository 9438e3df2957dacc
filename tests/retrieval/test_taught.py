"""What one person answered once is certain by how surely the same was asked, not by how many said it."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.answers import SIGNALS, AnswerModel, Taught, compose, sigmoid
from retrieval.index import Index
from retrieval.types import Matrix

MESSAGES = np.eye(6, dtype=np.float32)
EMPTY = np.zeros((6, 6), np.float32)
SAME = np.array([20.0, -14.0], np.float32)


@pytest.fixture
def model() -> AnswerModel:
    """Six answers with a request each, of which a person taught the last; the calibration trusts nothing."""
    return AnswerModel(
        index=Index.build(asked(MESSAGES)),
        answer_of=np.arange(6),
        support=np.ones(6, np.int64),
        weight=np.zeros((18, 6), np.float32),
        bias=np.zeros(6, np.float32),
        calibration=np.array([*[0.0] * len(SIGNALS), -3], np.float32),
        replies=MESSAGES,
        requests=asked(MESSAGES),
        coherence=np.ones(6, np.float32),
        record=np.full(6, 0.8, np.float32),
        taught=Taught(MESSAGES[5:], np.array([5]), SAME),
    )


def asked(messages: Matrix, desk: Matrix = EMPTY) -> Matrix:
    return compose(messages, desk[: len(messages)], EMPTY[: len(messages)], (1.0, 0.5, 0.25))


def test_the_same_message_gets_the_taught_answer_surely_and_others_are_judged_as_before(model: AnswerModel) -> None:
    scored = model.score(asked(MESSAGES), k=1)
    sure, taught = (part[:, 0] for part in model.sure(scored))
    assert scored.answers[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert sure[5] == pytest.approx(float(sigmoid(np.float32(6.0))))
    assert taught.tolist() == [False] * 5 + [True]
    np.testing.assert_allclose(sure[:5], model.p_correct(scored.signals)[:5, 0])


def test_what_was_said_before_does_not_make_it_less_sure(model: AnswerModel) -> None:
    plain, in_context = asked(MESSAGES[5:]), asked(MESSAGES[5:], MESSAGES)
    alone, amid = (model.sure(model.score(query, k=1))[0][0, 0] for query in (plain, in_context))
    assert float(amid) == pytest.approx(float(alone))


def test_a_message_that_is_only_somewhat_like_it_is_not_sure(model: AnswerModel) -> None:
    somewhat = (0.6 * MESSAGES[5:] + 0.8 * MESSAGES[:1]).astype(np.float32)
    scored = model.score(asked(somewhat), k=6)
    place = scored.answers[0].tolist().index(5)
    assert scored.taught[0, place] == pytest.approx(0.6, abs=1e-5)
    assert model.sure(scored)[0][0, place] == pytest.approx(float(sigmoid(np.float32(-2.0))), abs=1e-4)
