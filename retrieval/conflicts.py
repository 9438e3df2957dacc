"""Articles that contradict each other: two sentences with nearly the same words, but another number, price or date, or
one says no where the other says yes.

Only what can be explained is reported: a person sees both sentences and what differs. Contradictions in other words are
not found. Two articles whose titles name different things may well say different things ("Delivery in Italy", "Delivery
in Norway"); such pairs are `elsewhere`.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from retrieval.articles import Article
from retrieval.blocks import count_words, units
from retrieval.facts import NUMBER_WORDS, denies, numbers
from retrieval.passages import drafts
from retrieval.types import Passage
from retrieval.words import stems

SHARED = 0.75  # of the words of the longer sentence; the shorter one has to have none of its own
LEAST = 3  # words
LONGEST = 60  # words; lists and tables are many statements
RARE = 2  # words by which a sentence is looked up
CROWD = 50  # sentences with the same rare word; more of them are a form, not a statement
_DATES = frozenset(
    stems(
        "january february march april june july august september october november december "
        "monday tuesday wednesday thursday friday saturday sunday"
    )
)
_NUMBER_STEMS = frozenset(stem for word in NUMBER_WORDS for stem in stems(word))
_FILLERS = frozenset(stems("note also now currently generally usually normally simply"))
_CONDITION = re.compile(r"\b(?:if|unless|when|once|until|except|where)\b", re.IGNORECASE)
_FOOTNOTE = re.compile(r"\[\s*\d+\s*\]")
_OPPOSITES = [
    {first, second}
    for first, second in (
        (stems(a)[0], stems(b)[0])
        for a, b in (
            ("open", "closed"),
            ("accept", "refuse"),
            ("include", "exclude"),
            ("allowed", "forbidden"),
            ("possible", "impossible"),
            ("before", "after"),
            ("minimum", "maximum"),
        )
    )
]


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence and where it stands. `topic` is what the article is about, where it says so; `updated` and the
    validity are ISO dates or ""."""

    article: str
    title: str
    topic: str
    heading: str
    text: str
    updated: str = ""
    language: str = ""
    valid_from: str = ""
    valid_until: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """`what` differs, as in "30 / 60" or "yes / no". `elsewhere`: the titles name different things."""

    newer: Statement
    older: Statement
    what: str
    elsewhere: bool


class Said:
    """A sentence with what is compared."""

    def __init__(self, text: str) -> None:
        text = _FOOTNOTE.sub(" ", text)
        found = stems(text)
        self.dates = _DATES.intersection(found)
        self.words = frozenset(found) - self.dates - _NUMBER_STEMS - _FILLERS
        self.words = frozenset(word for word in self.words if not re.fullmatch(r"[\d.,:]+\w{0,3}", word))
        self.text = text

    @cached_property
    def exact(self) -> frozenset[str]:
        return frozenset(numbers(self.text)) | self.dates

    @cached_property
    def depends(self) -> bool:
        """Whether it holds on a condition, which may be the part that is denied."""
        return bool(_CONDITION.search(self.text))

    @cached_property
    def no(self) -> bool:
        return denies(self.text)

    def against(self, other: Said) -> str:
        """What differs between two sentences that otherwise say the same; "" when nothing does, or too much."""
        few, many = sorted((self.words, other.words), key=len)
        swapped = _swapped(self.words - other.words, other.words - self.words)
        if len(few) < LEAST or len(few & many) + bool(swapped) < max(SHARED * len(many), len(few)):
            return ""
        if swapped:
            return swapped
        own, others = self.exact - other.exact, other.exact - self.exact
        if own and others:
            return f"{', '.join(sorted(own))} / {', '.join(sorted(others))}"
        alike = not own and not others and len(many) - len(few) <= 1 and self.depends == other.depends
        if self.no != other.no and alike:
            return "no / yes" if self.no else "yes / no"
        return ""


def _swapped(own: frozenset[str], others: frozenset[str]) -> str:
    if len(own) == len(others) == 1 and own | others in _OPPOSITES:
        return f"{min(own)} / {min(others)}"
    return ""


def statements(articles: Iterable[Article]) -> Iterator[Statement]:
    for article in articles:
        for draft in drafts(article):
            for text in units(draft.text):
                if "\n" not in text and count_words(text) <= LONGEST:
                    yield Statement(
                        article.id,
                        article.title,
                        article.topic,
                        draft.heading,
                        text,
                        article.updated,
                        article.language,
                        article.valid_from,
                        article.valid_until,
                    )


def conflicts(articles: Iterable[Article]) -> list[Conflict]:
    """All of them, those under titles that name the same thing first."""
    known = list(statements(articles))
    said = [Said(one.text) for one in known]
    found: dict[tuple[int, int], Conflict] = {}
    for first, second in _candidates(said):
        one, other = known[first], known[second]
        if one.article == other.article or not _together(one, other):
            continue
        if what := said[first].against(said[second]):
            found[first, second] = _conflict(one, other, what)
    return sorted(found.values(), key=lambda one: (one.elsewhere, one.newer.article, one.older.article))


def contradicting(piece: str, where: Passage, others: Iterable[Passage]) -> Iterator[tuple[Passage, int, Conflict]]:
    """What passages of other articles say against a piece of a passage, and at which of their places it stands. Pairs
    whose titles name different things are left out."""
    said, own = Said(piece), _statement(where, piece)
    for other in others:
        for place, text in enumerate(units(other.text) if other.article != where.article else ()):
            theirs = _statement(other, text)
            what = said.against(Said(text)) if "\n" not in piece + text and _together(own, theirs) else ""
            if what and not (found := _conflict(own, theirs, what)).elsewhere:
                yield other, place, found


def _statement(passage: Passage, text: str) -> Statement:
    return Statement(
        passage.article,
        passage.title,
        "",
        passage.heading,
        text,
        passage.updated,
        passage.language,
        passage.valid_from,
        passage.valid_until,
    )


def _candidates(said: Sequence[Said]) -> Iterator[tuple[int, int]]:
    """Pairs that share one of the rarest words of each; a sentence with nothing exact can only say no."""
    frequency = Counter(word for one in said for word in one.words)
    by_word: dict[str, list[int]] = defaultdict(list)
    seen: set[tuple[int, int]] = set()
    for number, one in enumerate(said):
        if len(one.words) < LEAST:
            continue
        most = len(one.words) - math.ceil(SHARED * len(one.words)) + RARE
        for word in sorted(one.words, key=lambda word: (frequency[word], word))[:most]:
            for other in by_word[word][-CROWD:]:
                if (other, number) not in seen:
                    seen.add((other, number))
                    yield other, number
            by_word[word].append(number)


def _together(one: Statement, other: Statement) -> bool:
    """Whether both are about one thing, for one reader, on one day."""
    return (
        (not one.topic or not other.topic or one.topic == other.topic)
        and (not one.language or not other.language or one.language == other.language)
        and (not one.valid_until or not other.valid_from or other.valid_from <= one.valid_until)
        and (not other.valid_until or not one.valid_from or one.valid_from <= other.valid_until)
    )


def _conflict(one: Statement, other: Statement, what: str) -> Conflict:
    if other.updated > one.updated:
        one, other = other, one
        what = " / ".join(reversed(what.split(" / ")))
    mine, theirs = (set(stems(f"{side.title} {side.heading}")) for side in (one, other))
    shared = set(stems(one.text)) & set(stems(other.text))
    return Conflict(one, other, what, elsewhere=bool(mine - theirs - shared) and bool(theirs - mine - shared))
