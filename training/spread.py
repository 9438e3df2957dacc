"""Texts that nobody labelled help where labels are few: intents spread to them from the labelled ones.

Label spreading (Zhou et al., NIPS 2003) over the graph of nearest neighbours. Unlabelled rows start from what the
logistic regression of the labelled ones says of them, which counts a third of a label: it knows directions in the
space that a handful of neighbours does not show (docs/experiments.md has each part alone).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sparse

from retrieval.answers import softmax
from retrieval.index import Index
from retrieval.types import Matrix, Vector
from training.calibrate import Flags
from training.cluster import Labels
from training.regression import dealt, regression

NEIGHBOURS = 8
TEMPERATURE = 0.1
KEPT = 0.85  # of what a row holds, that comes from its neighbours
GUESS = 0.3
STEPS = 15
COUNTS = 0.4  # a guessed row beside a labelled one, times how sure the guess is
MOST = 20_000


@dataclass(frozen=True)
class Examples:
    """What a head learns from: `vectors` (n, d), `intent_of` (n,), and the `weight` (n,) of each row."""

    vectors: Matrix
    intent_of: Labels
    weight: Vector

    @classmethod
    def of(cls, vectors: Matrix, intent_of: Labels) -> Examples:
        return cls(vectors, intent_of, np.ones(len(vectors), np.float32))


@dataclass
class Spread:
    """Labelled rows (l, d), their intents (l,), and unlabelled rows (u, d); `classes` intents in all."""

    labelled: Matrix
    intent_of: Labels
    unlabelled: Matrix
    classes: int
    strength: float
    _graph: sparse.csr_matrix | None = field(default=None, repr=False)

    def examples(self, kept: Flags | None = None, *, use: Flags | None = None, rounds: int = 2) -> Examples:
        """The labelled rows that are `kept` (l,), then the unlabelled ones of `use` (u,) with the intents that spread
        to them; by default all. Another round starts from a regression of the round before."""
        kept = np.ones(len(self.labelled), bool) if kept is None else kept
        use = np.ones(len(self.unlabelled), bool) if use is None else use
        own = found = self._labelled(kept)
        for _ in range(rounds):
            shares = self._shares(kept, found)[len(self.labelled) :][use]
            guessed = shares.argmax(1).astype(np.int64)
            found = _joined(own, Examples(self.unlabelled[use], guessed, COUNTS * shares.max(1)))
        return found

    def right(self, *, folds: int = 5) -> tuple[int, int]:
        """How many labelled rows get their intent from the others: by the regression alone, and by spreading."""
        fold_of = dealt(self.intent_of, folds=folds)
        alone = spread = 0
        for fold in np.unique(fold_of):
            held, kept = fold_of == fold, fold_of != fold
            if kept.any():
                examples = self._labelled(kept)
                said = self._said(examples)[: len(self.labelled)][held]
                alone += int((said.argmax(1) == self.intent_of[held]).sum())
                shares = self._shares(kept, examples)[: len(self.labelled)][held]
                spread += int((shares.argmax(1) == self.intent_of[held]).sum())
        return alone, spread

    def _labelled(self, kept: Flags) -> Examples:
        return Examples.of(self.labelled[kept], self.intent_of[kept])

    def _said(self, examples: Examples) -> Matrix:
        """(l + u, c): what a regression of `examples` says of every row."""
        weight, bias = regression(examples.vectors, examples.intent_of, self.classes, self.strength, examples.weight)
        return softmax(np.concatenate([self.labelled, self.unlabelled]) @ weight + bias)

    def _shares(self, kept: Flags, examples: Examples) -> Matrix:
        """(l + u, c), rows sum to one. Intents are taken to be equally common: one that many rows lie near does not
        swallow its neighbours."""
        start = GUESS * self._said(examples)
        start[: len(kept)][kept] = np.eye(self.classes, dtype=np.float32)[self.intent_of[kept]]
        graph, held = self._links(), start
        for _ in range(STEPS):
            held = KEPT * np.asarray(graph @ held, np.float32) + (1 - KEPT) * start
        fair = held / np.maximum(held.sum(0, keepdims=True), 1e-9)
        return np.asarray(fair / np.maximum(fair.sum(1, keepdims=True), 1e-9), np.float32)

    def _links(self) -> sparse.csr_matrix:
        if self._graph is None:
            self._graph = links(np.concatenate([self.labelled, self.unlabelled]))
        return self._graph


def links(vectors: Matrix) -> sparse.csr_matrix:
    """(n, n), symmetric: how near the nearest rows are, normalised by the degrees of both ends. `vectors` (n, d), of
    length one."""
    count = len(vectors)
    found = Index.build(vectors).search(vectors, min(NEIGHBOURS + 1, count))
    similar, near = (np.asarray(part[:, 1:]) for part in found)  # the first is the row itself, or its twin
    ends = (np.repeat(np.arange(count), near.shape[1]), near.ravel())
    strength = np.exp((similar.ravel().astype(np.float64) - 1) / TEMPERATURE)
    graph = sparse.csr_matrix((strength, ends), shape=(count, count))
    graph = graph + graph.T
    degrees = np.asarray(graph.sum(1), np.float64).ravel()
    scale = sparse.diags_array(np.maximum(degrees, 1e-9) ** -0.5)
    return sparse.csr_matrix(scale @ graph @ scale)


def worth_spreading_to(texts: Sequence[str], known: Sequence[str], *, seed: int) -> list[str]:
    """The unlabelled texts, each once, without those that are labelled; at most `MOST`."""
    labelled = set(known)
    fresh = [text for text in dict.fromkeys(texts) if text.strip() and text not in labelled]
    if len(fresh) <= MOST:
        return fresh
    rows = np.sort(np.random.default_rng(seed).permutation(len(fresh))[:MOST])
    return [fresh[i] for i in rows]


def _joined(first: Examples, second: Examples) -> Examples:
    return Examples(
        np.concatenate([first.vectors, second.vectors]),
        np.concatenate([first.intent_of, second.intent_of]),
        np.concatenate([first.weight, second.weight]).astype(np.float32),
    )
