"""Groups of vectors whose number is found: many spectral groupings, and what more than half of them agree on.

Every graph of nearest neighbours is cut into 5, 6, 7, ... groups (normalised spectral clustering, Ng et al. 2001). The
cuts whose modularity (Newman 2004) is close to the best one vote on every pair of rows (evidence accumulation, Fred
and Jain 2005); groups are what average linkage leaves together at half of the votes. Rows that are like nothing else,
or on which nothing agrees, stay alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from scipy.spatial.distance import squareform
from sklearn.cluster import KMeans

from retrieval.types import Matrix
from training.cluster import Labels, renumber, unit

SAMPLE = 4000
NEIGHBOURS = (5, 10, 15)
SPARSE = 6
"""Few rows have few neighbours: one in so many."""
PLATEAU = 0.08
STRANGE = 0.4
"""Cosine to the nearest other row below which a row is like nothing else: every graph ties it to something."""
AGREED = 0.5
STEP = 1.12
PAST = 3
VECTORS = 48
VOTERS = 10


def consensus(vectors: Matrix, *, least: int, most: int, seed: int) -> Labels:
    """Group numbers (n,), the largest group first; cuts into `least` to `most` groups are looked at. Time is bounded by
    grouping `SAMPLE` different rows; the others go where their nearest of those went."""
    different, of = np.unique(unit(vectors), axis=0, return_inverse=True)
    rows = np.sort(np.random.default_rng(seed).permutation(len(different))[:SAMPLE])
    known = different[rows]
    labels = agreed(known, least=least, most=most, seed=seed)
    if len(rows) < len(different):
        labels = vote(different, known, labels)
    alone = np.flatnonzero(_nearest(different) < STRANGE)
    labels[alone] = labels.max() + 1 + np.arange(len(alone))
    return renumber(labels[of.ravel()])


def _nearest(vectors: Matrix) -> Matrix:
    """(n,) cosines to the nearest other row."""
    nearest = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), 1000):
        similar = vectors[start : start + 1000] @ vectors.T
        similar[np.arange(len(similar)), start + np.arange(len(similar))] = -1
        nearest[start : start + 1000] = similar.max(1)
    return nearest


def agreed(vectors: Matrix, *, least: int, most: int, seed: int) -> Labels:
    """As `consensus`, of unit rows that are all different, with all pairs of them in memory."""
    count = len(vectors)
    most = min(most, count - 1)
    if count < 3 or most < 2:
        return np.zeros(count, np.int64)
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -1)
    cuts = [
        cut
        for near in sorted({max(2, min(near, count // SPARSE)) for near in NEIGHBOURS})
        for cut in plateau(
            neighbour_graph(similar, near), least=max(2, min(least, most)), most=most, seed=seed + 1000 * near
        )
    ]
    apart = np.ones((count, count), np.float32)
    for cut in cuts:
        apart[cut[:, None] == cut[None, :]] -= np.float32(1 / len(cuts))
    apart = np.maximum(apart, 0)
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average")
    return renumber(fcluster(tree, AGREED, "distance"))


def vote(vectors: Matrix, known: Matrix, labels: Labels) -> Labels:
    """The group (n,) that the nearest of `known` rows, whose `labels` stand beside them, have most of by similarity."""
    near = min(VOTERS, len(known))
    out = np.empty(len(vectors), np.int64)
    for start in range(0, len(vectors), 1000):
        similar = vectors[start : start + 1000] @ known.T
        best = np.argsort(-similar, axis=1, kind="stable")[:, :near]
        votes = np.zeros((len(similar), int(labels.max()) + 1))
        strength = np.exp((np.take_along_axis(similar, best, 1) - 1) / 0.1)
        np.add.at(votes, (np.arange(len(similar))[:, None], labels[best]), strength)
        out[start : start + 1000] = votes.argmax(1)
    return out


def neighbour_graph(similar: Matrix, near: int) -> csr_matrix:
    """(n, n) symmetric weights from cosines with -1 on the diagonal: fuzzy neighbours as in UMAP (arXiv 1802.03426), so
    that a row in a sparse region is tied to its neighbours as firmly as one in a dense region."""
    count = len(similar)
    best = np.argpartition(-similar, near - 1, axis=1)[:, :near]
    apart = 1 - np.take_along_axis(similar, best, 1)
    closest = apart.min(1, keepdims=True)
    low, high = np.full((count, 1), 1e-4), np.full((count, 1), 5.0)
    for _ in range(40):
        width = (low + high) / 2
        enough = np.exp(-(apart - closest) / width).sum(1, keepdims=True) > np.log2(near)
        low, high = np.where(enough, low, width), np.where(enough, width, high)
    weights = np.exp(-(apart - closest) / ((low + high) / 2))
    one_way = csr_matrix((weights.ravel(), (np.repeat(np.arange(count), near), best.ravel())), (count, count))
    return one_way + one_way.T - one_way.multiply(one_way.T)


def plateau(graph: csr_matrix, *, least: int, most: int, seed: int) -> list[Labels]:
    """The cuts of a graph whose modularity is at most `PLATEAU` of the best below it."""
    found: list[tuple[float, Labels]] = []
    best, behind = -1.0, 0
    for cut in _cuts(graph, least=least, most=most, seed=seed):
        quality = modularity(graph, cut)
        best = max(best, quality)
        behind = behind + 1 if quality < best * (1 - PLATEAU) else 0
        found.append((quality, cut))
        if behind == PAST:
            break
    return [cut for quality, cut in found if quality >= min(best, best * (1 - PLATEAU))]


def _cuts(graph: csr_matrix, *, least: int, most: int, seed: int) -> Iterator[Labels]:
    groups, axes = least, np.empty((0, 0), np.float32)
    while groups <= most:
        if axes.shape[1] < groups:
            axes = spectrum(graph, min(most, max(VECTORS, 2 * groups)))
        rows = unit(axes[:, :groups])
        yield np.asarray(KMeans(groups, n_init=2, random_state=seed + groups).fit_predict(rows), np.int64)
        groups = max(groups + 1, round(groups * STEP))


def spectrum(graph: csr_matrix, count: int) -> Matrix:
    """(n, count) leading eigenvectors of the normalised graph, the leading one first."""
    rows = graph.shape[0]
    scale = diags(1 / np.sqrt(np.asarray(graph.sum(1)).ravel() + 1e-9))
    even = scale @ graph @ scale
    if rows <= 4 * count:
        return _all_axes(even)[:, :count]
    try:
        values, axes = eigsh(even, k=count, which="LA", v0=np.ones(rows), tol=1e-4)
    except ArpackNoConvergence:
        return _all_axes(even)[:, :count]
    return np.asarray(axes[:, np.argsort(-values, kind="stable")], np.float32)


def _all_axes(even: csr_matrix) -> Matrix:
    return np.asarray(np.linalg.eigh(even.toarray())[1][:, ::-1], np.float32)


def modularity(graph: csr_matrix, labels: Labels) -> float:
    """The share of weight within groups, beyond what rows with these weights would have by chance."""
    groups = int(labels.max()) + 1
    member = csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), labels)), (len(labels), groups))
    within = float((member.T @ graph @ member).diagonal().sum())
    total = float(graph.sum())
    ends = member.T @ np.asarray(graph.sum(1)).ravel()
    return within / total - float((ends**2).sum()) / total**2
