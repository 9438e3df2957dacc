"""Questions that the bot could not answer, grouped by meaning: the operator's list of what to write next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bot.events import Event, GapFound
from retrieval.types import Matrix

SAME = 0.55
"""Cosine from which two questions count as the same. On 400 labelled requests of the demo shop (51 kinds, frozen
MiniLM) groups are then 0.92 homogeneous (ARI 0.20); lower values mix kinds (0.45: 0.77), higher ones split them
(0.65: ARI 0.10)."""

SHOWN = 5


@dataclass(frozen=True)
class Gap:
    """One unanswered question; `at` is in seconds since the epoch."""

    conversation_id: str
    message_id: str
    text: str
    reason: str
    at: float


def gaps_of(conversation_id: str, events: Sequence[Event]) -> list[Gap]:
    return [Gap(conversation_id, e.message_id, e.text, e.reason, e.at) for e in events if isinstance(e, GapFound)]


@dataclass(frozen=True)
class GapGroup:
    """Questions that mean the same. `text` is the one closest to all others, `examples` are some different wordings."""

    text: str
    count: int
    first_at: float
    last_at: float
    reasons: tuple[str, ...]
    examples: tuple[str, ...]
    conversations: tuple[str, ...]


def group(gaps: Sequence[Gap], encode: Callable[[Sequence[str]], Matrix]) -> list[GapGroup]:
    """Biggest group first. `encode` gives unit vectors (n, d). A gap joins the group whose mean is closest when that
    is at least `SAME` close, else it opens one (leader clustering, in order of time)."""
    ordered = sorted({(gap.conversation_id, gap.message_id): gap for gap in gaps}.values(), key=lambda gap: gap.at)
    if not ordered:
        return []
    vectors = encode([gap.text for gap in ordered])
    members: list[list[int]] = []
    sums = np.zeros((0, vectors.shape[1]), np.float32)
    for row, vector in enumerate(vectors):
        close = (sums @ vector) / np.maximum(np.linalg.norm(sums, axis=1), 1e-9)
        if len(close) and close.max() >= SAME:
            best = int(close.argmax())
            members[best].append(row)
            sums[best] += vector
        else:
            members.append([row])
            sums = np.vstack([sums, vector])
    groups = [_describe([ordered[row] for row in rows], vectors[rows]) for rows in members]
    return sorted(groups, key=lambda group: (-group.count, -group.last_at))


def _describe(gaps: Sequence[Gap], vectors: Matrix) -> GapGroup:
    central = gaps[int((vectors @ vectors.sum(axis=0)).argmax())]
    return GapGroup(
        text=central.text,
        count=len(gaps),
        first_at=gaps[0].at,
        last_at=gaps[-1].at,
        reasons=tuple(sorted({gap.reason for gap in gaps})),
        examples=tuple(dict.fromkeys(gap.text for gap in reversed(gaps)))[:SHOWN],
        conversations=tuple(dict.fromkeys(gap.conversation_id for gap in reversed(gaps)))[:SHOWN],
    )
