"""Request -> logged requests -> answer: neighbours vote, a softmax head votes too, and their sum is calibrated.

A request and what was said before it are encoded separately and put side by side, each with its weight, so that an
inner product is a weighted sum of cosines. Neighbours vote with exp(similarity / T). The head is a multinomial
logistic regression over answers. P(correct) is a logistic regression over a few signals of the pair (request, answer),
fitted on validation conversations that neither neighbours nor head had seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index import Index
from retrieval.types import Matrix, Vector

NEIGHBOURS = 50
TEMPERATURE = 0.05
CANDIDATES = 5
SIGNALS = (
    "score", "margin", "votes", "head", "nearest", "entropy", "support", "centroid", "coherence", "record",
)  # fmt: skip
SIGNS = (1, 1, 1, 1, 1, -1, 1, 1, 1, 1)
"""Whether more of a signal may only raise P(correct) or only lower it. Left free, correlated signals take turns: an
exact match, or a near neighbour, then counted against an answer."""


def compose(text: Matrix, desk: Matrix, customer: Matrix, weights: Sequence[float]) -> Matrix:
    """(n, d) each -> (n, 3d): message, previous desk turn, previous customer turn; rows are of length one."""
    scale = np.float32(1 / np.sqrt(sum(w * w for w in weights)))
    return np.hstack([np.float32(w) * scale * part for w, part in zip(weights, (text, desk, customer), strict=True)])


def encode_requests(
    encode: Callable[[Sequence[str]], Matrix], texts: Sequence[str], contexts: Sequence[Sequence[str]],
    weights: Sequence[float],
) -> Matrix:  # fmt: skip
    """(n, 3d) for messages with their contexts (previous desk text, previous customer text); "" where there is none."""
    flat = [*texts, *(c[0] if c else "" for c in contexts), *(c[1] if len(c) > 1 else "" for c in contexts)]
    vectors = encode(flat)
    count = len(texts)
    return compose(vectors[:count], vectors[count : 2 * count], vectors[2 * count :], weights)


@dataclass(frozen=True)
class Scored:
    """Candidates for m requests, best first: answer numbers (m, k), scores (m, k), signals (m, k, len(SIGNALS)).

    `rows` (m, n) are the neighbours' row numbers and `similarities` (m, n) their inner products. `taught` (m, k) is the
    cosine to the closest request for which a person taught this answer, 0 where there is none.
    """

    answers: NDArray[np.int64]
    scores: Matrix
    signals: Matrix
    rows: NDArray[np.int64]
    similarities: Matrix
    taught: Matrix


@dataclass(frozen=True)
class Taught:
    """Requests that the bot had passed on and a person answered: messages alone (t, d), rows of length one, and their
    answer numbers (t,). `same` (2,) gives the log odds that two messages ask the same: slope over cosine, intercept.
    """

    messages: Matrix
    answer_of: NDArray[np.int64]
    same: Vector


@dataclass(frozen=True)
class AnswerModel:
    """`answer_of` (rows,) is the answer number of each indexed request, `support` (answers,) how many there are.

    `weight` (3d, answers) and `bias` (answers,) are the head; `calibration` (signals + 1,) the logistic regression.
    `replies` (answers, d) are the centroids of what agents said, to tell which answer a reply amounts to, `requests`
    (answers, 3d) those of what they were asked; `coherence` (answers,) is how alike the replies of an answer are,
    `record` (answers,) how often it was right for the logged requests that would have got it.
    """

    index: Index
    answer_of: NDArray[np.int64]
    support: NDArray[np.int64]
    weight: Matrix
    bias: Vector
    calibration: Vector
    replies: Matrix
    requests: Matrix
    coherence: Vector
    record: Vector
    mix: float = 0.5
    taught: Taught | None = None

    def score(self, queries: Matrix, *, k: int = CANDIDATES, skip: NDArray[np.int64] | None = None) -> Scored:
        """`queries` is (m, 3d). `skip[i]` lists rows (padded with -1) that must not vote for request i."""
        extra = 0 if skip is None else skip.shape[1]
        similar, rows = self.index.search(queries, NEIGHBOURS + extra)
        if skip is not None:
            similar = np.where((rows[:, :, None] == skip[:, None, :]).any(2), -np.inf, similar)
            order = np.argsort(-similar, axis=1, kind="stable")[:, :NEIGHBOURS]
            similar, rows = np.take_along_axis(similar, order, 1), np.take_along_axis(rows, order, 1)
        votes = self.votes(similar, rows)
        head = softmax(queries @ self.weight + self.bias)
        scores = self.mix * votes + (1 - self.mix) * head
        k = min(k, scores.shape[1])
        top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(scores, top, 1)
        signals = self._signals(top, scores, votes, head, similar, rows, queries)
        return Scored(top, best, signals, rows, similar, self._taught(top, queries))

    def _taught(self, top: NDArray[np.int64], queries: Matrix) -> Matrix:
        """The context counts where candidates are ranked; whether this was asked before, the message alone tells."""
        if self.taught is None:
            return np.zeros(top.shape, np.float32)
        messages = queries[:, : self.taught.messages.shape[1]]
        messages = messages / np.maximum(np.linalg.norm(messages, axis=1, keepdims=True), 1e-9)
        own = self.taught.answer_of == top[:, :, None]
        close = (messages @ self.taught.messages.T)[:, None, :]
        return np.asarray(np.where(own, close, 0.0).max(2), np.float32)

    def votes(self, similar: Matrix, rows: NDArray[np.int64]) -> Matrix:
        """(m, answers): the share of each answer among neighbours `rows` (m, n); -inf as similarity is no vote."""
        votes = np.zeros((len(similar), len(self.support)), np.float32)
        strength = np.exp((similar - similar.max(1, keepdims=True)) / TEMPERATURE)
        np.add.at(votes, (np.arange(len(similar))[:, None], self.answer_of[rows]), strength)
        return np.asarray(votes / votes.sum(1, keepdims=True), np.float32)

    def _signals(
        self, top: NDArray[np.int64], scores: Matrix, votes: Matrix, head: Matrix, similar: Matrix,
        rows: NDArray[np.int64], queries: Matrix,
    ) -> Matrix:  # fmt: skip
        own = np.take_along_axis(scores, top, 1)
        second = own[:, 1:2] if own.shape[1] > 1 else np.zeros_like(own)
        rival = np.where(np.arange(own.shape[1])[None, :] == 0, second, own[:, :1])
        same = self.answer_of[rows][:, None, :] == top[:, :, None]
        nearest = np.where(same, similar[:, None, :], 0.0).max(2)
        entropy = -(scores * np.log(scores + 1e-9)).sum(1)
        wide = np.ones_like(own)
        columns: dict[str, Any] = {
            "score": own,
            "margin": own - rival,
            "votes": np.take_along_axis(votes, top, 1),
            "head": np.take_along_axis(head, top, 1),
            "nearest": nearest,
            "entropy": entropy[:, None] * wide,
            "support": np.log1p(self.support[top]) / 5,
            "centroid": np.take_along_axis(queries @ self.requests.T, top, 1),
            "coherence": self.coherence[top],
            "record": self.record[top],
        }
        return np.stack([columns[name] for name in SIGNALS], axis=2).astype(np.float32)

    def p_correct(self, signals: Matrix) -> Matrix:
        """(..., len(SIGNALS)) -> (...), the calibrated probability that the answer is the right one."""
        return sigmoid(signals @ self.calibration[:-1] + self.calibration[-1])

    def sure(self, scored: Scored) -> tuple[Matrix, NDArray[np.bool_]]:
        """(m, k) each: `p_correct`, or the probability that this is what a person taught the answer for where that is
        higher; and whether it is, because then the threshold of taught answers applies."""
        known = self.p_correct(scored.signals)
        if self.taught is None:
            return known, np.zeros(known.shape, bool)
        same = sigmoid(scored.taught * self.taught.same[0] + self.taught.same[1])
        as_taught = (scored.taught > 0) & (same > known)
        return np.where(as_taught, same, known), as_taught


def softmax(logits: Matrix) -> Matrix:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def sigmoid(values: Matrix) -> Matrix:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))), np.float32)
