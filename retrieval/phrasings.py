"""How customers put the questions that FAQ entries answer: requests whose mined answer says what an entry says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrieval.articles import Article
from retrieval.shelves import Encode

SAME = 0.75  # cosine of a mined answer and an entry's text
MOST = 20  # wordings of one entry


def learned(
    articles: Sequence[Article], answers: Sequence[str], requests: Sequence[tuple[int, str]], encode: Encode
) -> dict[str, list[str]]:
    """Article id -> wordings, from requests (number of the mined answer, text). A mined answer belongs to the entry
    whose text it is closest to, if it is close at all; of its requests those that differ most count."""
    entries = [article for article in articles if article.asks]
    if not entries or not answers:
        return {}
    similar = encode([article.markdown for article in entries]) @ encode(list(answers)).T
    owner = {
        number: int(similar[:, number].argmax()) for number in range(len(answers)) if similar[:, number].max() >= SAME
    }
    found: dict[str, list[str]] = {}
    for number, text in requests:
        if number in owner:
            found.setdefault(entries[owner[number]].id, []).append(text)
    return {id: _various(list(dict.fromkeys(texts)), encode) for id, texts in found.items()}


def _various(texts: list[str], encode: Encode) -> list[str]:
    """At most `MOST`, each the farthest from those before it, beginning with the most typical."""
    if len(texts) <= MOST:
        return texts
    vectors = encode(texts)
    chosen = [int((vectors @ vectors.mean(axis=0)).argmax())]
    closest = vectors @ vectors[chosen[0]]
    while len(chosen) < MOST:
        chosen.append(int(closest.argmin()))
        closest = np.maximum(closest, vectors @ vectors[chosen[-1]])
    return [texts[number] for number in chosen]
