"""Word search: BM25 (Robertson and Zaragoza 2009) over postings that grow and shrink without a rebuild.

Inverse document frequencies are counted when a question comes, over all postings together. `bm25s` bakes them into its
matrix and so has to index everything again when one article changes; a test holds both to the same scores.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
        hashes: dict[str, int] = {}
        rows: list[tuple[int, int, int]] = []
        for number, words in enumerate(documents):
            for word, count in Counter(words).items():
                term = hashes.get(word)
                if term is None:
                    term = hashes[word] = hashed(word)
                rows.append((term, number, count))
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

    def find(self, term: int) -> slice:
        at = int(np.searchsorted(self.terms, np.uint32(term)))
        if at == len(self.terms) or self.terms[at] != term:
            return slice(0, 0)
        return slice(int(self.starts[at]), int(self.starts[at + 1]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def hashed(word: str) -> int:
    return zlib.crc32(word.encode())


def bm25(parts: Sequence[Postings], asked: Mapping[str, float]) -> list[Floats]:
    """The scores of all documents of each part, divided by what a document with every word could reach: 0 to 1.

    `asked` gives each word its weight in the question. Words of equal hash count as one (of 100,000 words two or so).
    """
    mean = _mean(parts)
    scores = [np.zeros(len(part.lengths), np.float32) for part in parts]
    most = 0.0
    for word, weight in asked.items():
        found, idf = _idf(parts, word)
        most += weight * idf * (K1 + 1)
        for part, piece, score in zip(parts, found, scores, strict=True):
            docs, counts = part.docs[piece], part.counts[piece].astype(np.float32)
            long = K1 * (1 - B + B * part.lengths[docs] / mean)
            score[docs] += (weight * idf * (K1 + 1) * counts / (counts + long)).astype(np.float32)
    return [score / np.float32(most or 1.0) for score in scores]


def bm25_of(parts: Sequence[Postings], asked: Mapping[str, float], document: Sequence[str]) -> float:
    """The score that a document of these words, which is not in the postings, would have."""
    counts, mean, score, most = Counter(document), _mean(parts), 0.0, 0.0
    long = K1 * (1 - B + B * len(document) / mean)
    for word, weight in asked.items():
        idf = weight * _idf(parts, word)[1] * (K1 + 1)
        most += idf
        score += idf * counts[word] / (counts[word] + long)
    return score / (most or 1.0)


def _mean(parts: Sequence[Postings]) -> float:
    """Words a document; 1 where no document has any. Below 1 where most are empty, as in `bm25s`."""
    words = sum(int(part.lengths.sum()) for part in parts)
    return words / sum(len(part.lengths) for part in parts) if words else 1.0


def _idf(parts: Sequence[Postings], word: str) -> tuple[list[slice], float]:
    term = hashed(word)
    found = [part.find(term) for part in parts]
    frequency = sum(piece.stop - piece.start for piece in found)
    documents = sum(len(part.lengths) for part in parts)
    return found, float(np.log(1 + (documents - frequency + 0.5) / (frequency + 0.5)))
