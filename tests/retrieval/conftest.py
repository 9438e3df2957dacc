"""A real, if plain, encoder for quick tests: hashed words and character trigrams, rows of length one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer

from retrieval.articles import Article
from retrieval.types import Matrix

DIMENSION = 512


class Counting:
    """`encode` that remembers which texts it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._vectorizer = HashingVectorizer(n_features=DIMENSION, stop_words="english", norm="l2")

    def __call__(self, texts: Sequence[str]) -> Matrix:
        self.texts += texts
        if not texts:
            return np.empty((0, DIMENSION), np.float32)
        return np.asarray(self._vectorizer.transform(texts).todense(), np.float32)


@pytest.fixture
def encode() -> Counting:
    return Counting()


@pytest.fixture
def article() -> Callable[..., Article]:
    def make(id: str, text: str, title: str | None = None) -> Article:
        return Article(id, title or id.title(), text, f"https://shop.example/{id}")

    return make
