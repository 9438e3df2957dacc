"""What a person of the desk answered after the bot had passed may be said again, to whoever asks the same.

One such answer is no evidence for the calibration of `training.heads`, which learns from answers that many agents gave,
and nothing has to be proven about the answer: a person gave it on purpose. What can go wrong is that another thing was
asked. How often two messages so alike ask the same is learned from the log: every request beside the closest earlier
one, and whether mining put both into one intent. These pairs choose the threshold, too, by the same budget and bound as
that of mined answers. docs/experiments.md has how often a taught answer then went to another request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.answers import Taught, sigmoid
from retrieval.types import Matrix, Vector
from training.calibrate import LEAST_SURE, NEVER, Flags, fit_logistic, threshold_for
from training.cluster import Labels, tight_groups, unit
from training.pairs import Pair

LEAST = 100
MOST = 4000
NEAR = 0.6
"""Cosine from which two messages of the demo shop ask the same as often as not."""
_PARTICULAR = re.compile(r"<(?!NAME)[A-Z]+(?:_\d+)?>")
_DEED = re.compile(r"\bI(?:['’]ve| have|['’]ll| will| shall)\b", re.IGNORECASE)


def taught(
    pairs: Sequence[Pair], intent_of: Labels, answer_of: Labels, queries: Matrix, *, error_budget: float
) -> tuple[Taught | None, float]:
    """`intent_of` (n,), `answer_of` (n,) and `queries` (n, 3d) belong to `pairs`, in the order of time.

    The second is the probability from which on a taught answer may be sent: NEVER when no similarity of two messages
    keeps `error_budget` in the log. None when nobody taught anything, or when too few requests are there to learn
    what "the same" is.
    """
    rows = np.array([pair.trusted and _general(pair) for pair in pairs], bool) & (intent_of >= 0)
    if not rows.any():
        return None, NEVER
    close, asked_same = nearest_earlier(queries, intent_of)
    same = fit_same(close, asked_same)
    if same is None:
        return None, NEVER
    sure = sigmoid(close * same[0] + same[1])
    limit = max(LEAST_SURE, threshold_for(sure, asked_same, error_budget=error_budget))
    return Taught(messages(queries[rows]), answer_of[rows], same), limit


def apart(answer_of: Labels, pairs: Sequence[Pair], requests: Matrix, keys: Matrix) -> Labels:
    """What a person taught is an answer of its own where nobody else in its group was asked anything like it: grouping
    puts a single reply to its nearest neighbours, whatever they are about. `requests` and `keys` (n, d) are encoded."""
    answer_of = answer_of.copy()
    trusted = np.array([pair.trusted for pair in pairs], bool)
    rows = np.flatnonzero(trusted).tolist()
    alone = [row for row in rows if _strange(row, requests, (answer_of == answer_of[row]) & ~trusted)]
    if alone:
        both = np.hstack([requests[alone], keys[alone]])
        answer_of[alone] = answer_of.max() + 1 + tight_groups(both, similarity=NEAR, most=len(alone), seed=0)
    return answer_of


def _strange(row: int, requests: Matrix, others: NDArray[np.bool_]) -> bool:
    return bool(others.any() and (requests[others] @ requests[row]).max() < NEAR)


def messages(queries: Matrix) -> Matrix:
    """(n, 3d) -> (n, d): the messages without what was said before."""
    return unit(queries[:, : queries.shape[1] // 3])


def _general(pair: Pair) -> bool:
    """Neither about one customer's order nor about what the person did or will do for them."""
    said = " ".join(pair.replies)
    return not (_PARTICULAR.search(pair.text) or _PARTICULAR.search(said) or _DEED.search(said))


def nearest_earlier(queries: Matrix, intent_of: Labels) -> tuple[Vector, Flags]:
    """For the latest requests of the log: the cosine to the closest earlier one, and whether both have one intent."""
    requests = np.flatnonzero(intent_of >= 0)[-MOST:]
    if len(requests) < 2:
        return np.zeros(0, np.float32), np.zeros(0, bool)
    alone, intents = messages(queries[requests]), intent_of[requests]
    similar = np.where(np.tri(len(alone), k=-1, dtype=bool), alone @ alone.T, -1)[1:]
    return similar.max(1), intents[1:] == intents[similar.argmax(1)]


def fit_same(close: Vector, asked_same: Flags) -> Vector | None:
    """(2,) slope and intercept: the log odds that two messages of a cosine ask the same. None with too few requests,
    or when closer messages are no likelier to."""
    if len(close) < LEAST:
        return None
    fitted = fit_logistic(close[:, None], asked_same)
    return fitted if fitted[0] > 0 else None
