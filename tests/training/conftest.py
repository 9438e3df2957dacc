"""A real, if plain, encoder for tests of mining: hashed words and pairs of words, rows of length one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer

from retrieval.types import Matrix
from training.pairs import Pair

DAY = 86_400.0


@pytest.fixture(scope="session")
def words() -> Callable[[Sequence[str]], Matrix]:
    vectorizer = HashingVectorizer(n_features=512, ngram_range=(1, 2), token_pattern=r"[\w'<>]+", norm="l2")

    def encode(texts: Sequence[str]) -> Matrix:
        return np.asarray(vectorizer.transform(list(texts)).todense(), np.float32).reshape(len(texts), 512)

    return encode


MakePair = Callable[..., Pair]


@pytest.fixture(scope="session")
def pair() -> MakePair:
    """A pair of a request and its replies; conversations are numbered, a day apart."""
    count = 0

    def make(text: str, *replies: str, at: float | None = None, conversation: str = "", trusted: bool = False,
             desk: str = "", customer: str = "") -> Pair:  # fmt: skip
        nonlocal count
        count += 1
        turns = tuple(range(1, 1 + len(replies)))
        return Pair(conversation or f"c{count}", 0, text, desk, customer, replies, turns, (None,) * len(replies),
                    count * DAY if at is None else at, trusted)  # fmt: skip

    return make
