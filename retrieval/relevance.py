"""How likely the best passage is the right one: a logistic of its evidence and of its lead over other articles.

`PRIOR` was fitted on halves of public sets, every question once as it is and once with its article withdrawn; a desk's
own articles move it (`calibrate`), without labels, by the inverse cloze task (Lee et al. 2019, arXiv 1906.00300): a
sentence is taken out of its passage and asks for it, with and without its whole article. No weight is below zero, so
more evidence never means a lower probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from retrieval.knowledge import Found, KnowledgeIndex

Floats = NDArray[np.float64]

NAMES = ("close", "words_alone", "words", "written", "named", "lead", "lead_of_five")
COPY = 0.01  # an article whose evidence differs by less is a near copy and no rival
LEADS = 20  # candidates whose lead counts
PULL = 20.0  # the prior counts as much as this many examples
EXAMPLES = 200


@dataclass(frozen=True, slots=True)
class Relevance:
    """Bias and weights of `NAMES` for a question alone and for one with history: P(right) = 1 / (1 + exp(-w x))."""

    alone: tuple[float, ...]
    follows: tuple[float, ...]

    def p(self, evidence: Sequence[float] | Floats, *, follows: bool = False) -> float:
        weights = np.array(self.follows if follows else self.alone)
        return float(_sigmoid(weights[0] + np.asarray(evidence) @ weights[1:]))

    def to_json(self) -> dict[str, Any]:
        return {"alone": self.alone, "follows": self.follows}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Relevance:
        relevance = cls(*(tuple(float(weight) for weight in data[name]) for name in ("alone", "follows")))
        if {len(relevance.alone), len(relevance.follows)} != {len(NAMES) + 1}:
            raise ValueError(f"its relevance has {len(relevance.alone)} weights, not {len(NAMES) + 1}")
        return relevance


# With the frozen MiniLM; see docs/knowledge.md.
PRIOR = Relevance(
    alone=(-6.11, 5.30, 0.0, 0.0, 0.0, 0.0, 0.84, 12.16),
    follows=(-3.40, 0.51, 0.57, 2.24, 0.94, 1.83, 0.93, 3.05),
)


def features(found: Found) -> Floats:
    """(n, len(NAMES)) of the candidates, best first; leads of the first `LEADS` only."""
    e = found.evidence
    own = np.column_stack([e.close, e.words_alone, e.words, e.written, e.named]).astype(np.float64)
    leads, first = np.zeros((len(own), 2)), slice(LEADS)
    copies = (np.abs(own[first, None, :3] - own[None, :, :3]) < COPY).all(axis=2)
    rivals = (found.articles[first, None] != found.articles) & ~copies
    five = rivals & (rivals.cumsum(axis=1) <= 5)
    best = found.scores[rivals.argmax(axis=1)]
    mean = (five * found.scores).sum(axis=1) / np.maximum(five.sum(axis=1), 1)
    leads[first] = found.scores[first, None]
    leads[first] -= np.where(rivals.any(axis=1, keepdims=True), np.column_stack([best, mean]), 0.0)
    return np.concatenate([own, leads], axis=1)


def calibrate(index: KnowledgeIndex) -> Relevance:
    """The weights for a question alone, fitted on cloze questions; fewer than three articles say nothing."""
    cloze = [(part, number) for part, s in enumerate(index.segments) for number in range(len(s.cloze_of))]
    if len(index.articles) < 3 or not cloze:
        return PRIOR
    chosen = np.random.default_rng(0).permutation(len(cloze))[:EXAMPLES]
    rows, right = zip(*(example for one in chosen for example in _examples(index, *cloze[one])), strict=True)
    return Relevance(fit(np.array(rows), np.array(right), PRIOR.alone), PRIOR.follows)


def _examples(index: KnowledgeIndex, part: int, number: int) -> list[tuple[Floats, bool]]:
    """The best candidate's features and whether it is of the sentence's article: with its article, and without it."""
    vector, asked, passage, rest = index.cloze(part, number)
    article = index.article_of(passage)
    found = []
    for without in ((), (article,)):
        best = index.find(vector, asked, without=without, instead={passage: rest})
        if len(best.numbers):
            found.append((features(best)[0], index.article_of(int(best.numbers[0])) == article))
    return found


def fit(inputs: Floats, right: NDArray[np.bool_], prior: tuple[float, ...]) -> tuple[float, ...]:
    """The logistic that fits the examples (n, f) best, near `prior`; the prior itself when all are right or wrong."""
    if not right.any() or right.all():
        return prior
    from scipy.optimize import minimize

    inputs = np.column_stack([np.ones(len(inputs)), inputs])
    start, size = np.array(prior), np.maximum(np.abs(prior), 1.0)

    def loss(theta: Floats) -> tuple[float, Floats]:
        logits = inputs @ theta
        away = (theta - start) / size
        value = float(np.sum(np.logaddexp(0.0, logits) - right * logits) + PULL / 2 * away @ away)
        return value, inputs.T @ (_sigmoid(logits) - right) + PULL * away / size

    bounds = [(None, None)] + [(0, None)] * (len(prior) - 1)
    best = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return tuple(float(value) for value in best.x)


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))
