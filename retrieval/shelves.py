"""A shelf is what one article puts into the knowledge index: its passages, their rows, and its cloze questions.

A passage has one row for every window of about `WINDOW` words, headed by the article's title and the passage's
heading: a passage of 180 words is longer than the encoder reads, and a question is answered by a sentence or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.articles import Article
from retrieval.blocks import count_words, units
from retrieval.passages import drafts
from retrieval.types import Matrix, Passage

Encode = Callable[[Sequence[str]], Matrix]

WINDOW = 60  # words
CLOZE = 2  # sentences of a passage that ask for it, to calibrate


@dataclass(frozen=True)
class Shelf:
    """What one article puts into the index. `owner` (n,) is the passage of each of its rows (n, d).

    `asked` and `left` (c, d) are the cloze questions and what their rows were without them, `rows` (c,) those rows.
    """

    article: str
    hash: str
    passages: tuple[Passage, ...]
    vectors: Matrix
    owner: NDArray[np.int64]
    asked: Matrix
    left: Matrix
    rows: NDArray[np.int64]


def shelve(article: Article, encode: Encode) -> Shelf:
    passages: list[Passage] = []
    texts: list[str] = []
    owner: list[int] = []
    cloze: list[tuple[str, str, int]] = []
    for number, draft in enumerate(drafts(article)):
        head = f"{article.title}. {draft.heading}. " if draft.heading else f"{article.title}. "
        id, url = f"{article.id}#{number}", article.url
        passages.append(Passage(id, article.id, article.title, draft.heading, draft.text, url, 0.0, 0.0))
        windows = list(_windows(units(draft.text)))
        cloze += list(_cloze(head, windows, first_row=len(texts)))
        owner += [number] * len(windows)
        texts += [head + " ".join(window) for window in windows]
    vectors = encode([*texts, *(asked for asked, _, _ in cloze), *(left for _, left, _ in cloze)])
    rows, asked, left = np.split(vectors, [len(texts), len(texts) + len(cloze)])
    numbers = np.array([row for _, _, row in cloze], np.int64)
    return Shelf(
        article.id, article.hash, tuple(passages), rows, np.array(owner, np.int64), asked, left, numbers
    )


def _windows(pieces: Sequence[str]) -> Iterator[list[str]]:
    """Runs of whole pieces of about `WINDOW` words."""
    window: list[str] = []
    size = 0
    for piece in pieces:
        words = count_words(piece)
        if window and size + words > WINDOW:
            yield window
            window, size = [], 0
        window.append(piece)
        size += words
    yield window


def _cloze(head: str, windows: Sequence[list[str]], *, first_row: int) -> Iterator[tuple[str, str, int]]:
    """(sentence, its window without it, the window's row) for the first sentences that say something."""
    taken = 0
    for row, window in enumerate(windows, first_row):
        for place, piece in enumerate(window):
            if taken < CLOZE and "\n" not in piece and 6 <= count_words(piece) <= 40 and len(window) > 1:
                rest = window[:place] + window[place + 1 :]
                yield piece, head + " ".join(rest), row
                taken += 1


def describe(shelf: Shelf) -> dict[str, Any]:
    passages = [asdict(passage) for passage in shelf.passages]
    return {
        "article": shelf.article,
        "hash": shelf.hash,
        "vectors": len(shelf.vectors),
        "cloze": len(shelf.rows),
        "passages": passages,
    }


def restore(described: Sequence[dict[str, Any]], arrays: dict[str, NDArray[Any]]) -> Iterator[Shelf]:
    v = c = 0
    for data in described:
        rows, cloze = slice(v, v + data["vectors"]), slice(c, c + data["cloze"])
        passages = tuple(Passage(**passage) for passage in data["passages"])
        shelf = Shelf(
            data["article"], data["hash"], passages, arrays["vectors"][rows], arrays["owner"][rows],
            arrays["asked"][cloze], arrays["left"][cloze], arrays["rows"][cloze],
        )  # fmt: skip
        if len(shelf.vectors) != data["vectors"] or set(shelf.owner.tolist()) != set(range(len(passages))):
            raise ValueError(f"the rows of article {shelf.article!r} do not fit its passages")
        yield shelf
        v, c = rows.stop, cloze.stop
    if (v, c) != (len(arrays["vectors"]), len(arrays["rows"])):
        raise ValueError(f"it has {len(arrays['vectors'])} rows, its articles name {v}")
