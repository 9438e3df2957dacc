"""Does the bot know less than it did? Pure.

The share of questions that ended as a gap in the last week is compared with that of the four weeks before, by the
two-proportion z-test (pooled). Chance alone reports a rise once in about 700 weeks; a rise below three points in a
hundred is not worth a message however sure it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

RECENT_DAYS, BASE_DAYS = 7, 28
ENOUGH_RECENT, ENOUGH_BASE = 50, 100
SURE_Z = 3.0
LEAST_RISE = 0.03


@dataclass(frozen=True)
class Day:
    """`asked`: questions put to the bot; `gaps`: those it could not answer. `day` is an ISO date (UTC)."""

    day: str
    asked: int
    gaps: int


@dataclass(frozen=True)
class Drift:
    """Shares of questions without an answer: in the last week, and in the four weeks before."""

    recent: float
    before: float
    z: float
    asked: int
    asked_before: int


def drift(days: Sequence[Day], today: date) -> Drift | None:
    """None when nothing rose, or when too little was asked to tell."""
    border, start = today - timedelta(days=RECENT_DAYS), today - timedelta(days=RECENT_DAYS + BASE_DAYS)
    recent = [one for one in days if border < date.fromisoformat(one.day) <= today]
    base = [one for one in days if start < date.fromisoformat(one.day) <= border]
    asked, gaps = sum(one.asked for one in recent), sum(one.gaps for one in recent)
    asked_before, gaps_before = sum(one.asked for one in base), sum(one.gaps for one in base)
    if asked < ENOUGH_RECENT or asked_before < ENOUGH_BASE:
        return None
    now, before = gaps / asked, gaps_before / asked_before
    pooled = (gaps + gaps_before) / (asked + asked_before)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / asked + 1 / asked_before))
    z = (now - before) / spread if spread else 0.0
    if z < SURE_Z or now - before < LEAST_RISE:
        return None
    return Drift(recent=now, before=before, z=z, asked=asked, asked_before=asked_before)
