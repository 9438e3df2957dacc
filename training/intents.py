"""Intents from requests that nobody labelled: group them, name the groups, keep the rare ones apart.

Groups and their number are what many groupings agree on (`training.consensus`). What agents answered is a second view
of the same request: requests that are answered alike move together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from retrieval.types import Matrix
from training.cluster import Labels
from training.consensus import consensus

NOISE = -1
FEWEST = 3
"""Requests that make a kind: what fewer have in common is left unsorted."""
UNSORTED = "unsorted"
_WORD = re.compile(r"[^\W\d_][\w'’-]+")
_STOP = frozenset(
    """a about above after again all already also always am an and any are as at be because been before being but by can
    can't cannot could did didn't do does doesn't doing don't down during each even ever few first for from further get
    getting give go going gonna got had has have haven't having he hello help her here hers hey hi him his how how's i
    i'd i'll i'm i've if in into is isn't it it's its itself just know let like long look looking made make me more most
    much my myself need needed no nor not now of off ok okay on once one only or other our out over own please pls
    question really regarding right said same say see seems she should since so some something still such sure tell
    than thank thanks that that's the their them then there there's these they they're thing this those through thus to
    today too trying try two under until up us use using very via wait wanna want wanted wants was wasn't way we we're
    well went were what what's when where where's which while who whom why will wish with won't wonder wondering would
    yes yet you you're your yours u im ive dont cant guys hope quick anyone someone might may possible""".split()
)


def grouped(vectors: Matrix, *, least: int, most: int, seed: int) -> Labels:
    """Group numbers (n,), the largest first; `NOISE` for rows that are like fewer than two others."""
    labels = consensus(vectors, least=least, most=most, seed=seed)
    sizes = np.bincount(labels)
    return np.where(sizes[labels] < FEWEST, NOISE, labels)


def name_groups(texts: Sequence[str], labels: Labels) -> list[str]:
    """A readable, distinct name for each group number, from the phrases that set its texts apart (class tf-idf)."""
    groups = int(labels.max()) + 1 if len(labels) else 0
    counts: list[Counter[str]] = [Counter() for _ in range(groups)]
    for text, label in zip(texts, labels.tolist(), strict=True):
        if label != NOISE:
            counts[label].update(set(_phrases(text)))
    spread = Counter(phrase for count in counts for phrase in count)
    sizes = np.bincount(labels[labels != NOISE], minlength=groups)
    names: list[str] = []
    for label, count in enumerate(counts):
        names.append(_distinct(_name(count, int(sizes[label]), spread, groups), names))
    return names


def _name(count: Counter[str], size: int, spread: Counter[str], groups: int) -> str:
    """The phrase that most of a group's texts share and few other groups have, and the best word beside it."""
    common = {phrase for phrase, n in count.items() if n >= max(2, 0.1 * size)} or set(count)

    def weight(phrase: str) -> float:
        share = count[phrase] / size
        longer = 1.0 + 0.6 * phrase.count(" ")
        return float(share * np.log(1 + groups / spread[phrase]) * longer)

    ranked = sorted(common, key=lambda phrase: (-weight(phrase), phrase))
    if not ranked:
        return "other"
    best = ranked[0]
    stems = {word[:4] for word in best.split()}
    other = next((p for p in ranked[1:] if not stems & {word[:4] for word in p.split()}), "")
    if " " in best and (not other or weight(other) <= 0.7 * weight(best)):
        other = ""
    return "_".join(f"{best} {other}".split()[:4])


def _phrases(text: str) -> list[str]:
    """Single words and pairs of neighbouring words without stop words."""
    words = [w.lower().replace("’", "'") for w in _WORD.findall(re.sub(r"<[A-Z_0-9]+>", " ", text))]
    kept = [(i, w) for i, w in enumerate(words) if w not in _STOP and len(w) > 2]
    pairs = [f"{a} {b}" for (i, a), (j, b) in pairwise(kept) if j - i <= 2 and a[:4] != b[:4]]
    return [w for _, w in kept] + pairs


def _distinct(name: str, taken: Sequence[str]) -> str:
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique
