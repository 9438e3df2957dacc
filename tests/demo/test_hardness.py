"""The demo has to be hard enough that a bad model visibly fails on its last two weeks."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer


def nearest_intents(train: list[dict[str, Any]], test: list[dict[str, Any]]) -> list[str | None]:
    words = TfidfVectorizer(sublinear_tf=True)
    logged = words.fit_transform([row["text"] for row in train])
    similar = (words.transform([row["text"] for row in test]) @ logged.T).toarray()
    return [train[i]["intent"] for i in np.argmax(similar, axis=1)]


def accuracy(test: list[dict[str, Any]], predicted: list[str | None]) -> float:
    return sum(row["intent"] == p for row, p in zip(test, predicted, strict=True)) / len(test)


def test_a_nearest_neighbour_over_words_fails_on_the_last_two_weeks(requests: list[dict[str, Any]]) -> None:
    train, test = [r for r in requests if r["week"] <= 6], [r for r in requests if r["week"] > 6]

    assert 0.35 < accuracy(test, nearest_intents(train, test)) < 0.65


def test_it_fails_on_kinds_that_it_has_seen_as_well(requests: list[dict[str, Any]]) -> None:
    train = [r for r in requests if r["week"] <= 6 and r["intent"]]
    seen = {r["intent"] for r in train}
    test = [r for r in requests if r["week"] > 6 and r["intent"] in seen]

    assert 0.45 < accuracy(test, nearest_intents(train, test)) < 0.72


def test_the_same_baseline_does_better_on_weeks_it_was_made_for(requests: list[dict[str, Any]]) -> None:
    """Otherwise the demo would be noise: what was said before is mostly said again within the first six weeks."""
    early = [r for r in requests if r["week"] <= 6]
    train, test = [r for r in early if r["week"] <= 4], [r for r in early if r["week"] > 4]
    late = [r for r in requests if r["week"] > 6]

    assert accuracy(test, nearest_intents(train, test)) > accuracy(late, nearest_intents(early, late)) + 0.1
