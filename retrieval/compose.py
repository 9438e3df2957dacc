"""Passages -> a grounded, cited reply. Pure and extractive: it picks sentences, lists and tables and keeps their words.

No language model: small ones contradict the text that they were given. Every piece of a reply stands in a passage
letter by letter, lists and tables are whole, pieces keep the order of their passage, and a passage is cited only when
a piece of it is used.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retrieval.blocks import count_words, units
from retrieval.conflicts import Conflict, contradicting
from retrieval.types import Passage
from retrieval.words import stems

LIMIT = 60  # words; one list or table may be longer
SOURCES = 2

# The first piece is weighed by the share of the question that it covers, and by these; measured in docs/knowledge.md.
OPENING = 0.1  # it opens its passage
RELEVANT = 0.5  # times the passage's P(relevant)
# A further piece is weighed by the share that nobody covered before.
NEXT = 0.2  # it follows a piece that was picked
ENOUGH = 0.15  # what a further piece needs

_LEANS = re.compile(
    r"(it|its|they|their|them|this|that|these|those|then|however|otherwise|instead|in that case|after that|also|but|and"
    r"|so|if not|if so|such|both)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Composed:
    """`text` for a chat, plain; `passages` are those that it was taken from, in the order of their pieces. `conflicts`
    are what they contradict each other in."""

    text: str
    passages: tuple[Passage, ...]
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True)
class _Piece:
    source: int
    place: int
    text: str
    stems: frozenset[str]


def compose(question: str, passages: Sequence[Passage], *, limit: int = LIMIT) -> Composed | None:
    """The pieces of `passages` (best first) that answer the question, in at most about `limit` words.

    None when the passages hold no text. At most two passages are used, the second only for words of the question that
    the first does not have. What another of the passages says against a piece is added and cited, too, and then the
    newest comes first.
    """
    used = passages[:SOURCES]
    pieces = [
        _Piece(source, place, text, frozenset(stems(text)))
        for source, passage in enumerate(used)
        for place, text in enumerate(units(passage.text))
    ]
    if not pieces:
        return None
    asked = _weights(question, pieces)
    heads = [frozenset(stems(f"{passage.title} {passage.heading}")) for passage in used]
    picked = _pick(pieces, asked, heads, [passage.p_relevant for passage in used], limit)
    against, conflicts = _against(picked, passages)
    sources = list(range(len(passages)))
    if conflicts:
        sources.sort(key=lambda source: passages[source].updated, reverse=True)
        picked = [*picked, *against]
    picked.sort(key=lambda piece: (sources.index(piece.source), piece.place))
    cited = dict.fromkeys(piece.source for piece in picked)
    return Composed(_join(picked), tuple(passages[source] for source in cited), conflicts)


def _against(picked: Sequence[_Piece], passages: Sequence[Passage]) -> tuple[list[_Piece], tuple[Conflict, ...]]:
    """The pieces that contradict those that were picked."""
    found: dict[tuple[int, int], _Piece] = {}
    conflicts = []
    taken = {(piece.source, piece.place) for piece in picked}
    for piece in picked:
        for passage, place, conflict in contradicting(piece.text, passages[piece.source], passages):
            source = passages.index(passage)
            conflicts.append(conflict)
            if (source, place) not in taken:
                text = units(passage.text)[place]
                found[source, place] = _Piece(source, place, text, frozenset(stems(text)))
    return list(found.values()), tuple(dict.fromkeys(conflicts))


def _weights(question: str, pieces: Sequence[_Piece]) -> dict[str, float]:
    """The question's content words; one that few pieces hold says more about which piece answers."""
    frequency = Counter(stem for piece in pieces for stem in piece.stems)
    return {stem: math.log(1 + len(pieces) / (1 + frequency[stem])) for stem in stems(question)}


def _pick(
    pieces: Sequence[_Piece],
    asked: dict[str, float],
    heads: Sequence[frozenset[str]],
    sure: Sequence[float],
    limit: int,
) -> list[_Piece]:
    total = sum(asked.values()) or 1.0

    def share(piece: _Piece, covered: frozenset[str] = frozenset()) -> float:
        return sum(weight for stem, weight in asked.items() if stem in piece.stems and stem not in covered) / total

    first = max(pieces, key=lambda one: share(one) + OPENING * (one.place == 0) + RELEVANT * sure[one.source])
    picked = _leaning(first, pieces, limit) or [first]
    while True:
        covered = heads[first.source].union(*(one.stems for one in picked))
        room = limit - sum(count_words(one.text) for one in picked)
        further = [
            (share(one, covered) + NEXT * _follows(one, picked), chain)
            for one in pieces
            if one not in picked and (chain := _leaning(one, pieces, room, picked))
        ]
        best, chain = max(further, key=lambda item: item[0], default=(0.0, []))
        if best < ENOUGH:
            return picked
        picked = [*picked, *chain]


def _follows(piece: _Piece, picked: Sequence[_Piece]) -> bool:
    return any((piece.source, piece.place - 1) == (one.source, one.place) for one in picked)


def _leaning(piece: _Piece, pieces: Sequence[_Piece], room: int, picked: Sequence[_Piece] = ()) -> list[_Piece]:
    """The piece, after those that it leans on ("It takes five days" says nothing alone); empty when `room` is less."""
    at = pieces.index(piece)
    chain = [piece]
    while pieces[at].place and _LEANS.match(pieces[at].text) and pieces[at - 1] not in picked:
        at -= 1
        chain.insert(0, pieces[at])
    return chain if sum(count_words(one.text) for one in chain) <= room else []


def _join(pieces: Iterable[_Piece]) -> str:
    text = ""
    last: _Piece | None = None
    for piece in pieces:
        if last is not None:
            flows = last.source == piece.source and "\n" not in last.text + piece.text
            text += " " if flows else "\n"
        text += piece.text
        last = piece
    return text
