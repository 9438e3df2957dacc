from __future__ import annotations

import numpy as np

from retrieval.answers import SIGNALS, sigmoid
from training.calibrate import NEVER
from training.heads import Judgement, calibrate_answers, fit_answers, judge, validate_answers
from training.split import forward

rng = np.random.default_rng(6)


def around(kinds: int, each: int, *, noise: float = 0.15, dimension: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each kind in turn, as in a log: 0, 1, 2, 0, 1, 2, ..."""
    owner = np.tile(np.arange(kinds), each)
    rows = np.eye(dimension)[owner] + noise * rng.normal(size=(kinds * each, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), owner


def test_fitted_answers_are_found_again() -> None:
    rows, owner = around(5, 20)
    model = fit_answers(rows, owner, 5, keys=rows, seed=1)
    assert (model.score(rows).answers[:, 0] == owner).mean() > 0.98
    assert model.support.tolist() == [20] * 5
    assert (softmax_top(rows, model) == owner).mean() > 0.95


def softmax_top(rows: np.ndarray, model) -> np.ndarray:
    return (rows @ model.weight + model.bias).argmax(1)


def test_an_answer_that_was_never_seen_is_never_right() -> None:
    rows, owner = around(5, 10)
    model = fit_answers(rows, owner, 5, keys=rows, seed=1)
    seen = judge(model, rows, np.full(50, -1), np.zeros(50, bool))
    assert seen.signals.shape == (50, 5, len(SIGNALS))
    assert not seen.right.any()
    assert seen.new.all()


def test_many_rows_are_judged_as_a_few() -> None:
    rows, owner = around(4, 300)
    model = fit_answers(rows[:100], owner[:100], 4, keys=rows[:100], seed=1)
    none = np.zeros(1200, bool)
    whole, part = judge(model, rows, owner, none), judge(model, rows[600:700], owner[600:700], none[:100])
    np.testing.assert_array_equal(whole.answers[600:700], part.answers)
    np.testing.assert_array_equal(whole.right[600:700], part.right)


def test_validation_never_trains_on_later_rows() -> None:
    rows, owner = around(4, 50)
    cuts = [(80, 120), (120, 200)]
    honest = validate_answers(rows, owner, 4, keys=rows, parts=forward(cuts), seed=1)
    changed, other = rows.copy(), owner.copy()
    changed[120:], other[120:] = rows[120:][::-1], (owner[120:] + 1) % 4
    seen = validate_answers(changed, other, 4, keys=changed, parts=forward(cuts), seed=1)
    np.testing.assert_array_equal(seen.signals[:40], honest.signals[:40])
    np.testing.assert_array_equal(seen.right[:40], honest.right[:40])


def test_an_answer_first_given_after_the_cut_counts_as_wrong() -> None:
    rows, owner = around(4, 50)
    owner = owner.copy()
    owner[150:][owner[150:] == 3] = 4
    later = owner[150:]
    seen = validate_answers(rows, owner, 5, keys=rows, parts=forward([(150, 200)]), seed=1)
    assert not seen.right[later == 4].any()
    assert seen.new[later == 4].all()
    assert not seen.hidden[later == 4].any()
    assert seen.right[(later < 3) & ~seen.hidden, 0].mean() > 0.9


def test_requests_for_answers_that_were_hidden_from_the_fit_stand_for_strange_ones() -> None:
    rows, owner = around(8, 30)
    seen = validate_answers(rows, owner, 8, keys=rows, parts=forward([(120, 180), (180, 240)]), seed=1)
    assert 0 < seen.hidden.sum() < 60
    assert seen.new[seen.hidden].all()
    assert not seen.right[seen.hidden].any()
    assert seen.right[~seen.hidden, 0].mean() > 0.9
    weights, _ = calibrate_answers(seen, [True] * 8, error_budget=0.2)
    sure = sigmoid(seen.signals[:, 0] @ weights[:-1] + weights[-1])
    assert sure[~seen.hidden].mean() > sure[seen.hidden].mean() + 0.3


def test_of_very_few_answers_none_is_hidden() -> None:
    rows, owner = around(3, 30)
    assert not validate_answers(rows, owner, 3, keys=rows, parts=forward([(60, 90)]), seed=1).hidden.any()


def test_the_same_seed_fits_the_same_head_and_another_does_not() -> None:
    rows, owner = around(5, 60, noise=0.5)
    one, two, three = (fit_answers(rows, owner, 5, keys=rows, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.weight, two.weight)
    assert not np.array_equal(one.weight, three.weight)


def drawn(count: int, share_right: float) -> Judgement:
    """Rows whose score tells how likely the first of two candidates is right."""
    signals = np.zeros((count, 2, len(SIGNALS)), np.float32)
    signals[:, 0, 0] = rng.random(count)
    right = np.zeros((count, 2), bool)
    right[:, 0] = rng.random(count) < share_right * signals[:, 0, 0] ** 0.3
    none = np.zeros(count, bool)
    return Judgement(signals, np.tile([0, 1], (count, 1)), right, new=none, hidden=none, conversations=np.arange(count))


def test_more_errors_accepted_means_more_answers_sent() -> None:
    seen = drawn(2000, 1.0)
    limits = [calibrate_answers(seen, [True, True], error_budget=budget)[1] for budget in (0.05, 0.15, 0.5)]
    assert limits[0] > limits[1] >= limits[2]
    weights, limit = calibrate_answers(seen, [True, True], error_budget=0.15)
    sent = sigmoid(seen.signals[:, 0] @ weights[:-1] + weights[-1]) >= limit
    assert sent.sum() > 50
    assert (~seen.right[sent, 0]).mean() <= 0.15


def test_replies_that_are_never_sent_do_not_set_the_threshold() -> None:
    seen = drawn(300, 1.0)
    assert calibrate_answers(seen, [False, False], error_budget=0.5)[1] == NEVER
    assert calibrate_answers(seen, [True, False], error_budget=0.5)[1] < 1


def test_hidden_answers_make_strange_requests_part_of_what_is_judged() -> None:
    rng = np.random.default_rng(3)
    middles = np.eye(6, 12, dtype=np.float32)
    owner = np.tile(np.arange(6), 60)
    rows = (middles[owner] + rng.normal(0, 0.05, (360, 12))).astype(np.float32)
    seen = validate_answers(rows, owner, 6, keys=rows, parts=forward([(180, 360)]), seed=1)
    assert seen.hidden.any()
    assert not seen.hidden.all()
    assert not seen.right[seen.hidden].any()
    assert seen.right[~seen.hidden, 0].mean() > 0.9


def test_a_log_without_anything_new_is_judged_as_if_one_in_twenty_were() -> None:
    """Known requests all right, hidden ones all wrong and as sure: only their assumed share keeps the bot honest."""
    right = np.zeros((400, 2), bool)
    right[:360, 0] = True
    hidden = np.arange(400) >= 360
    signals = np.ones((400, 2, len(SIGNALS)), np.float32)
    seen = Judgement(signals, np.tile([0, 1], (400, 1)), right, hidden, hidden, np.arange(400))
    assert calibrate_answers(seen, [True, True], error_budget=0.04)[1] > 1
    assert calibrate_answers(seen, [True, True], error_budget=0.08)[1] <= 1


def test_an_answer_whose_words_are_another_one_s_is_wrong_however_the_requests_were_grouped() -> None:
    """Requests tell the groups apart, the replies say that half of them are in the wrong one: that must be seen."""
    rows, owner = around(4, 60)
    keys = np.eye(4, 24, dtype=np.float32)[owner]
    keys[200:][::2] = np.eye(4, 24, dtype=np.float32)[(owner[200:][::2] + 1) % 4]
    seen = validate_answers(rows, owner, 4, keys=keys, parts=forward([(200, 240)]), seed=1)
    known = ~seen.hidden
    assert not seen.right[::2].any()
    assert seen.right[1::2, 0][known[1::2]].mean() > 0.9
