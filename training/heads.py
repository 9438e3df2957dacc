"""The heads on top of the encoder: answers (neighbours + softmax), intents (logistic regression + neighbours).

What they say of their own certainty is fitted on rows they had not seen: later conversations for answers, held-out
rows and held-out intents (as if they were out of scope) for intents.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from retrieval.answers import CANDIDATES, SIGNALS, AnswerModel, Scored
from retrieval.index import Index
from retrieval.intents import SIGNALS as INTENT_SIGNALS
from retrieval.intents import IntentHead, IntentTables, stacked
from retrieval.types import Matrix, Vector
from training.calibrate import Flags, fit_logistic, scope_threshold, threshold_for
from training.cluster import Labels
from training.encoder import fit_softmax

ROUNDS = 3
LARGEST_FOLD = 4000
SHRINK = 0.1
OUTSIDE = 0.1
HIDDEN = 0.1
LEAST_ANSWERS = 4
NEW_SHARE = 0.05
LEAST_SURE = 0.5  # however easy the log: nothing is sent that is more likely wrong than right


@dataclass(frozen=True)
class Judgement:
    """Validation rows of the answer model: candidates' signals (m, k, s) and numbers (m, k), and which is right.

    `new` (m,): the right answer was unknown when the row was judged; `hidden` (m,): only because it had been hidden.
    """

    signals: Matrix
    answers: Labels
    right: Flags
    new: Flags
    hidden: Flags


def fit_answers(queries: Matrix, answer_of: Labels, answers: int, *, seed: int) -> AnswerModel:
    """An uncalibrated model over all rows. `queries` is (n, 3d); `answer_of` (n,) numbers below `answers`."""
    weight, bias = fit_softmax(queries, answer_of, answers, seed=seed, epochs=6 if len(queries) > 5000 else 20)
    return AnswerModel(
        index=Index.build(queries),
        answer_of=answer_of,
        support=np.bincount(answer_of, minlength=answers),
        weight=weight,
        bias=bias,
        calibration=np.zeros(len(SIGNALS) + 1, np.float32),
        replies=np.zeros((answers, 0), np.float32),
    )


def judge(model: AnswerModel, queries: Matrix, gold: Labels, hidden: Flags | None = None) -> Judgement:
    """How the model ranks rows that it has not seen; `gold` (m,) is the right answer's number, -1 when it is new."""
    parts = [model.score(queries[i : i + 512]) for i in range(0, len(queries), 512)]
    found = [(part.answers == gold[i * 512 : i * 512 + len(part.answers), None]) for i, part in enumerate(parts)]
    numbers = _stack(parts, "answers").astype(np.int64)
    if hidden is None:
        hidden = np.zeros(len(gold), bool)
    return Judgement(_stack(parts, "signals"), numbers, np.concatenate(found), gold < 0, hidden)


def _stack(parts: Sequence[Scored], name: str) -> Matrix:
    return np.concatenate([getattr(part, name) for part in parts])


