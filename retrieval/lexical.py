"""Word search: BM25 (Robertson and Zaragoza 2009) over postings that grow and shrink without a rebuild.

Inverse document frequencies are counted when a question comes, over all postings together. `bm25s` bakes them into its
matrix and so has to index everything again when one article changes; a test holds both to the same scores.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Postings:
    """`terms` (t,) are sorted hashes of words; those of term i are `docs[starts[i]:starts[i+1]]` with their `counts`.
    `lengths` (n,) are the words of each document."""

    terms: NDArray[np.uint32]
    starts: NDArray[np.int64]
    docs: NDArray[np.int32]
    counts: NDArray[np.uint16]
    lengths: NDArray[np.int32]

    @classmethod
    def build(cls, documents: Sequence[Sequence[str]]) -> Postings:
        """`documents` are lists of words."""
        vocabulary = {word: None for words in documents for word in words}
        hashes = dict(zip(vocabulary, hashed(vocabulary).tolist(), strict=True))
        rows = [
            (hashes[word], number, count)
            for number, words in enumerate(documents)
            for word, count in Counter(words).items()
        ]
        terms, docs, counts = np.array(rows, np.int64).reshape(-1, 3).T
        return cls._of(terms, docs, counts, np.array([len(words) for words in documents], np.int64))

    @classmethod
    def _of(
        cls, terms: NDArray[np.int64], docs: NDArray[np.int64], counts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> Postings:
        """Occurrences in any order; those of one term and document are added up."""
        keys = terms * np.int64(max(1, len(lengths))) + docs
        keys, where = np.unique(keys, return_inverse=True)
        total = np.bincount(where, counts, len(keys)) if len(keys) else np.empty(0)
        terms, docs = np.divmod(keys, np.int64(max(1, len(lengths))))
        found, first = np.unique(terms, return_index=True)
        return cls(
            found.astype(np.uint32),
            np.append(first, len(keys)).astype(np.int64),
            docs.astype(np.int32),
            np.minimum(total, 65535).astype(np.uint16),
            lengths.astype(np.int32),
        )

    @classmethod
    def joined(cls, parts: Sequence[Postings], new: Sequence[NDArray[np.int64]], size: int) -> Postings:
        """`new[i]` (n,) gives the documents of part i their numbers below `size`; -1 leaves one out, and documents
        that are given the same number become one."""
        terms, docs, counts, lengths = [], [], [], np.zeros(size, np.int64)
        for part, numbers in zip(parts, new, strict=True):
            kept = numbers[part.docs] >= 0
            terms.append(np.repeat(part.terms, np.diff(part.starts))[kept].astype(np.int64))
            docs.append(numbers[part.docs][kept])
            counts.append(part.counts[kept].astype(np.int64))
            np.add.at(lengths, numbers[numbers >= 0], part.lengths[numbers >= 0])
        whole = [np.concatenate([np.empty(0, np.int64), *column]) for column in (terms, docs, counts)]
        return cls._of(whole[0], whole[1], whole[2], lengths)

    def find(self, terms: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each term's documents begin in `docs`, and how many they are; 0 for one that is not here."""
        if not len(self.terms):
            return np.zeros(len(terms), np.int64), np.zeros(len(terms), np.int64)
        at = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        first = self.starts[at]
        return first, np.where(self.terms[at] == terms, self.starts[at + 1] - first, 0)

    @cached_property
    def words(self) -> int:
        return int(self.lengths.sum())

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def hashed(words: Iterable[str]) -> NDArray[np.uint32]:
    return np.array([zlib.crc32(word.encode()) for word in words], np.uint32)


def bm25(parts: Sequence[Postings], asked: Mapping[str, float]) -> list[Floats]:
    """The scores of all documents of each part, divided by what a document with every word could reach: 0 to 1.

    `asked` gives each word its weight in the question. Words of equal hash count as one (of 100,000 words two or so).
    """
    found, worth = _found(parts, asked)
    mean, most = _mean(parts), float(worth.sum()) or 1.0
    scores = []
    for part, (first, sizes) in zip(parts, found, strict=True):
        at = ranges(first, sizes)
        docs, counts = part.docs[at], part.counts[at].astype(np.float32)
        long = K1 * (1 - B + B * part.lengths[docs] / mean)
        gained = np.repeat(worth, sizes) * counts / (counts + long)
        scores.append((np.bincount(docs, gained, len(part.lengths)) / most).astype(np.float32))
    return scores


def bm25_of(parts: Sequence[Postings], asked: Mapping[str, float], document: Sequence[str]) -> float:
    """The score that a document of these words, which is not in the postings, would have."""
    _, worth = _found(parts, asked)
    counts = Counter(document)
    own = np.array([counts[word] for word in asked], np.float64)
    long = K1 * (1 - B + B * len(document) / _mean(parts))
    return float((worth * own / (own + long)).sum() / (worth.sum() or 1.0))


def ranges(first: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """first[0], first[0] + 1, ... sizes[0] of them, then those from first[1] on, and so forth."""
    before = np.cumsum(sizes) - sizes
    return np.asarray(np.arange(int(sizes.sum())) + np.repeat(first - before, sizes), np.int64)


def _mean(parts: Sequence[Postings]) -> float:
    """Words a document; 1 where no document has any. Below 1 where most are empty, as in `bm25s`."""
    words = sum(part.words for part in parts)
    return words / sum(len(part.lengths) for part in parts) if words else 1.0


def _found(
    parts: Sequence[Postings], asked: Mapping[str, float]
) -> tuple[list[tuple[NDArray[np.int64], NDArray[np.int64]]], NDArray[np.float64]]:
    """What `Postings.find` says of the words in each part, and what each word is worth at most (w,)."""
    terms = hashed(asked)
    found = [part.find(terms) for part in parts]
    frequency = np.sum([sizes for _, sizes in found], axis=0) if found else np.zeros(len(terms))
    documents = sum(len(part.lengths) for part in parts)
    idf = np.log(1 + (documents - frequency + 0.5) / (frequency + 0.5))
    return found, np.fromiter(asked.values(), np.float64, len(terms)) * idf * (K1 + 1)
