"""What a replay measured, case by case, and the figures that follow from it. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from training import metrics


@dataclass(frozen=True, slots=True)
class Case:
    """A customer turn that an agent answered, and what the bundle would have done.

    `rank` counts from 1: where the first right answer stands among the candidates, None when it is not among them.
    `servable` tells whether the first candidate may be sent at all. `sent` is the text that would have been sent, None
    when it would have handed over; `right` is about `sent`.
    `gold` is the label of the agent's reply: its action, or the id of the answer group that it falls into.
    """

    conversation: str
    turn: int
    text: str
    reply: str
    gold: str | None
    intent: str
    rank: int | None
    p_correct: float
    sent: str | None
    right: bool
    servable: bool = True

    @property
    def key(self) -> tuple[str, int]:
        return (self.conversation, self.turn)

    @property
    def wrong(self) -> bool:
        return self.sent is not None and not self.right

    @property
    def helps(self) -> bool:
        return self.sent is not None and self.right


@dataclass(frozen=True, slots=True)
class Promise:
    """An error budget, the threshold that follows from it, and what that would have given on the exam."""

    budget: float
    threshold: float
    answered: int
    wrong: int

    @property
    def rate(self) -> float:
        return self.wrong / self.answered if self.answered else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "wrong_answer_rate": self.rate}


@dataclass(frozen=True)
class Scores:
    """One bundle on one set of held-out conversations. `ms` holds the time of every case, in milliseconds.

    `scored_by`: `action` (labels of the agents' turns) or `answer group` (the group that the agent's reply falls into).
    `left_out` counts answered turns that could not be judged: no label where others carry one, or a conversation whose
    outcome says that it was not resolved. `promises` are the thresholds that the bundle would have for other budgets.
    """

    bundle: str
    cases: tuple[Case, ...]
    threshold: float
    error_budget: float
    scored_by: Literal["action", "answer group"]
    left_out: int = 0
    promises: Mapping[str, float] = field(default_factory=dict)
    ms: tuple[float, ...] = ()

    @property
    def n(self) -> int:
        return len(self.cases)

    @property
    def answered(self) -> int:
        return sum(case.sent is not None for case in self.cases)

    @property
    def wrong(self) -> int:
        return sum(case.wrong for case in self.cases)

    @property
    def recall_at_1(self) -> float | None:
        return metrics.recall_at([case.rank for case in self.cases], 1)

    @property
    def wrong_rate(self) -> float | None:
        """Wrong answers among the answers given: what the error budget promises. None when none was given."""
        return self.wrong / self.answered if self.answered else None

    @property
    def p50_ms(self) -> float | None:
        return float(np.median(self.ms)) if self.ms else None

    @property
    def p99_ms(self) -> float | None:
        return float(np.percentile(self.ms, 99)) if self.ms else None

    def kept(self) -> list[Promise]:
        """What would have come of every budget for which the bundle knows a threshold."""
        return [self._kept(float(budget), threshold) for budget, threshold in sorted(self.promises.items())]

    def _kept(self, budget: float, threshold: float) -> Promise:
        sent = [case for case in self.cases if case.servable and case.p_correct >= threshold]
        return Promise(budget, threshold, len(sent), sum(case.rank != 1 for case in sent))

    def coverage_at(self, error: float) -> float | None:
        confidence = [case.p_correct for case in self.cases]
        return metrics.coverage_at_error(confidence, [case.rank == 1 for case in self.cases], error=error)

    def summary(self, *, seed: int = 0) -> dict[str, Any]:
        """The JSON of `deskhand evaluate replay`; nothing in it depends on the clock."""
        ranks = [case.rank for case in self.cases]
        return {
            "answer_recall_at_1": self.recall_at_1,
            "answer_recall_at_5": metrics.recall_at(ranks, 5),
            "mrr": metrics.mrr(ranks),
            "coverage": self.answered / self.n if self.n else None,
            "wrong_answer_rate": self.wrong_rate or 0.0,
            "handoff_rate": 1 - self.answered / self.n if self.n else None,
            "wrong_share_of_turns": self.wrong / self.n if self.n else None,
            "coverage_at_2pct_error": self.coverage_at(0.02),
            "coverage_at_5pct_error": self.coverage_at(0.05),
            "n": self.n,
            "n_conversations": len({case.conversation for case in self.cases}),
            "answered": self.answered,
            "wrong": self.wrong,
            "handed_over": self.n - self.answered,
            "left_out": self.left_out,
            "scored_by": self.scored_by,
            "threshold": self.threshold,
            "error_budget": self.error_budget,
            "promises": [promise.to_json() for promise in self.kept()],
            "intervals_95": self._intervals(seed),
            "by_intent": [row.to_json() for row in by_intent(self.cases)],
        }

    def _intervals(self, seed: int) -> dict[str, tuple[float, float] | None]:
        names = [case.conversation for case in self.cases]
        sent = np.array([case.sent is not None for case in self.cases], dtype=float)
        parts: dict[str, tuple[Any, Any]] = {
            "answer_recall_at_1": ([case.rank == 1 for case in self.cases], None),
            "answer_recall_at_5": ([case.rank is not None and case.rank <= 5 for case in self.cases], None),
            "mrr": ([1 / case.rank if case.rank else 0 for case in self.cases], None),
            "coverage": (sent, None),
            "wrong_answer_rate": ([case.wrong for case in self.cases], sent),
            "handoff_rate": (1 - sent, None),
        }
        drawn = {key: metrics.interval(names, values, weights, seed=seed) for key, (values, weights) in parts.items()}
        return {key: (found.low, found.high) if found else None for key, found in drawn.items()}


@dataclass(frozen=True)
class IntentRow:
    """One kind of request: how often it came, and what became of it."""

    intent: str
    n: int
    first_right: int
    answered: int
    wrong: int

    def to_json(self) -> dict[str, Any]:
        return {
            "intent": self.intent,
            "n": self.n,
            "answer_recall_at_1": self.first_right / self.n,
            "answered": self.answered,
            "wrong": self.wrong,
            "handed_over": self.n - self.answered,
        }


def by_intent(cases: Sequence[Case]) -> list[IntentRow]:
    """Most frequent first, ties by name."""
    grouped: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        grouped[case.intent].append(case)
    found = [
        IntentRow(
            intent=intent,
            n=len(own),
            first_right=sum(case.rank == 1 for case in own),
            answered=sum(case.sent is not None for case in own),
            wrong=sum(case.wrong for case in own),
        )
        for intent, own in grouped.items()
    ]
    return sorted(found, key=lambda row: (-row.n, row.intent))


def commonest_share(cases: Sequence[Case]) -> float:
    """How often a bot would be right that gave one and the same answer, the commonest, every time."""
    golds = Counter(case.gold for case in cases if case.gold is not None)
    return max(golds.values(), default=0) / len(cases) if cases else 0.0