def validate_answers(
    queries: Matrix, answer_of: Labels, answers: int, *, cuts: Sequence[tuple[int, int]], seed: int
) -> Judgement:
    """Forward-chaining: fit on rows before each cut, judge the rows after it. Rows are in the order of time.

    Each round also hides some answers from the fit, so that requests which the log never had are among those judged:
    without them P(correct) would be learned from known requests only, and be far too high for strange ones.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for train, end in cuts:
        hidden = _hidden(answer_of[:train], rng)
        rows = np.flatnonzero(~np.isin(answer_of[:train], hidden))
        model = fit_answers(queries[rows], answer_of[rows], answers, seed=seed)
        later = answer_of[train:end]
        gold = np.where(np.isin(later, answer_of[rows]), later, -1)
        parts.append(judge(model, queries[train:end], gold, np.isin(later, hidden)))
    return Judgement(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Judgement)))


def _hidden(answer_of: Labels, rng: np.random.Generator) -> Labels:
    """Answers, drawn at random, that hold about `HIDDEN` of the rows; none when there are too few to spare one."""
    names, counts = np.unique(answer_of, return_counts=True)
    order = rng.permutation(len(names))
    if len(names) < LEAST_ANSWERS:
        return np.empty(0, np.int64)
    count = int(np.searchsorted(np.cumsum(counts[order]), HIDDEN * len(answer_of))) + 1
    return np.asarray(names[order[:count]], np.int64)


def calibrate_answers(seen: Judgement, servable: Sequence[bool], *, error_budget: float) -> tuple[Vector, float]:
    """The logistic regression of P(correct), and the threshold at which a servable first answer may be sent."""
    rows = seen.signals.reshape(-1, len(SIGNALS))
    first = np.zeros(seen.right.shape, bool)
    first[:, 0] = True
    weight = np.where(first, 1.0, 1.0 / CANDIDATES).ravel()
    weights = fit_logistic(rows, seen.right.ravel(), weight=weight)
    top = seen.signals[:, 0]
    sure = stacked(top, weights)
    may = np.asarray(servable, bool)[seen.answers[:, 0]]
    counted = _weights(seen)[may]
    threshold = threshold_for(sure[may], seen.right[may, 0], error_budget=error_budget, weight=counted)
    return weights, max(LEAST_SURE, threshold)


def _weights(seen: Judgement) -> Vector:
    """What each row counts for the threshold: hidden ones just so much that `NEW_SHARE` of all rows are new ones.

    Where the log itself brings as many new requests, or more, the hidden ones do not count.
    """
    natural = int((seen.new & ~seen.hidden).sum())
    ordinary = int((~seen.hidden).sum())
    missing = (NEW_SHARE * ordinary - natural) / (1 - NEW_SHARE)
    share = float(np.clip(missing / max(1, seen.hidden.sum()), 0, 1))
    return np.where(seen.hidden, share, 1.0).astype(np.float32)


@dataclass(frozen=True)
class FittedIntents:
    """`head` is None when there was no request to learn an intent from."""

    head: IntentHead | None
    intent: float
    in_scope: float


def fit_intents(
    vectors: Matrix, intent_of: Labels, labels: Sequence[str], *, strength: float, seed: int
) -> FittedIntents:
    """Head and thresholds from labelled rows: `vectors` (n, d), `intent_of` (n,). No out-of-scope row is needed."""
    if not len(vectors):
        return FittedIntents(None, 0.5, 0.0)
    plain = _plain_head(vectors, intent_of, labels, strength)
    signals, right, inside = _held_out(vectors, intent_of, labels, strength, seed)
    if not len(signals):  # too few rows to hold any out: nothing is known of how far to trust the head
        return FittedIntents(plain, 0.5, 0.0)
    centre, spread = signals.mean(0), np.maximum(signals.std(0), 1e-6)
    standard = ((signals - centre) / spread).astype(np.float32)
    scope = fit_logistic(standard, inside, strength=SHRINK)
    trust = fit_logistic(standard, right & inside, weight=np.where(inside, 1.0, OUTSIDE), strength=SHRINK)
    tables = IntentTables(
        **{
            **plain.tables.to_arrays(),
            "centre": centre.astype(np.float32),
            "spread": spread.astype(np.float32),
            "scope": scope,
            "trust": trust,
        }
    )
    judged = stacked(standard, scope)
    limit = scope_threshold(judged[inside], judged[~inside]) if inside.any() and not inside.all() else 0.0
    return FittedIntents(IntentHead(tuple(labels), tables, plain.index, plain.intent_of), 0.5, limit)


def cross_validate(
    vectors: Matrix, intent_of: Labels, *, tested: int, classes: int, strength: float, folds: int = 5
) -> Flags:
    """Which of the first `tested` rows got their intent from a head that was fitted without them. Rows of an intent are
    dealt out in turn, so that each fold has some of every intent."""
    order = np.argsort(intent_of[:tested], kind="stable")
    fold_of = np.full(len(vectors), -1)
    fold_of[order] = np.arange(tested) % folds
    right = np.zeros(tested, bool)
    for fold in range(folds):
        held = np.flatnonzero(fold_of == fold)
        kept = fold_of != fold
        if len(held):
            weight, bias = _regression(vectors[kept], intent_of[kept], classes, strength)
            right[held] = (vectors[held] @ weight + bias).argmax(1) == intent_of[held]
    return right


def _plain_head(vectors: Matrix, intent_of: Labels, labels: Sequence[str], strength: float) -> IntentHead:
    weight, bias = _regression(vectors, intent_of, len(labels), strength)
    means, precision, mean_all, precision_all = _gaussians(vectors, intent_of, len(labels))
    zero = np.zeros(len(INTENT_SIGNALS), np.float32)
    tables = IntentTables(
        weight, bias, means, precision, mean_all, precision_all, zero, zero + 1, np.append(zero, 0), np.append(zero, 0)
    )
    return IntentHead(tuple(labels), tables, Index.build(vectors), intent_of)


def _regression(vectors: Matrix, intent_of: Labels, classes: int, strength: float) -> tuple[Matrix, Vector]:
    """(d, c) and (c,); classes without a row get a bias that never wins."""
    present = np.unique(intent_of)
    weight = np.zeros((vectors.shape[1], classes), np.float32)
    bias = np.full(classes, -1e4, np.float32)
    if len(present) == 1:
        bias[present] = 0.0
        return weight, bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="The number of unique classes")  # few examples a class: few shots
        model = LogisticRegression(C=strength, max_iter=300).fit(vectors, intent_of)
    if len(present) == 2:
        weight[:, present[1]], bias[present] = model.coef_[0], (0.0, float(model.intercept_[0]))
    else:
        weight[:, present], bias[present] = model.coef_.T, model.intercept_
    return weight, bias


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


def _held_out(
    vectors: Matrix, intent_of: Labels, labels: Sequence[str], strength: float, seed: int
) -> tuple[Matrix, Flags, Flags]:
    """Signals of unseen rows, whether the top intent was right, and whether the row's intent was known at all.

    Each round hides a third of the intents and a fifth of the other rows; the hidden intents stand for out of scope.
    """
    rng = np.random.default_rng(seed)
    present = np.unique(intent_of)
    signals, right, inside = [], [], []
    for hidden in np.array_split(rng.permutation(present), ROUNDS) if len(present) >= 6 else [np.empty(0, np.int64)]:
        outside = np.isin(intent_of, hidden)
        held = outside | (rng.random(len(vectors)) < 0.2)
        kept = np.flatnonzero(~held)
        tested = rng.permutation(np.flatnonzero(held))[:LARGEST_FOLD]
        if len(kept) < 2 or not len(tested):
            continue
        kept = kept if len(kept) <= 3 * LARGEST_FOLD else rng.permutation(kept)[: 3 * LARGEST_FOLD]
        head = _plain_head(vectors[kept], intent_of[kept], labels, strength)
        probabilities, found = head.signals(vectors[tested])
        signals.append(found)
        right.append(probabilities.argmax(1) == intent_of[tested])
        inside.append(~outside[tested])
    if not signals:
        empty = np.zeros(0, bool)
        return np.zeros((0, len(INTENT_SIGNALS)), np.float32), empty, empty
    return np.concatenate(signals), np.concatenate(right), np.concatenate(inside)
