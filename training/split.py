"""Which conversations train and which judge: by conversation and by time, never by message.

Conversations in which a person closed a gap of the bot always train: they are what the people taught it since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bot.transcript import Transcript
from training.cluster import Labels
from training.pairs import pairs

FOLDS = 5
ROUNDS = (0.4, 0.55, 0.7, 0.85, 1.0)
LARGE = 6000


@dataclass(frozen=True)
class Split:
    train: tuple[Transcript, ...]
    test: tuple[Transcript, ...]


def by_time(transcripts: Sequence[Transcript], *, test_share: float) -> Split:
    """The latest `test_share` of the conversations is the test; undated ones keep their order, before dated ones."""
    ordered = sorted(transcripts, key=lambda t: (t.started_at or "", t.id) if t.started_at else ("", ""))
    taught = [t for t in ordered if any(pair.trusted for pair in pairs(t))]
    names = {t.id for t in taught}
    rest = [t for t in ordered if t.id not in names]
    cut = len(rest) - round(test_share * len(rest))
    kept = {t.id for t in rest[:cut]} | names
    return Split(tuple(t for t in ordered if t.id in kept), tuple(rest[cut:]))


def rounds(count: int, *, since: float = 0.0) -> list[tuple[int, int]]:
    """Forward-chaining validation over `count` rows in time order: (end of training, end of validation) each.

    Later rows are predicted from earlier ones only, as in service. Large sets take the last round alone.
    """
    edges = [e for e in ROUNDS if e >= since] if count < LARGE else [0.85, 1.0]
    cuts = [round(count * edge) for edge in edges]
    return [(a, b) for a, b in pairwise(cuts) if 0 < a < b]


def forward(cuts: Sequence[tuple[int, int]]) -> list[tuple[Labels, Labels]]:
    """`rounds` as rows: those to learn from and those to judge."""
    return [(np.arange(train), np.arange(train, end)) for train, end in cuts]


def folds(conversations: Labels) -> list[tuple[Labels, Labels]]:
    """Cross-fitting: every conversation is judged once, by the others. `conversations` (n,) numbers that of each row.

    Later conversations teach what earlier ones are judged by, so new kinds of request seem rarer than they are: hidden
    answers make up for that (`training.heads`).
    """
    fold = np.unique(conversations, return_inverse=True)[1] % FOLDS
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(FOLDS) if 0 < (fold == f).sum()]


def new_share(answer_of: Labels) -> float:
    """How many of the rows after each of `rounds` need an answer that had not been given before; rows in time order."""
    cuts = rounds(len(answer_of))
    fresh = [~np.isin(answer_of[train:end], answer_of[:train]) for train, end in cuts]
    return float(np.concatenate(fresh).mean()) if fresh else 0.0
