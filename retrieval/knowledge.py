"""Articles -> passages -> a searchable index, made with one encoder and refused by every other.

The index is a list of segments (`segment.py`) that are never changed: new and changed articles make a new segment,
removed ones are left out, and small segments are merged from time to time. `index.json` names the segments and is
replaced at once, so a reader sees the old index or the new one.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.articles import Article
from retrieval.blocks import units
from retrieval.conflicts import contradicting
from retrieval.errors import BadBundle, BadInput
from retrieval.files import locked, write_at_once
from retrieval.fusion import Asked, Evidence, Floats, Ints, Topics, best, same_text
from retrieval.lexical import bm25, bm25_of
from retrieval.relevance import Relevance, calibrate, features
from retrieval.segment import Entry, Segment
from retrieval.shelves import Encode, shelve
from retrieval.types import Passage, Vector
from retrieval.words import stems

log = logging.getLogger(__name__)

SCHEMA = "knowledge/2"
FILE = "index.json"
CANDIDATES = 60
TOPICS = 5  # whose passages are all candidates
GROWTH = 2  # a segment is merged with newer ones that are together at least half as large
ROOM = 0.3  # share of removed articles from which a segment is written anew


@dataclass(frozen=True, slots=True)
class Filter:
    """`language` and `tags` leave out articles of another language or without any of the tags; an article without a
    language is in all of them. `on` is an ISO date on which articles have to be valid; "" is today."""

    language: str = ""
    tags: frozenset[str] = frozenset()
    on: str = ""

    def allows(self, entry: Entry, today: str) -> bool:
        on = self.on or today
        return (
            (not self.language or entry.language in ("", self.language))
            and (not self.tags or not self.tags.isdisjoint(entry.tags))
            and (not entry.valid_from or entry.valid_from <= on)
            and (not entry.valid_until or on <= entry.valid_until)
        )


@dataclass(frozen=True, eq=False)
class Found:
    """Candidates best first: their numbers through all segments, articles and topics, evidence and scores."""

    numbers: Ints
    articles: Ints
    evidence: Evidence
    scores: Floats


class KnowledgeIndex:
    """Built with `build`, searched by any number of threads. `articles` maps an article to its hash."""

    def __init__(
        self,
        segments: Sequence[Segment],
        alive: Sequence[NDArray[np.bool_]],
        *,
        encoder_id: str,
        dimension: int,
        relevance: Relevance | None = None,
    ) -> None:
        self.segments = tuple(segments)
        self.alive = tuple(alive)
        self.encoder_id = encoder_id
        self.dimension = dimension
        self.articles = {entry.id: entry.hash for entry in self._entries()}
        self._first_passage = np.cumsum([0, *(len(segment.texts) for segment in segments)])
        self._first_article = np.cumsum([0, *(len(segment.entries) for segment in segments)])
        self._masks: dict[tuple[Filter, str], NDArray[np.bool_]] = {}
        self.relevance = relevance or calibrate(self)

    def _entries(self) -> Iterator[Entry]:
        for segment, alive in zip(self.segments, self.alive, strict=True):
            yield from (entry for entry, kept in zip(segment.entries, alive, strict=True) if kept)

    @classmethod
    def build(
        cls, articles: Sequence[Article], encode: Encode, *, encoder_id: str, previous: KnowledgeIndex | None = None
    ) -> KnowledgeIndex:
        """`encode(texts)` gives (n, d) float32 rows of length one. `previous` lends the rows of unchanged articles."""
        wanted = {article.id: article for article in articles}
        segments: list[Segment] = []
        alive: list[NDArray[np.bool_]] = []
        if previous is not None and previous.encoder_id == encoder_id:
            for segment, was in zip(previous.segments, previous.alive, strict=True):
                same = [(a := wanted.get(e.id)) is not None and a.hash == e.hash for e in segment.entries]
                kept = was & np.array(same, bool)
                if kept.any():
                    segments.append(segment)
                    alive.append(kept)
        known = {s.entries[at].id for s, kept in zip(segments, alive, strict=True) for at in np.flatnonzero(kept)}
        new = [shelve(article) for id, article in wanted.items() if id not in known]
        if new:
            segments.append(Segment.build(new, encode))
            alive.append(np.ones(len(new), bool))
        segments, alive = _compacted(segments, alive)
        dimension = segments[0].vectors.shape[1] if segments else encode([]).shape[1]
        return cls(segments, alive, encoder_id=encoder_id, dimension=dimension)

    def __len__(self) -> int:
        return int(sum(np.diff(s.passages)[kept].sum() for s, kept in zip(self.segments, self.alive, strict=True)))

    def search(self, vector: Vector, asked: Asked | str, *, k: int = 5, only: Filter | None = None) -> list[Passage]:
        """The k best passages, best first, each with its score and its P(relevant); near copies are given once.

        `vector` (d,) is the encoded question alone; its conversation comes in with `asked`.
        """
        if vector.shape != (self.dimension,):
            raise BadInput(f"query vector has shape {vector.shape}, the index needs ({self.dimension},)")
        asked = Asked(asked) if isinstance(asked, str) else asked
        found = self.find(vector, asked, only=only)
        if not len(found.numbers):
            return []
        known = features(found)
        hits: list[Passage] = []
        for place, number in enumerate(found.numbers.tolist()):
            p = self.relevance.p(known[place], follows=asked.follows)
            passage = replace(self.passage(number), score=float(found.scores[place]), p_relevant=p)
            if not any(_copies(passage, hit) for hit in hits):
                hits.append(passage)
            if len(hits) == k:
                break
        return hits

    def find(
        self,
        vector: Vector,
        asked: Asked,
        *,
        only: Filter | None = None,
        without: Sequence[int] = (),
        instead: Mapping[int, tuple[float, float]] | None = None,
    ) -> Found:
        """All candidates of a question. To calibrate, `without` leaves out articles, and `instead` gives passages
        another cosine and share of the words; both are numbered through all segments."""
        allowed = self._allowed(only or Filter())
        if without:
            allowed = allowed.copy()
            allowed[list(without)] = False
        parts = [segment.postings for segment in self.segments]
        words = _all(bm25(parts, asked.fading))
        alone = _all(bm25(parts, dict.fromkeys(asked.turns[0], 1.0))) if asked.follows else words
        written, named = self._topics.written(asked), self._topics.named(asked)
        numbers = self._candidates(vector, words, written, named, allowed)
        text, question = self._closeness(vector, numbers)
        for number, (cosine, share) in (instead or {}).items():
            text[numbers == number], words[number], alone[number] = cosine, share, share
        topic = self._topic_of[self._article_of[numbers]]
        evidence = Evidence(text, question, words[numbers], alone[numbers], written[topic], named[topic])
        scores = evidence.score(follows=asked.follows)
        order = np.argsort(-scores, kind="stable")
        return Found(numbers[order], self._article_of[numbers[order]], evidence.at(order), scores[order])

    def cloze(self, part: int, number: int) -> tuple[Vector, Asked, int, tuple[float, float]]:
        """Cloze question `number` of a segment: its vector and words, its passage, and the cosine and the share of its
        words that the passage has without it."""
        segment = self.segments[part]
        vector, left = segment.cloze[number], segment.cloze[len(segment.cloze_of) + number]
        row, own = segment.cloze_of[number].tolist()
        first, last = segment.windows[own], segment.windows[own + 1]
        others = [at for at in range(int(first), int(last)) if at != row]
        cosine = max([float(left @ vector), *(segment.vectors[others] @ vector).tolist()])
        passage, asked = segment.texts[own], Asked(segment.sentences[number])
        rest = Counter(stems(f"{passage.title} {passage.heading} {passage.text}")) - Counter(stems(asked.text))
        share = bm25_of([s.postings for s in self.segments], asked.fading, list(rest.elements()))
        return vector, asked, own + int(self._first_passage[part]), (cosine, share)

    def use_gpu(self) -> bool:
        """Copy the segments to the GPU; False, with one line in the log, at the first that has to stay here."""
        return all(segment.index.use_gpu(segment.vectors) for segment in self.segments)

    def article_of(self, passage: int) -> int:
        return int(self._article_of[passage])

    def passage(self, number: int) -> Passage:
        segment = int(np.searchsorted(self._first_passage, number, side="right")) - 1
        return self.segments[segment].texts[number - int(self._first_passage[segment])]

    @cached_property
    def _article_of(self) -> Ints:
        """(p,) the article of each passage, both numbered through all segments."""
        return _all([s.article_of + start for s, start in zip(self.segments, self._first_article, strict=False)], int)

    @cached_property
    def _topic_of(self) -> Ints:
        """(a,) the topic of each article: its subject when another article has the same one, else its own."""
        entries = [entry for segment in self.segments for entry in segment.entries]
        count: dict[str, int] = defaultdict(int)
        for entry in entries:
            count[entry.subject] += 1
        topics: dict[str, int] = {}
        keys = (e.subject if e.subject and count[e.subject] > 1 else f"\0{n}" for n, e in enumerate(entries))
        return np.array([topics.setdefault(key, len(topics)) for key in keys], np.int64)

    @cached_property
    def _topics(self) -> Topics:
        names: dict[int, str] = {}
        entries = (entry for segment in self.segments for entry in segment.entries)
        for topic, entry in zip(self._topic_of.tolist(), entries, strict=True):
            names[topic] = entry.subject if topic in names else ""
        alive = _all(self.alive, bool)[self._article_of]
        of_passage = np.where(alive, self._topic_of[self._article_of], -1)
        cut = np.split(of_passage, self._first_passage[1:-1]) if self.segments else []
        return Topics([s.postings for s in self.segments], cut, [names[number] for number in range(len(names))])

    def _allowed(self, only: Filter) -> NDArray[np.bool_]:
        today = date.today().isoformat()
        mask = self._masks.get((only, today))
        if mask is None:
            parts = zip(self.segments, self.alive, strict=True)
            mask = _all([kept & [only.allows(e, today) for e in s.entries] for s, kept in parts], bool)
            if len(self._masks) > 100:
                self._masks.clear()
            self._masks[only, today] = mask
        return mask

    def _candidates(
        self, vector: Vector, words: Floats, written: Floats, named: Floats, allowed: NDArray[np.bool_]
    ) -> Ints:
        """The closest passages, those with the most of the words, and all of the likeliest topics."""
        open_ = allowed[self._article_of]
        near = self._nearest(vector, CANDIDATES)
        if open_[near].sum() < CANDIDATES // 2 and not open_.all():
            near = self._nearest(vector, 20 * CANDIDATES)
        if open_[near].sum() < CANDIDATES // 2 and open_.sum() <= 20_000:
            near = np.flatnonzero(open_)
        topics = np.unique(np.concatenate([best(written, TOPICS), best(named, TOPICS)]))
        about = np.flatnonzero(np.isin(self._topic_of, topics)[self._article_of])[: 20 * CANDIDATES]
        numbers: Ints = np.unique(np.concatenate([near, best(np.where(open_, words, 0), CANDIDATES), about]))
        return numbers[open_[numbers]]

    def _nearest(self, vector: Vector, most: int) -> Ints:
        found = []
        for segment, start in zip(self.segments, self._first_passage, strict=False):
            scores, rows = segment.index.search(vector[None, :], 4 * most)
            found.append((scores[0], segment.passage_of[rows[0][rows[0] >= 0]] + start))
        scores = np.concatenate([np.empty(0, np.float32), *(s[: len(n)] for s, n in found)])
        numbers = _all([n for _, n in found], int)
        order = numbers[np.argsort(-scores, kind="stable")]
        return order[np.sort(np.unique(order, return_index=True)[1])][:most]

    def _closeness(self, vector: Vector, numbers: Ints) -> tuple[Floats, Floats]:
        """Cosine of each passage's best window, and of its article's best question (NaN without one)."""
        text = np.empty(len(numbers), np.float32)
        question = np.full(len(numbers), np.nan, np.float32)
        owner = np.searchsorted(self._first_passage, numbers, side="right") - 1
        for part in np.unique(owner):
            segment, places = self.segments[part], np.flatnonzero(owner == part)
            own = numbers[places] - self._first_passage[part]
            text[places] = segment.best_of(segment.windows, own, vector)
            articles, back = np.unique(segment.article_of[own], return_inverse=True)
            question[places] = segment.best_of(segment.questions, articles, vector)[back]
        return text, question

    def save(self, directory: Path) -> None:
        """Write new segments, then replace the list at once, then delete segments that nothing names."""
        described = [
            {"name": s.name, "gone": np.flatnonzero(~kept).tolist(), "sha256": s.save(directory)}
            for s, kept in zip(self.segments, self.alive, strict=True)
        ]
        meta = {
            "schema": SCHEMA,
            "encoder_id": self.encoder_id,
            "dimension": self.dimension,
            "relevance": self.relevance.to_json(),
            "segments": described,
        }
        directory.mkdir(parents=True, exist_ok=True)
        write_at_once(directory / FILE, json.dumps(meta))
        named = {segment.name for segment in self.segments}
        for path in directory.iterdir():
            if path.is_dir() and path.name not in named:
                shutil.rmtree(path, ignore_errors=True)

    @classmethod
    def load(cls, directory: Path, *, encoder_id: str) -> KnowledgeIndex:
        """Raises BadBundle for another encoder's index, a damaged file, or rows that do not fit the passages."""
        path = directory / FILE
        if not path.is_file():
            raise BadBundle(f"{path} is not there; run 'deskhand knowledge sync'")
        try:
            return cls._from(json.loads(path.read_text("utf-8")), directory, encoder_id)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadBundle) as error:
            raise BadBundle(f"{path} cannot be read: {error}; 'deskhand knowledge sync' builds it again") from error

    @classmethod
    def _from(cls, meta: dict[str, Any], directory: Path, encoder_id: str) -> KnowledgeIndex:
        if meta["schema"] != SCHEMA:
            raise ValueError(f"its schema is {meta['schema']!r}, this version reads {SCHEMA!r}")
        if meta["encoder_id"] != encoder_id:
            raise ValueError(f"it was made with encoder {meta['encoder_id']!r}, not {encoder_id!r}")
        segments, alive = [], []
        for described in meta["segments"]:
            segments.append(Segment.load(directory / described["name"], described["sha256"]))
            kept = np.ones(len(segments[-1].entries), bool)
            kept[described["gone"]] = False
            alive.append(kept)
        relevance = Relevance.from_json(meta["relevance"])
        return cls(segments, alive, encoder_id=encoder_id, dimension=meta["dimension"], relevance=relevance)


