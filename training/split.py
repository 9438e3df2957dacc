"""Which conversations train and which judge: by conversation and by time, never by message.

Conversations in which a person closed a gap of the bot always train: they are what the people taught it since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.transcript import Transcript
from training.pairs import pairs

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
