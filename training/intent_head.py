"""The head for intents on top of the encoder: logistic regression and neighbours, and how far to trust them.

Everything that is chosen here (how much the neighbours count, the stacks of signals, thresholds) is chosen on rows that
the judging head had not seen: each round hides a third of the intents, as if they were out of scope, and some rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from retrieval.index import Index
from retrieval.intents import EQUAL, SIGNALS, IntentHead, IntentTables, Votes, stacked
from retrieval.types import Matrix, Vector
from training.calibrate import Flags, fit_logistic, scope_threshold
from training.cluster import Labels
from training.regression import regression
from training.spread import Examples, Spread

ROUNDS = 3
LARGEST_FOLD = 4000
SHRINK = 0.1
OUTSIDE = 0.1
HELD = 0.2
LEAST_INTENTS = 6
MIXES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class FittedIntents:
    """`head` is None when there was no request to learn an intent from."""

    head: IntentHead | None
    intent: float
    in_scope: float


@dataclass(frozen=True)
class HeldOut:
    """Rows that the judging heads had not seen: `signals` (m, s), was the top intent `right`, was it known (`inside`).

    `mix` is the share of the regression's vote that had most of them right. `strange` (m,): really out of scope, not
    only of an intent that was hidden.
    """

    signals: Matrix
    right: Flags
    inside: Flags
    strange: Flags
    mix: float

    @property
    def weight(self) -> Vector:
        """Messages that are really out of scope count as much as all hidden ones together: they are what will come."""
        hidden = int((~self.inside & ~self.strange).sum())
        each = max(1.0, hidden / max(1, int(self.strange.sum())))
        return np.where(self.strange, each, 1.0).astype(np.float32)


def fit_intents(
    vectors: Matrix,
    intent_of: Labels,
    labels: Sequence[str],
    *,
    strength: float,
    seed: int,
    held: HeldOut | None = None,
    strange: Matrix | None = None,
    spread: Spread | None = None,
) -> FittedIntents:
    """Head and thresholds from labelled rows: `vectors` (n, d), `intent_of` (n,). No out-of-scope row is needed; those
    that there are, `strange` (m, d), are used, and so is `spread`, the same rows with unlabelled ones beside them.

    `held` is for rows that the encoder was tuned on: they know too well, and only `held_out` of others can judge.
    """
    if not len(vectors):
        return FittedIntents(None, 0.5, 0.0)
    held = held or held_out(vectors, intent_of, labels, strength=strength, seed=seed, strange=strange, spread=spread)
    seen = spread.examples() if spread else Examples.of(vectors, intent_of)
    plain = head_of(seen, labels, strength=strength, mix=held.mix)
    if not len(held.signals):  # too few rows to hold any out: nothing is known of how far to trust the head
        return FittedIntents(plain, 0.5, 0.0)
    centre, width = held.signals.mean(0), np.maximum(held.signals.std(0), 1e-6)
    standard = ((held.signals - centre) / width).astype(np.float32)
    inside = held.inside
    scope = fit_logistic(standard, inside, weight=held.weight, strength=SHRINK)
    trust = fit_logistic(standard, held.right & inside, weight=np.where(inside, 1.0, OUTSIDE), strength=SHRINK)
    tables = replace(
        plain.tables, centre=centre.astype(np.float32), spread=width.astype(np.float32), scope=scope, trust=trust
    )
    judged = stacked(standard, scope)
    limit = scope_threshold(judged[inside], judged[~inside]) if inside.any() and not inside.all() else 0.0
    return FittedIntents(IntentHead(tuple(labels), tables, plain.index, plain.intent_of), 0.5, limit)


def refit(
    before: FittedIntents, vectors: Matrix, intent_of: Labels, labels: Sequence[str], *, strength: float
) -> FittedIntents:
    """A head for more rows or intents on an encoder that was tuned on many of them: it judges itself as `before` did,
    because rows that it was tuned on cannot say how far to trust it."""
    if before.head is None:
        return fit_intents(vectors, intent_of, labels, strength=strength, seed=0)
    known = before.head.tables
    plain = plain_head(vectors, intent_of, labels, strength=strength, mix=float(known.mix[0]))
    tables = replace(plain.tables, centre=known.centre, spread=known.spread, scope=known.scope, trust=known.trust)
    return replace(before, head=replace(plain, tables=tables))


def plain_head(
    vectors: Matrix, intent_of: Labels, labels: Sequence[str], *, strength: float, mix: float = EQUAL
) -> IntentHead:
    """A head that does not know yet how far to trust itself."""
    return head_of(Examples.of(vectors, intent_of), labels, strength=strength, mix=mix)


def head_of(seen: Examples, labels: Sequence[str], *, strength: float, mix: float = EQUAL) -> IntentHead:
    vectors, intent_of = seen.vectors, seen.intent_of
    weight, bias = regression(vectors, intent_of, len(labels), strength, seen.weight)
    means, precision, mean_all, precision_all = _gaussians(vectors, intent_of, len(labels))
    zero = np.zeros(len(SIGNALS), np.float32)
    unknown = np.append(zero, 0)
    share = np.full(1, mix, np.float32)
    tables = IntentTables(
        weight, bias, means, precision, mean_all, precision_all, zero, zero + 1, unknown, unknown, share
    )
    return IntentHead(tuple(labels), tables, Index.build(vectors), intent_of)


def _gaussians(vectors: Matrix, intent_of: Labels, classes: int) -> tuple[Matrix, Matrix, Vector, Matrix]:
    """Class means with one shared precision, and the background mean with its own; covariances are shrunk."""
    mean_all = vectors.mean(0)
    means = np.tile(mean_all, (classes, 1))
    for label in np.unique(intent_of):
        means[label] = vectors[intent_of == label].mean(0)
    within = vectors - means[intent_of]
    around = vectors - mean_all
    return means, _precision(within), mean_all, _precision(around)


def _precision(centred: Matrix) -> Matrix:
    covariance = centred.T @ centred / max(1, len(centred))
    size = float(np.trace(covariance)) / len(covariance)
    shrunk = (1 - SHRINK) * covariance + (SHRINK * size + 1e-6) * np.eye(len(covariance))
    return np.asarray(np.linalg.inv(shrunk), np.float32)


def held_out(
    vectors: Matrix,
    intent_of: Labels,
    labels: Sequence[str],
    *,
    strength: float,
    seed: int,
    unseen: Flags | None = None,
    strange: Matrix | None = None,
    spread: Spread | None = None,
) -> HeldOut:
    """Each round hides a third of the intents and a fifth of the other rows; hidden intents stand for out of scope.

    Only rows of `unseen` (n,) are judged, those that the encoder was not tuned on; by default all. `strange` (m, d) are
    messages known to be out of scope, judged in every round: a few of them show what hidden intents cannot. Intents
    `spread` anew in every round, from the rows that are left; unlabelled rows of a hidden intent are hidden as well.
    """
    rng = np.random.default_rng(seed)
    guessed = spread.examples().intent_of[len(vectors) :] if spread else None
    rounds = []
    for hidden in _hidden(np.unique(intent_of), rng):
        outside = np.isin(intent_of, hidden)
        apart = rng.random(len(vectors)) < HELD if unseen is None else unseen
        judged = outside | apart if unseen is None else unseen
        kept = np.flatnonzero(~(outside | apart))
        tested = rng.permutation(np.flatnonzero(judged))[:LARGEST_FOLD]
        if len(kept) > 1 and len(tested):
            kept = kept if len(kept) <= 3 * LARGEST_FOLD else rng.permutation(kept)[: 3 * LARGEST_FOLD]
            if spread and guessed is not None:
                rows = np.isin(np.arange(len(vectors)), kept)
                seen = spread.examples(rows, use=~np.isin(guessed, hidden), rounds=1)
            else:
                seen = Examples.of(vectors[kept], intent_of[kept])
            head = head_of(seen, labels, strength=strength)
            rounds.append((head, tested, ~outside[tested]))
    if not rounds:
        nothing = np.zeros(0, bool)
        return HeldOut(np.zeros((0, len(SIGNALS)), np.float32), nothing, nothing, nothing, EQUAL)
    outside_rows = np.zeros((0, vectors.shape[1]), np.float32) if strange is None else strange
    mix = _best_mix([(head.votes(vectors[rows[known]]), intent_of[rows[known]]) for head, rows, known in rounds])
    parts = []
    for head, rows, known in rounds:
        chosen = replace(head, tables=replace(head.tables, mix=np.full(1, mix, np.float32)))
        probabilities, found = chosen.signals(np.concatenate([vectors[rows], outside_rows]))
        out = np.zeros(len(outside_rows), bool)
        right = np.append(probabilities[: len(rows)].argmax(1) == intent_of[rows], out)
        parts.append((found, right, np.append(known, out), np.append(np.zeros(len(rows), bool), ~out)))
    signals, right, inside, really = (np.concatenate(column) for column in zip(*parts, strict=True))
    return HeldOut(signals, right, inside, really, mix)


def _hidden(present: Labels, rng: np.random.Generator) -> list[Labels]:
    if len(present) < LEAST_INTENTS:
        return [np.empty(0, np.int64)]
    return list(np.array_split(rng.permutation(present), ROUNDS))


def _best_mix(judged: Sequence[tuple[Votes, Labels]]) -> float:
    """The share of the regression with most rows right; of equal ones the middle, which chance moves least."""
    right = [sum(int((votes.mixed(mix).argmax(1) == gold).sum()) for votes, gold in judged) for mix in MIXES]
    best = [mix for mix, count in zip(MIXES, right, strict=True) if count == max(right)]
    return best[len(best) // 2]
