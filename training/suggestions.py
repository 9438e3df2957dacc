"""Which groups of requests an operator may want to merge or to split, by what agents answered to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from sklearn.cluster import KMeans

from retrieval.types import Matrix
from training.cluster import Labels, means_of
from training.groups import Group, Settled, typical

ANSWERED_ALIKE, ASKED_ALIKE, CLOSE = 0.5, 0.5, 0.85
ANSWERED_APART, ASKED_APART = 0.2, 0.8
LEAST_PART, LEAST_SHARE = 4, 0.15
MOST = 10


def suggested(
    settled: Settled, texts: Sequence[str], requests: Matrix, replies: Matrix, answer_of: Labels
) -> tuple[Group, ...]:
    """The groups with `alike` and `parts` filled. `requests` and `replies` (n, d) are encoded, `answer_of` (n,) are the
    numbers of the answers. What an operator decided about is left as it is."""
    rows = [np.flatnonzero(settled.group_of == number) for number in range(len(settled.groups))]
    alike = _merges(settled, rows, requests, answer_of)
    return tuple(
        _in_parts(replace(group, alike=tuple(alike.get(group.id, ()))), own, texts, requests, replies, answer_of)
        for group, own in zip(settled.groups, rows, strict=True)
    )


def overlap(one: Labels, other: Labels) -> float:
    """The share of answers that two sets of requests have in common: 1 when they are answered alike."""
    a, b = Counter(one.tolist()), Counter(other.tolist())
    return float(sum(min(a[x] / len(one), b[x] / len(other)) for x in a))


def _merges(
    settled: Settled, rows: Sequence[Labels], requests: Matrix, answer_of: Labels
) -> dict[str, list[tuple[str, str]]]:
    inside = settled.group_of >= 0
    if not len(rows):
        return {}
    middle = means_of(requests[inside], settled.group_of[inside], len(rows))
    close = middle @ middle.T
    found = []
    for i, j in combinations(range(len(rows)), 2):
        if close[i, j] < ASKED_ALIKE or all(settled.groups[n].kept for n in (i, j)):
            continue
        shared = overlap(answer_of[rows[i]], answer_of[rows[j]])
        if shared >= ANSWERED_ALIKE:
            found.append((shared + close[i, j], i, j, f"agents answer both alike ({shared:.0%})"))
        elif close[i, j] >= CLOSE:
            found.append((shared + close[i, j], i, j, f"asked nearly in the same words ({close[i, j]:.2f})"))
    alike: dict[str, list[tuple[str, str]]] = {}
    for _, i, j, why in sorted(found, reverse=True)[:MOST]:
        alike.setdefault(settled.groups[j].id, []).append((settled.groups[i].id, why))
    return alike


def _in_parts(
    group: Group, rows: Labels, texts: Sequence[str], requests: Matrix, replies: Matrix, answer_of: Labels
) -> Group:
    """With `parts`, where there are two that are asked and answered differently."""
    if group.kept or len(rows) < 2 * LEAST_PART:
        return group
    both = np.hstack([requests[rows], replies[rows]])
    if len(np.unique(both, axis=0)) < 2:
        return group
    side = KMeans(2, n_init=4, random_state=0).fit_predict(both).astype(np.int64)
    parts = sorted((rows[side == 0], rows[side == 1]), key=len, reverse=True)
    if min(map(len, parts)) < max(LEAST_PART, LEAST_SHARE * len(rows)):
        return group
    middle = means_of(requests[rows], side, 2)
    if middle[0] @ middle[1] > ASKED_APART or overlap(answer_of[parts[0]], answer_of[parts[1]]) > ANSWERED_APART:
        return group
    key_of = dict(zip(rows.tolist(), group.requests, strict=True))
    return replace(
        group,
        parts=tuple(tuple(key_of[row] for row in part.tolist()) for part in parts),
        parts_typical=tuple(typical(texts, requests, part) for part in parts),
    )
