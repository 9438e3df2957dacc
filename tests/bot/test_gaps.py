from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.gaps import Gap, group
from retrieval.types import Matrix

DIRECTIONS = {"gift": (1.0, 0.0, 0.0), "voucher": (0.9, 0.44, 0.0), "parking": (0.0, 0.0, 1.0)}


def encode(texts: Sequence[str]) -> Matrix:
    rows = np.array([DIRECTIONS[text.split()[0]] for text in texts], np.float32).reshape(len(texts), 3)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def gap(text: str, number: int, reason: str = "unknown") -> Gap:
    return Gap(f"c{number}", f"m{number}", text, reason, float(number))


def test_no_gaps_are_no_groups() -> None:
    assert group([], encode) == []


def test_close_questions_are_one_group_and_the_biggest_comes_first() -> None:
    gaps = [gap("parking", 1), gap("gift a", 2), gap("voucher", 3, "form_stuck"), gap("gift b", 4)]
    big, small = group(gaps, encode)
    assert (big.count, small.count) == (3, 1)
    assert big.text in ("gift a", "gift b"), "the most central question speaks for its group"
    assert big.examples == ("gift b", "voucher", "gift a")
    assert big.conversations == ("c4", "c3", "c2")
    assert (big.first_at, big.last_at) == (2.0, 4.0)
    assert big.reasons == ("form_stuck", "unknown")


def test_a_gap_that_is_told_twice_counts_once() -> None:
    (only,) = group([gap("gift", 1), gap("gift", 1)], encode)
    assert only.count == 1


def test_the_order_of_what_comes_in_does_not_matter() -> None:
    gaps = [gap("parking", 1), gap("gift a", 2), gap("voucher", 3)]
    assert group(gaps, encode) == group(gaps[::-1], encode)
