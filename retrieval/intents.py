"""Message -> intent: logistic regression and neighbours vote; a stack of scores says how far to trust that.

Two scores for two jobs (../shared/SCIENCE.md, finding 12): `in_scope` is a logistic stack of energy, entropy,
neighbour and centroid similarity and relative Mahalanobis distance (arXiv 2106.09022), fitted on classes that were
held out as if they were out of scope; the confidence of an intent is the calibrated share of the votes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.answers import sigmoid, softmax
from retrieval.index import Index
from retrieval.types import Matrix, Vector

NEIGHBOURS = 10
TEMPERATURE = 0.07
EQUAL = 0.5
SIGNALS = ("top", "entropy", "energy", "neighbours", "nearest", "centroid", "mahalanobis")


@dataclass(frozen=True)
class IntentTables:
    """Arrays of the head; d is the encoder's dimension, c the number of intents.

    `weight` (d, c), `bias` (c,): logistic regression. `means` (c, d), `precision` (d, d), `mean_all` (d,),
    `precision_all` (d, d): class-wise and background Gaussians. `scope` and `trust` (signals + 1,): the stack for
    in-scope and for a right top intent; `centre` and `spread` (signals,) standardise the signals first. `mix` (1,) is
    what the regression's vote counts, the neighbours' counts the rest.
    """

    weight: Matrix
    bias: Vector
    means: Matrix
    precision: Matrix
    mean_all: Vector
    precision_all: Matrix
    centre: Vector
    spread: Vector
    scope: Vector
    trust: Vector
    mix: Vector

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        return {f.name: np.ascontiguousarray(getattr(self, f.name), np.float32) for f in fields(self)}

    @cached_property
    def lengths(self) -> Vector:
        """(c,) of the class means, squared, in the metric of `precision`."""
        return np.asarray(((self.means @ self.precision) * self.means).sum(1), np.float32)

    @cached_property
    def directions(self) -> Matrix:
        """(c, d), the class means at length one."""
        return _unit(self.means)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> IntentTables:
        whole = {"mix": np.full(1, EQUAL, np.float32), **arrays}  # bundles of version 0.1 had no mix
        return cls(**{f.name: whole[f.name] for f in fields(cls)})


@dataclass(frozen=True)
class Judged:
    """For m messages: `probabilities` (m, c), `in_scope` (m,) and `trust` (m,), how likely the top intent is right."""

    probabilities: Matrix
    in_scope: Vector
    trust: Vector


@dataclass(frozen=True)
class Votes:
    """For m messages: `logits` (m, c) of the regression, `near` (m, c) shares of the neighbours, `similar` (m, k)."""

    logits: Matrix
    near: Matrix
    similar: Matrix

    def mixed(self, mix: float) -> Matrix:
        """(m, c) probabilities."""
        return np.asarray(mix * softmax(self.logits) + (1 - mix) * self.near, np.float32)


@dataclass(frozen=True)
class IntentHead:
    """`index` holds the encoded examples, `intent_of` (examples,) their intents' numbers."""

    labels: tuple[str, ...]
    tables: IntentTables
    index: Index
    intent_of: NDArray[np.int64]

    def judge(self, vectors: Matrix) -> Judged:
        """`vectors` is (m, d), of length one."""
        probabilities, signals = self.signals(vectors)
        standard = (signals - self.tables.centre) / self.tables.spread
        return Judged(probabilities, stacked(standard, self.tables.scope), stacked(standard, self.tables.trust))

    def votes(self, vectors: Matrix, *, skip_self: bool = False) -> Votes:
        """`skip_self` leaves out a row's own example."""
        logits = vectors @ self.tables.weight + self.tables.bias
        similar, rows = self.index.search(vectors, NEIGHBOURS + int(skip_self))
        if skip_self:
            similar, rows = similar[:, 1:], rows[:, 1:]
        near = np.zeros_like(logits)
        np.add.at(near, (np.arange(len(vectors))[:, None], self.intent_of[rows]), np.exp(similar / TEMPERATURE))
        return Votes(logits, near / near.sum(1, keepdims=True), similar)

    def signals(self, vectors: Matrix, *, skip_self: bool = False) -> tuple[Matrix, Matrix]:
        """Probabilities (m, c) and raw signals (m, len(SIGNALS))."""
        votes = self.votes(vectors, skip_self=skip_self)
        probabilities = votes.mixed(float(self.tables.mix[0]))
        top = probabilities.argmax(1)
        columns = [
            probabilities.max(1),
            -(probabilities * np.log(probabilities + 1e-9)).sum(1),
            _log_sum_exp(votes.logits),
            votes.similar[:, :3].mean(1),
            votes.similar[:, 0],
            (vectors * self.tables.directions[top]).sum(1),
            relative_mahalanobis(vectors, self.tables),
        ]
        return probabilities, np.stack(columns, axis=1).astype(np.float32)


def relative_mahalanobis(vectors: Matrix, tables: IntentTables) -> Vector:
    """(m,): background distance minus the smallest class distance; higher is more in scope (arXiv 2106.09022)."""
    mapped = vectors @ tables.precision
    own = (mapped * vectors).sum(1)[:, None] - 2 * mapped @ tables.means.T
    own = own + tables.lengths[None, :]
    away = vectors - tables.mean_all
    background = ((away @ tables.precision_all) * away).sum(1)
    return np.asarray(background - own.min(1), np.float32)


def stacked(signals: Matrix, weights: Vector) -> Vector:
    return sigmoid(signals @ weights[:-1] + weights[-1])


def _log_sum_exp(logits: Matrix) -> Vector:
    top = logits.max(1)
    return np.asarray(top + np.log(np.exp(logits - top[:, None]).sum(1)), np.float32)


def _unit(vectors: Matrix) -> Matrix:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)
