"""The head for answers on top of the encoder: neighbours and softmax; that for intents is in `intent_head.py`.

What it says of its own certainty is fitted on rows it had not seen: later conversations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from retrieval.answers import CANDIDATES, SIGNALS, SIGNS, AnswerModel, Scored
from retrieval.index import Index
from retrieval.intents import stacked
from retrieval.types import Matrix, Vector
from training.calibrate import LEAST_SURE, Flags, fit_logistic, threshold_for
from training.cluster import Labels, coherence, fallen_into, means_of
from training.encoder import fit_softmax

HIDDEN = 0.1
FOLDS = 5
LEAST_ANSWERS = 4
NEW_SHARE = 0.05


@dataclass(frozen=True)
class Judgement:
    """Validation rows of the answer model: candidates' signals (m, k, s) and numbers (m, k), and which is right.

    `new` (m,): the right answer was unknown when the row was judged; `hidden` (m,): only because it had been hidden.
    `conversations` (m,) numbers the conversation of each row.
    """

    signals: Matrix
    answers: Labels
    right: Flags
    new: Flags
    hidden: Flags
    conversations: Labels


def fit_answers(queries: Matrix, answer_of: Labels, answers: int, *, keys: Matrix, seed: int) -> AnswerModel:
    """An uncalibrated model over all rows. `queries` is (n, 3d), `keys` (n, d) are the encoded replies.

    `answer_of` (n,) holds numbers below `answers`.
    """
    weight, bias = fit_softmax(queries, answer_of, answers, seed=seed, epochs=6 if len(queries) > 5000 else 20)
    replies = means_of(keys, answer_of, answers)
    return AnswerModel(
        index=Index.build(queries),
        answer_of=answer_of,
        support=np.bincount(answer_of, minlength=answers),
        weight=weight,
        bias=bias,
        calibration=np.zeros(len(SIGNALS) + 1, np.float32),
        replies=replies,
        requests=means_of(queries, answer_of, answers),
        coherence=coherence(keys, answer_of, replies),
    )


def judge(
    model: AnswerModel, queries: Matrix, gold: Labels, hidden: Flags | None = None, conversations: Labels | None = None
) -> Judgement:
    """How the model ranks rows that it has not seen; `gold` (m,) is the right answer's number, -1 when it is new."""
    parts = [model.score(queries[i : i + 512]) for i in range(0, len(queries), 512)]
    found = [(part.answers == gold[i * 512 : i * 512 + len(part.answers), None]) for i, part in enumerate(parts)]
    numbers = _stack(parts, "answers").astype(np.int64)
    if hidden is None:
        hidden = np.zeros(len(gold), bool)
    if conversations is None:
        conversations = np.arange(len(gold))
    return Judgement(_stack(parts, "signals"), numbers, np.concatenate(found), gold < 0, hidden, conversations)


def _stack(parts: Sequence[Scored], name: str) -> Matrix:
    return np.concatenate([getattr(part, name) for part in parts])


def validate_answers(
    queries: Matrix,
    answer_of: Labels,
    answers: int,
    *,
    keys: Matrix,
    cuts: Sequence[tuple[int, int]],
    seed: int,
    conversations: Labels | None = None,
) -> Judgement:
    """Forward-chaining: fit on rows before each cut, judge the rows after it. Rows are in the order of time.

    Right is the answer that the reply amounts to by its own words: `keys` (n, d) are the encoded replies, and the later
    ones are put to the earlier answers as the exam puts its replies (`fallen_into`). Mining has grouped the later rows
    by their requests, too, and would find its own groups again: of the surest answers on STAR 4% seemed wrong where
    18% were. Both have to agree.

    Each round also hides some answers from the fit, so that requests which the log never had are among those judged:
    without them P(correct) would be learned from known requests only, and be far too high for strange ones.
    """
    rng = np.random.default_rng(seed)
    told = np.arange(len(answer_of)) if conversations is None else conversations
    parts = []
    for train, end in cuts:
        hidden = _hidden(answer_of[:train], rng)
        rows = np.flatnonzero(~np.isin(answer_of[:train], hidden))
        model = fit_answers(queries[rows], answer_of[rows], answers, keys=keys[rows], seed=seed)
        later = answer_of[train:end]
        gold = np.where(np.isin(later, answer_of[rows]), later, -1)
        part = judge(model, queries[train:end], gold, np.isin(later, hidden), told[train:end])
        said = fallen_into(keys[train:end], means_of(keys[:train], answer_of[:train], answers))
        parts.append(replace(part, right=part.right & (said == later)[:, None]))
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
    return _fit(seen, np.ones(len(seen.right), bool)), thresholds(seen, servable, [error_budget])[0]


def thresholds(seen: Judgement, servable: Sequence[bool], budgets: Sequence[float]) -> list[float]:
    """The threshold for each budget.

    They are chosen on probabilities that conversations get from a fit without them: those of its own fit flatter.
    """
    sure = np.zeros(len(seen.right), np.float32)
    fold = np.unique(seen.conversations, return_inverse=True)[1] % FOLDS
    for held in np.unique(fold):
        rest = fold != held
        sure[~rest] = stacked(seen.signals[~rest, 0], _fit(seen, rest if rest.any() else ~rest))
    may = np.asarray(servable, bool)[seen.answers[:, 0]]
    counted = _weights(seen)[may]
    found = [threshold_for(sure[may], seen.right[may, 0], error_budget=b, weight=counted) for b in budgets]
    return [max(LEAST_SURE, threshold) for threshold in found]


def _fit(seen: Judgement, rows: Flags) -> Vector:
    """The first candidates count whole, the others together as much as one."""
    right = seen.right[rows]
    first = np.where(np.arange(right.shape[1]) == 0, 1.0, 1.0 / CANDIDATES)
    weight = np.broadcast_to(first, right.shape).ravel()
    return fit_logistic(seen.signals[rows].reshape(-1, len(SIGNALS)), right.ravel(), weight=weight, signs=SIGNS)


def _weights(seen: Judgement) -> Vector:
    """What each row counts for the threshold: hidden ones just so much that `NEW_SHARE` of all rows are new ones.

    Where the log itself brings as many new requests, or more, the hidden ones do not count.
    """
    natural = int((seen.new & ~seen.hidden).sum())
    ordinary = int((~seen.hidden).sum())
    missing = (NEW_SHARE * ordinary - natural) / (1 - NEW_SHARE)
    share = float(np.clip(missing / max(1, seen.hidden.sum()), 0, 1))
    return np.where(seen.hidden, share, 1.0).astype(np.float32)
