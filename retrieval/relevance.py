"""How likely a passage is the right one: a logistic of its cosine and of its lead over the best other article.

Fitted without labels by the inverse cloze task (Lee et al. 2019, arXiv 1906.00300): a sentence is taken out of its
passage and asks for it. The passage without the sentence is a right result; the best passage of another article, with
the own article there and with it removed, is a wrong one. Both weights are kept at zero or above, so the probability
never falls when the cosine or the lead rises. Few articles say little, so the fit is pulled towards `PRIOR`.
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
    """P(relevant) = 1 / (1 + exp(-(bias + score * cosine + margin * lead)))."""

    bias: float
    score: float
    margin: float

    def p(self, score: float, lead: float) -> float:
        """`lead` is the cosine minus the best cosine of another article; negative when another article leads."""
        return float(_sigmoid(np.array(self.bias + self.score * score + self.margin * lead)))

    def to_json(self) -> dict[str, float]:
        return asdict(self)


# Fitted on public help pages with the frozen MiniLM; see docs/knowledge.md.
PRIOR = Relevance(bias=-6.0, score=10.0, margin=10.0)


def fit(scores: Floats, leads: Floats, right: NDArray[np.bool_]) -> Relevance:
    """The logistic that fits the examples (n,), with right and wrong ones weighing the same; `PRIOR` for none."""
    if not right.any() or right.all():
        return PRIOR
    from scipy.optimize import minimize

    inputs = np.column_stack([np.ones_like(scores), scores, leads])
    weights = np.where(right, 0.5 / right.sum(), 0.5 / (~right).sum()) * len(right)
    prior = np.array([PRIOR.bias, PRIOR.score, PRIOR.margin])

    def loss(theta: Floats) -> tuple[float, Floats]:
        logits = inputs @ theta
        p = _sigmoid(logits)
        away = (theta - prior) / np.abs(prior)
        value = float(weights @ (np.logaddexp(0.0, logits) - right * logits) + PULL / 2 * away @ away)
        return value, inputs.T @ (weights * (p - right)) + PULL * away / np.abs(prior)

    best = minimize(loss, prior, jac=True, bounds=[(None, None), (0, None), (0, None)], method="L-BFGS-B")
    return Relevance(*(float(value) for value in best.x))


def _sigmoid(x: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def examples(
    queries: Matrix, left: Matrix, rows: NDArray[np.int64], vectors: Matrix, owner: NDArray[np.int64]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Cloze questions -> (scores, leads, right), three examples a question.

    `queries` (c, d) are the sentences taken out, `left` (c, d) what their rows were without them, `rows` (c,) the
    numbers of those rows in `vectors` (n, d), and `owner` (n,) the article of each row.
    """
    found: list[tuple[float, float, bool]] = []
    articles = np.unique(owner)
    if len(articles) < 3:
        return np.empty(0), np.empty(0), np.empty(0, bool)
    for query, rest, row in zip(queries, left, rows, strict=True):
        cosines = vectors @ query
        cosines[row] = float(rest @ query)
        best = np.array([cosines[owner == article].max() for article in articles])
        own = float(best[articles == owner[row]][0])
        second, first = np.sort(best[articles != owner[row]])[-2:]
        found += [(own, own - first, True), (first, first - own, False), (first, first - second, False)]
    scores, leads, right = (np.array(column) for column in zip(*found, strict=True))
    return scores.astype(np.float64), leads.astype(np.float64), right.astype(bool)
