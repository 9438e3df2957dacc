"""The head for answers on top of the encoder: neighbours and softmax; that for intents is in `intent_head.py`.

What it says of its own certainty is fitted on rows it had not seen: later conversations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from retrieval.answers import CANDIDATES, NEIGHBOURS, SIGNALS, SIGNS, AnswerModel, Scored
from retrieval.index import Index
from retrieval.intents import stacked
from retrieval.types import Matrix, Vector
from training.calibrate import LEAST_SURE, Flags, fit_near, threshold_for
from training.cluster import Labels, coherence, fallen_into, means_of
from training.encoder import fit_softmax

HIDDEN = 0.1
FOLDS = 5
LEAST_ANSWERS = 4
NEW_SHARE = 0.05
LEAST_STRANGE = 20
PRIOR = (0.96, 1.15, 0.27, 1.23, 0.62, 0.0, 0.66, 1.62, 2.27, 2.22, -7.37)
RECORD_ROWS = 4000
RECORD_PRIOR = 4.0


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


def fit_answers(
    queries: Matrix, answer_of: Labels, answers: int, *, keys: Matrix, seed: int, conversations: Labels | None = None
) -> AnswerModel:
    """An uncalibrated model over all rows. `queries` is (n, 3d), `keys` (n, d) are the encoded replies.

    `answer_of` (n,) holds numbers below `answers`, `conversations` (n,) numbers the conversation of each row.
    """
    weight, bias = fit_softmax(queries, answer_of, answers, seed=seed, epochs=6 if len(queries) > 5000 else 20)
    replies = means_of(keys, answer_of, answers)
    model = AnswerModel(
        index=Index.build(queries),
        answer_of=answer_of,
        support=np.bincount(answer_of, minlength=answers),
        weight=weight,
        bias=bias,
        calibration=np.zeros(len(SIGNALS) + 1, np.float32),
        replies=replies,
        requests=means_of(queries, answer_of, answers),
        coherence=coherence(keys, answer_of, replies),
        record=np.zeros(answers, np.float32),
    )
    told = np.arange(len(queries)) if conversations is None else conversations
    return replace(model, record=record(model, queries, keys, told))


def record(model: AnswerModel, queries: Matrix, keys: Matrix, conversations: Labels) -> Vector:
    """(answers,): how often each was right for the logged requests that the votes of other conversations give it to.

    Right is as in `validate_answers`: by mining and by the reply's own words. An answer that nothing was given to has
    the mean, as if `RECORD_PRIOR` requests had; of a large log `RECORD_ROWS` requests are asked, evenly spread.
    """
    rows = np.unique(np.linspace(0, len(queries) - 1, min(len(queries), RECORD_ROWS)).round().astype(np.int64))
    similar, found = model.index.search(queries[rows], 2 * NEIGHBOURS)
    others = conversations[found] != conversations[rows][:, None]
    asked = others.any(1)
    if not asked.any():
        return np.full(len(model.support), 0.5, np.float32)
    rows, found, similar = rows[asked], found[asked], np.where(others, similar, -np.inf)[asked]
    given = model.votes(similar, found).argmax(1)
    right = (given == model.answer_of[rows]) & (given == fallen_into(keys[rows], model.replies))
    counts = np.bincount(given, minlength=len(model.support))
    sums = np.bincount(given, right, len(model.support))
    return np.asarray((sums + RECORD_PRIOR * right.mean()) / (counts + RECORD_PRIOR), np.float32)


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
    parts: Sequence[tuple[Labels, Labels]],
    seed: int,
    conversations: Labels | None = None,
    strange: Matrix | None = None,
) -> Judgement:
    """Each of `parts` (`split.forward`, `split.folds`) fits on its first rows and judges its second.

    Right is the answer that the reply amounts to by its own words: `keys` (n, d) are the encoded replies, and those
    that are judged are put to the others' answers as the exam puts its own (`fallen_into`). Mining has grouped them by
    their requests, too, and would find its own groups again: of the surest answers on STAR 4% seemed wrong where
    18% were. Both have to agree.

    Each part also hides some answers from the fit, so that requests which the log never had are among those judged:
    without them P(correct) would be learned from known requests only, and be far too high for strange ones. Where that
    brings few, as with a handful of answers, `strange` (s, 3d), encoded messages that no log has, stand in.
    """
    rng = np.random.default_rng(seed)
    told = np.arange(len(answer_of)) if conversations is None else conversations
    found = []
    for known, judged in parts:
        hidden = _hidden(answer_of[known], rng)
        rows = known[~np.isin(answer_of[known], hidden)]
        model = fit_answers(
            queries[rows], answer_of[rows], answers, keys=keys[rows], seed=seed, conversations=told[rows]
        )
        mined = answer_of[judged]
        gold = np.where(np.isin(mined, answer_of[rows]), mined, -1)
        part = judge(model, queries[judged], gold, np.isin(mined, hidden), told[judged])
        said = fallen_into(keys[judged], means_of(keys[known], answer_of[known], answers))
        found.append(replace(part, right=part.right & (said == mined)[:, None]))
        if strange is not None and found[-1].hidden.sum() < LEAST_STRANGE:
            none, all_ = np.full(len(strange), -1), np.ones(len(strange), bool)
            found.append(judge(model, strange, none, all_, -1 - np.arange(len(strange))))
    return Judgement(*(np.concatenate([getattr(part, f.name) for part in found]) for f in fields(Judgement)))


def _hidden(answer_of: Labels, rng: np.random.Generator) -> Labels:
    """Answers, drawn at random, that hold about `HIDDEN` of the rows; none when there are too few to spare one."""
    names, counts = np.unique(answer_of, return_counts=True)
    order = rng.permutation(len(names))
    if len(names) < LEAST_ANSWERS:
        return np.empty(0, np.int64)
    count = int(np.searchsorted(np.cumsum(counts[order]), HIDDEN * len(answer_of))) + 1
    return np.asarray(names[order[:count]], np.int64)


def calibrate_answers(
    seen: Judgement, servable: Sequence[bool], *, error_budget: float, new_share: float = NEW_SHARE
) -> tuple[Vector, float]:
    """The logistic regression of P(correct), and the threshold at which a servable first answer may be sent."""
    found = thresholds(seen, servable, [error_budget], new_share=new_share)
    return _fit(seen, np.ones(len(seen.right), bool)), found[0]


def thresholds(
    seen: Judgement, servable: Sequence[bool], budgets: Sequence[float], *, new_share: float = NEW_SHARE
) -> list[float]:
    """The threshold for each budget.

    They are chosen on probabilities that conversations get from a fit without them: those of its own fit flatter.
    """
    sure = np.zeros(len(seen.right), np.float32)
    fold = np.unique(seen.conversations, return_inverse=True)[1] % FOLDS
    for held in np.unique(fold):
        rest = fold != held
        sure[~rest] = stacked(seen.signals[~rest, 0], _fit(seen, rest if rest.any() else ~rest))
    may = np.asarray(servable, bool)[seen.answers[:, 0]]
    counted = _weights(seen, new_share)[may]
    found = [threshold_for(sure[may], seen.right[may, 0], error_budget=b, weight=counted) for b in budgets]
    return [max(LEAST_SURE, threshold) for threshold in found]


def _fit(seen: Judgement, rows: Flags) -> Vector:
    """The first candidates count whole, the others together as much as one."""
    right = seen.right[rows]
    first = np.where(np.arange(right.shape[1]) == 0, 1.0, 1.0 / CANDIDATES)
    weight = np.broadcast_to(first, right.shape).ravel()
    return fit_near(seen.signals[rows].reshape(-1, len(SIGNALS)), right.ravel(), PRIOR, weight=weight, signs=SIGNS)


def _weights(seen: Judgement, new_share: float) -> Vector:
    """What each row counts for the threshold: hidden ones just so much that `new_share` of all rows are new ones.

    Where the log itself brings as many new requests, or more, the hidden ones do not count.
    """
    natural = int((seen.new & ~seen.hidden).sum())
    ordinary = int((~seen.hidden).sum())
    missing = (new_share * ordinary - natural) / (1 - new_share)
    share = float(np.clip(missing / max(1, seen.hidden.sum()), 0, 1))
    return np.where(seen.hidden, share, 1.0).astype(np.float32)
