"""What a person of the desk answered after the bot had passed may be said again, to whoever asks the same.

One such answer is no evidence for the calibration of `training.heads`, which learns from answers that many agents gave.
The question here is another one: does this message ask the same as the one that was answered? How often two messages so
alike do is learned from the log: every request beside the nearest earlier one, and whether mining put both into one
intent. On the demo shop that share is within 4 points of the labelled one at every similarity (docs/experiments.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.answers import Taught
from retrieval.types import Matrix, Vector
from training.calibrate import fit_logistic
from training.cluster import Labels, tight_groups, unit
from training.pairs import Pair

LEAST = 100
MOST = 4000
NEAR = 0.6
"""Cosine from which two messages of the demo shop ask the same as often as not."""
_PARTICULAR = re.compile(r"<(?!NAME)[A-Z]+(?:_\d+)?>")
_DEED = re.compile(r"\bI(?:['’]ve| have|['’]ll| will| shall)\b", re.IGNORECASE)


def taught(pairs: Sequence[Pair], intent_of: Labels, answer_of: Labels, queries: Matrix) -> Taught | None:
    """`intent_of` (n,), `answer_of` (n,) and `queries` (n, 3d) belong to `pairs`, in the order of time.

    None when nobody taught anything, or when too few requests are there to learn what "the same" is.
    """
    rows = np.array([pair.trusted and _general(pair) for pair in pairs], bool) & (intent_of >= 0)
    same = fit_same(queries, intent_of) if rows.any() else None
    return None if same is None else Taught(messages(queries[rows]), answer_of[rows], same)


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


def fit_same(queries: Matrix, intent_of: Labels) -> Vector | None:
    """(2,) slope and intercept: the log odds that two messages of a cosine ask the same. None with too few requests,
    or when closer messages are no likelier to."""
    queries, intents = queries[-MOST:], intent_of[-MOST:]
    earlier = np.tri(len(queries), k=-1, dtype=bool)
    nearest = np.where(earlier, queries @ queries.T, -1).argmax(1)
    asks = intents >= 0
    asks[0] = False
    if asks.sum() < LEAST:
        return None
    alone = messages(queries)
    close = (alone * alone[nearest]).sum(1)
    fitted = fit_logistic(close[asks, None], (intents == intents[nearest])[asks])
    return fitted if fitted[0] > 0 else None
