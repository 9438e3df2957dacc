"""How likely the best passage is the right one: a logistic of its cosine and of its lead over the best other article.

Fitted without labels by the inverse cloze task (Lee et al. 2019, arXiv 1906.00300): a sentence is taken out of its
passage and asks for it, once as it is and once with its whole article removed, so that half the questions have no
answer here. Both weights are kept at zero or above, so the probability never falls when the cosine or the lead rises.
Few articles say little, so the fit is pulled towards `PRIOR`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Matrix

Floats = NDArray[np.float64]

PULL = 20.0  # the prior counts as much as this many examples


@dataclass(frozen=True, slots=True)
class Relevance:
    """P(right) = 1 / (1 + exp(-(bias + score * cosine + margin * lead)))."""

    bias: float
    score: float
    margin: float

    def p(self, score: float, lead: float) -> float:
        """`lead` is the cosine minus the best cosine of another article; negative when another article leads."""
        return float(_sigmoid(np.array(self.bias + self.score * score + self.margin * lead)))

    def to_json(self) -> dict[str, float]:
        return asdict(self)


# Between the fits on two public sets of help pages with the frozen MiniLM; see docs/knowledge.md.
PRIOR = Relevance(bias=-5.0, score=6.0, margin=13.0)


def fit(scores: Floats, leads: Floats, right: NDArray[np.bool_]) -> Relevance:
    """The logistic that fits the examples (n,) best; `PRIOR` when all are right or all are wrong."""
    if not right.any() or right.all():
        return PRIOR
    from scipy.optimize import minimize

    inputs = np.column_stack([np.ones_like(scores), scores, leads])
    prior = np.array([PRIOR.bias, PRIOR.score, PRIOR.margin])

    def loss(theta: Floats) -> tuple[float, Floats]:
        logits = inputs @ theta
        p = _sigmoid(logits)
        away = (theta - prior) / np.abs(prior)
        value = float(np.sum(np.logaddexp(0.0, logits) - right * logits) + PULL / 2 * away @ away)
        return value, inputs.T @ (p - right) + PULL * away / np.abs(prior)

    best = minimize(loss, prior, jac=True, bounds=[(None, None), (0, None), (0, None)], method="L-BFGS-B")
    return Relevance(*(float(value) for value in best.x))


def _sigmoid(x: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def examples(
    queries: Matrix, left: Matrix, rows: NDArray[np.int64], vectors: Matrix, owner: NDArray[np.int64]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Cloze questions -> (scores, leads, right) of the best article, with and without the sentence's own article.

    `queries` (c, d) are the sentences taken out, `left` (c, d) what their rows were without them, `rows` (c,) the
    numbers of those rows in `vectors` (n, d), and `owner` (n,) the article of each row. Fewer than three articles, or
    no question, give no examples.
    """
    found: list[tuple[float, float, bool]] = []
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    if len(starts) < 3 or not len(queries):
        return np.empty(0), np.empty(0), np.empty(0, bool)
    for query, rest, row in zip(queries, left, rows, strict=True):
        cosines = vectors @ query
        cosines[row] = float(rest @ query)
        best = np.maximum.reduceat(cosines, starts)
        own = best[np.searchsorted(starts, row, side="right") - 1]
        third, second, first = np.sort(best)[-3:].tolist()
        right = bool(own == first)
        found.append((first, first - second, right))
        others = (second, third) if right else (first, third if own == second else second)
        found.append((others[0], others[0] - others[1], False))
    scores, leads, answers = (np.array(column) for column in zip(*found, strict=True))
    return scores.astype(np.float64), leads.astype(np.float64), answers.astype(bool)
