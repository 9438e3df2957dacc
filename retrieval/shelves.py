"""A shelf is what one article puts into the knowledge index: its passages, their rows, words, and cloze questions.

A passage has one row for every window of about `WINDOW` words, headed by the article's title and the passage's
heading: a passage of 180 words is longer than the encoder reads, and a question is answered by a sentence or two.
An article whose title is a question, or that has other wordings of one, has a row for each of these, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.articles import Article
from retrieval.blocks import count_words, units
from retrieval.passages import drafts
from retrieval.types import Matrix, Passage
from retrieval.words import stems

Encode = Callable[[Sequence[str]], Matrix]

WINDOW = 60  # words
CLOZE = 2  # sentences of an article that ask for it, to calibrate


@dataclass(frozen=True)
class Cloze:
    """A sentence of passage `passage` that asks for it; `left` is the window `row` of the article without it."""

    text: str
    left: str
    row: int
    passage: int


@dataclass(frozen=True)
class Shelf:
    """`windows[p]` are the window texts of passage p; `questions` are the article's own question and its wordings."""

    article: Article
    passages: tuple[Passage, ...]
    windows: tuple[tuple[str, ...], ...]
    questions: tuple[str, ...]
    words: tuple[list[str], ...]
    cloze: tuple[Cloze, ...]


def shelve(article: Article) -> Shelf:
    passages: list[Passage] = []
    windows: list[tuple[str, ...]] = []
    cloze: list[Cloze] = []
    for number, draft in enumerate(drafts(article)):
        head = f"{article.title}. {draft.heading}. " if draft.heading else f"{article.title}. "
        cut = list(_windows(units(draft.text)))
        first = sum(len(own) for own in windows)
        cloze += [Cloze(text, head + left, first + at, number) for text, left, at in _cloze(cut)][: CLOZE - len(cloze)]
        windows.append(tuple(head + " ".join(window) for window in cut))
        passages.append(_passage(article, number, draft.heading, draft.text))
    asked = (article.title,) if article.asks else ()
    words = tuple(stems(f"{one.title} {one.heading} {one.text}") for one in passages)
    return Shelf(article, tuple(passages), tuple(windows), (*asked, *article.questions), words, tuple(cloze))


def passages(article: Article) -> list[Passage]:
    """What an article becomes in the index."""
    return list(shelve(article).passages)


def _passage(article: Article, number: int, heading: str, text: str) -> Passage:
    return Passage(
        f"{article.id}#{number}",
        article.id,
        article.title,
        heading,
        text,
        article.url,
        score=0.0,
        p_relevant=0.0,
        language=article.language,
        tags=article.tags,
        updated=article.updated,
        valid_from=article.valid_from,
        valid_until=article.valid_until,
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


def _cloze(windows: Sequence[list[str]]) -> Iterator[tuple[str, str, int]]:
    """(sentence, its window without it, the window's number) of sentences that say something."""
    for number, window in enumerate(windows):
        for place, piece in enumerate(window):
            if "\n" not in piece and 6 <= count_words(piece) <= 40 and len(window) > 1:
                yield piece, " ".join(window[:place] + window[place + 1 :]), number


def rows(shelves: Sequence[Shelf], encode: Encode) -> tuple[Matrix, Matrix]:
    """The rows of the windows and questions, in the order of `segment.Segment`, and those of the cloze questions:
    first all sentences, then all windows without them."""
    texts = [text for shelf in shelves for windows in shelf.windows for text in windows]
    texts += [text for shelf in shelves for text in shelf.questions]
    cloze = [one for shelf in shelves for one in shelf.cloze]
    vectors = encode([*texts, *(one.text for one in cloze), *(one.left for one in cloze)])
    return np.split(vectors, [len(texts)])  # type: ignore[return-value]
