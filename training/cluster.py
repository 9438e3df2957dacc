"""Grouping vectors: over-split with k-means, then merge by average linkage.

k-means first because linkage needs all pairwise distances: 70,000 replies become some hundred centroids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import MiniBatchKMeans

from retrieval.types import Matrix, Vector

Labels = NDArray[np.int64]
EXACT = 3000
SAME_REPLY = 0.55
"""Cosine from which on a reply amounts to an answer."""


def unit(vectors: Matrix) -> Matrix:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float32)


def centroids(vectors: Matrix, labels: Labels) -> Matrix:
    """Unit-length means, one row for each label 0..max."""
    out = np.zeros((int(labels.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(out, labels, vectors)
    return unit(out)


def means_of(vectors: Matrix, labels: Labels, count: int) -> Matrix:
    """(count, d): `centroids`, with a row of zeros for each number that has no member."""
    out = np.zeros((count, vectors.shape[1]), np.float32)
    found = centroids(vectors, labels)
    out[: len(found)] = found
    return out


def coherence(vectors: Matrix, labels: Labels, means: Matrix) -> Vector:
    """(groups,): how alike (cosine) the members of each group are to its mean on average, 0 without members."""
    similar = (vectors * means[labels]).sum(1)
    counts = np.bincount(labels, minlength=len(means))
    return np.asarray(np.bincount(labels, similar, len(means)) / np.maximum(counts, 1), np.float32)


def fallen_into(keys: Matrix, answers: Matrix) -> Labels:
    """The answer (row of `answers`) that each encoded reply amounts to by its words alone, -1 when it is like none."""
    similar = keys @ answers.T
    best = similar.argmax(1)
    return np.asarray(np.where(similar[np.arange(len(keys)), best] >= SAME_REPLY, best, -1), np.int64)


def split(vectors: Matrix, groups: int, *, seed: int) -> Labels:
    """k-means into at most `groups` groups, numbered without holes."""
    groups = min(groups, len(np.unique(vectors, axis=0)))
    if groups < 2:
        return np.zeros(len(vectors), np.int64)
    means = MiniBatchKMeans(groups, random_state=seed, batch_size=2048, n_init=1, max_iter=50)
    return renumber(means.fit_predict(vectors))


def merge(vectors: Matrix, labels: Labels, *, similarity: float) -> Labels:
    """Join groups whose members are on average at least `similarity` alike (mean cosine over all pairs of members)."""
    members = unit(vectors)
    counts = np.bincount(labels)
    if len(counts) < 2:
        return labels
    means = np.zeros((len(counts), members.shape[1]), np.float64)
    np.add.at(means, labels, members)
    means /= counts[:, None]
    apart = np.clip(1 - means @ means.T, 0, 2)  # the product of two means is the mean cosine between their members
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average")
    return renumber(fcluster(tree, 1 - similarity, "distance")[labels])


def tight_groups(vectors: Matrix, *, similarity: float, most: int, seed: int) -> Labels:
    """Groups whose members are alike; exact average linkage when small, over-split and merge when large."""
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int64)
    if len(vectors) <= EXACT:
        tree = linkage(pdist(vectors.astype(np.float64), "cosine"), "average")
        return renumber(fcluster(tree, 1 - similarity, "distance"))
    return merge(vectors, split(vectors, most, seed=seed), similarity=similarity)


def renumber(labels: NDArray[np.integer]) -> Labels:
    """0..n-1, the largest group first; ties by first member, so that the same groups get the same numbers."""
    names, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda i: (-counts[i], first[i]))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return np.asarray(rank[inverse], np.int64)
