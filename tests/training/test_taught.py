from __future__ import annotations

from dataclasses import replace

import numpy as np

from retrieval.answers import sigmoid
from retrieval.types import Matrix
from training.calibrate import NEVER
from training.cluster import unit
from training.pairs import Pair
from training.taught import LEAST, apart, fit_same, messages, nearest_earlier, taught

rng = np.random.default_rng(3)
ASKED = Pair("c", 0, "can you engrave a bottle", "", "", ("Yes, in Leeds.",), (2,), (None,), 0.0, True)


def log(kinds: int = 20, each: int = 10, noise: float = 0.15) -> tuple[Matrix, np.ndarray]:
    """Requests of so many kinds in random order, with the kind of each: 8 dimensions, and two empty contexts."""
    centres = rng.normal(size=(kinds, 8))
    kind = rng.permutation(np.repeat(np.arange(kinds), each))
    rows = unit(unit(centres)[kind] + noise * rng.normal(size=(len(kind), 8)))
    return np.hstack([rows, np.zeros((len(kind), 16))]).astype(np.float32), kind


def test_closer_messages_are_likelier_to_ask_the_same() -> None:
    same = fit_same(*nearest_earlier(*log()))
    assert same is not None
    far, near = (float(sigmoid(np.float32(close * same[0] + same[1]))) for close in (0.3, 0.98))
    assert far < 0.5 < 0.8 < near


def test_each_request_is_beside_the_closest_one_before_it() -> None:
    said = np.eye(3, dtype=np.float32)[[0, 1, 0, 2, 1]]
    queries = np.hstack([said, np.zeros((5, 6), np.float32)])
    close, same = nearest_earlier(queries, np.array([4, 5, 6, -1, 5]))
    assert close.tolist() == [0, 1, 1]
    assert same.tolist() == [False, False, True]
    assert len(nearest_earlier(queries[:1], np.array([4]))[0]) == 0


def test_with_few_requests_nothing_is_claimed() -> None:
    queries, kind = log(kinds=4, each=LEAST // 4)
    assert fit_same(*nearest_earlier(queries, kind)) is None
    assert fit_same(*nearest_earlier(queries, np.full(len(kind), -1))) is None


def test_what_is_alike_by_chance_teaches_nothing() -> None:
    queries, kind = log()
    same = fit_same(*nearest_earlier(queries, rng.permutation(kind)))
    assert same is None or float(sigmoid(np.float32(0.98 * same[0] + same[1]))) < 0.3


def test_the_threshold_is_where_messages_so_alike_asked_the_same_within_the_budget() -> None:
    queries, kind = log(kinds=20, each=20, noise=0.2)
    pairs = [ASKED, *[replace(ASKED, trusted=False)] * (len(kind) - 1)]
    loose, strict, stricter = (taught(pairs, kind, kind, queries, error_budget=b)[1] for b in (0.3, 0.1, 0.002))
    assert 0.5 <= loose < strict < 1
    assert stricter == NEVER


def test_only_general_answers_of_people_to_requests_are_taught() -> None:
    queries, kind = log()
    rows: dict[str, Pair] = {
        "taught": ASKED,
        "an agent's, never passed on": replace(ASKED, trusted=False),
        "about one order": replace(ASKED, text="where is <ORDER>"),
        "a fact of one customer": replace(ASKED, replies=("It goes to <ADDRESS>.",)),
        "a deed": replace(ASKED, replies=("I've sent a new one.",)),
        "a promise": replace(ASKED, replies=("I will call you.",)),
        "by name": replace(ASKED, replies=("Hello <NAME>, yes, in Leeds.",)),
        "no request": ASKED,
    }
    pairs = [*rows.values(), *[replace(ASKED, trusted=False)] * (len(kind) - len(rows))]
    kind[list(rows).index("no request")] = -1
    answer_of = np.arange(len(pairs))
    made, _ = taught(pairs, kind, answer_of, queries, error_budget=0.1)
    assert made is not None
    assert made.answer_of.tolist() == [list(rows).index(name) for name in ("taught", "by name")]
    np.testing.assert_allclose(made.messages, messages(queries)[made.answer_of])


def test_a_taught_reply_leaves_a_group_that_was_asked_something_else() -> None:
    theme = np.eye(6, dtype=np.float32)
    requests = theme[[0, 0, 0, 1, 1, 2, 3, 3]]
    answer_of = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    trusted = [False, False, True, True, True, True, True, False]
    pairs = [replace(ASKED, trusted=one) for one in trusted]
    found = apart(answer_of, pairs, requests, requests)
    assert found.tolist() == [0, 0, 0, 3, 3, 1, 2, 2]
    assert answer_of.tolist() == [0, 0, 0, 0, 0, 1, 2, 2]


def test_nobody_taught_anything() -> None:
    queries, kind = log()
    assert taught([replace(ASKED, trusted=False)] * len(kind), kind, kind, queries, error_budget=0.1) == (None, NEVER)