@dataclass(frozen=True)
class Synced:
    """The index, and the ids of the articles that were encoded for it and that left it."""

    index: KnowledgeIndex
    encoded: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def sync(articles: Sequence[Article], root: Path, encode: Encode, *, encoder_id: str) -> Synced:
    """Bring the index of this encoder, kept in `root/<encoder_id>`, up to the articles. A damaged one is built again.

    Every encoder has its own directory, so that a bundle that is rolled back finds its index again. Of several
    processes one does the work; the others wait and load what it made.
    """
    directory = root / encoder_id
    with locked(directory):
        previous = None
        if (directory / FILE).is_file():
            try:
                previous = KnowledgeIndex.load(directory, encoder_id=encoder_id)
            except BadBundle as error:
                log.warning("knowledge index is built again: %s", error)
        before = previous.articles if previous else {}
        now = {article.id: article.hash for article in articles}
        if previous and before == now:
            return Synced(previous)
        index = KnowledgeIndex.build(articles, encode, encoder_id=encoder_id, previous=previous)
        index.save(directory)
    encoded = tuple(article.id for article in articles if before.get(article.id) != article.hash)
    return Synced(index, encoded, tuple(sorted(before.keys() - now.keys())))


def _copies(one: Passage, other: Passage) -> bool:
    """Near copies; not those that differ in what they say, such as two versions of a price list."""
    if not same_text(one.text, other.text):
        return False
    return not any(True for piece in units(one.text) for _ in contradicting(piece, one, [other]))


def _compacted(
    segments: Sequence[Segment], alive: Sequence[NDArray[np.bool_]]
) -> tuple[list[Segment], list[NDArray[np.bool_]]]:
    """Newest first, a segment joins the newer ones while it is at most `GROWTH` times as large, so that n articles that
    came one by one make about log n segments. One with much removed is written anew."""
    kept: list[tuple[Segment, NDArray[np.bool_]]] = []
    for segment, own in zip(segments, alive, strict=True):
        if own.mean() < 1 - ROOM:
            segment, own = segment.only(np.flatnonzero(own)), np.ones(int(own.sum()), bool)
        kept.append((segment, own))
        while len(kept) > 1 and len(kept[-2][0].vectors) <= GROWTH * len(kept[-1][0].vectors):
            pair = [s if a.all() else s.only(np.flatnonzero(a)) for s, a in kept[-2:]]
            joined = Segment.merged(pair)
            kept[-2:] = [(joined, np.ones(len(joined.entries), bool))]
    return [segment for segment, _ in kept], [own for _, own in kept]


def _all(parts: Sequence[NDArray[Any]], kind: Any = np.float32) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *parts])
