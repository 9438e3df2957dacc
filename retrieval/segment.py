"""A segment: articles that were indexed together, never changed afterwards. On disk it is a directory of plain arrays
that processes map and share; an article that is changed or removed is left out by the index (`knowledge.py`)."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.articles import Article
from retrieval.errors import BadBundle
from retrieval.index import Index
from retrieval.lexical import Postings, ranges
from retrieval.shelves import Encode, Shelf, rows
from retrieval.types import Matrix, Passage, Vector

Ints = NDArray[np.int64]


class Entry(NamedTuple):
    """What searching needs to know of an article without its text."""

    id: str
    hash: str
    title: str
    subject: str
    language: str
    tags: tuple[str, ...]
    valid_from: str
    valid_until: str


class Texts:
    """Passages as JSON lines in one buffer; `offsets` (p + 1,) are where they begin."""

    def __init__(self, buffer: Any, offsets: Ints) -> None:
        self._buffer = buffer
        self._offsets = offsets

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> Texts:
        lines = [json.dumps(asdict(passage), ensure_ascii=False).encode() + b"\n" for passage in passages]
        return cls(b"".join(lines), np.cumsum([0, *(len(line) for line in lines)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def raw(self, number: int) -> bytes:
        return bytes(self._buffer[self._offsets[number] : self._offsets[number + 1]])

    def __getitem__(self, number: int) -> Passage:
        data = json.loads(self.raw(number))
        return Passage(**{**data, "tags": tuple(data["tags"])})


@dataclass(frozen=True, eq=False)
class Segment:
    """`vectors` (n, d) are the windows, ordered by passage, then the questions, ordered by article. `windows` (p + 1,)
    and `questions` (a + 1,) say where those of a passage or an article begin, `passages` (a + 1,) its passages.

    `cloze` (2c, d) are the `sentences`, then their windows without them; `cloze_of` (c, 2) their window and passage.
    """

    entries: tuple[Entry, ...]
    texts: Texts
    vectors: Matrix
    windows: Ints
    questions: Ints
    passages: Ints
    postings: Postings
    cloze: Matrix
    cloze_of: Ints
    sentences: tuple[str, ...]

    @classmethod
    def build(cls, shelves: Sequence[Shelf], encode: Encode) -> Segment:
        vectors, cloze = rows(shelves, encode)
        windows = _starts(len(own) for shelf in shelves for own in shelf.windows)
        passages = _starts(len(shelf.passages) for shelf in shelves)
        first = passages[:-1]
        where = [
            (int(windows[start]) + one.row, int(start) + one.passage)
            for start, shelf in zip(first, shelves, strict=True)
            for one in shelf.cloze
        ]
        return cls(
            entries=tuple(_entry(shelf.article) for shelf in shelves),
            texts=Texts.of([passage for shelf in shelves for passage in shelf.passages]),
            vectors=vectors,
            windows=windows,
            questions=windows[-1] + _starts(len(shelf.questions) for shelf in shelves),
            passages=passages,
            postings=Postings.build([words for shelf in shelves for words in shelf.words]),
            cloze=cloze,
            cloze_of=np.array(where, np.int64).reshape(-1, 2),
            sentences=tuple(one.text for shelf in shelves for one in shelf.cloze),
        )

    @cached_property
    def index(self) -> Index:
        return Index.build(np.ascontiguousarray(self.vectors))

    @cached_property
    def article_of(self) -> Ints:
        """(p,) the article of each passage."""
        return np.repeat(np.arange(len(self.entries)), np.diff(self.passages))

    @cached_property
    def passage_of(self) -> Ints:
        """(n,) the passage of each row; a question leads to the first passage of its article."""
        own = np.repeat(np.arange(len(self.windows) - 1), np.diff(self.windows))
        asked = np.repeat(self.passages[:-1], np.diff(self.questions))
        return np.concatenate([own, asked])

    def best_of(self, starts: Ints, numbers: Ints, vector: Vector) -> NDArray[np.float32]:
        """For each number the best product of `vector` with the rows from starts[number] on; NaN when it has none."""
        sizes = starts[numbers + 1] - starts[numbers]
        scores = self.vectors[_ranges(starts, numbers)] @ vector
        out = np.full(len(numbers), np.nan, np.float32)
        if len(scores):
            out[sizes > 0] = np.maximum.reduceat(scores, (np.cumsum(sizes) - sizes)[sizes > 0])
        return out

    @cached_property
    def name(self) -> str:
        digest = hashlib.sha256(json.dumps(self.entries).encode())
        digest.update(np.ascontiguousarray(self.vectors).tobytes())
        return digest.hexdigest()[:24]

    def only(self, kept: Ints) -> Segment:
        """The same with these articles (sorted numbers)."""
        own = _ranges(self.passages, kept)
        lines = [self.texts.raw(int(number)) for number in own]
        sentences, left = np.split(self.cloze, 2)
        new_row = np.full(int(self.windows[-1]), -1)
        taken = _ranges(self.windows, own)
        new_row[taken] = np.arange(len(taken))
        new_passage = np.full(len(self.texts), -1)
        new_passage[own] = np.arange(len(own))
        asked = [number for number, (_, passage) in enumerate(self.cloze_of) if new_passage[passage] >= 0]
        of = np.array([(new_row[row], new_passage[passage]) for row, passage in self.cloze_of[asked]], np.int64)
        windows = _starts(np.diff(self.windows)[own])
        return Segment(
            entries=tuple(self.entries[number] for number in kept),
            texts=Texts(b"".join(lines), _starts(len(line) for line in lines)),
            vectors=self.vectors[np.concatenate([taken, _ranges(self.questions, kept)])],
            windows=windows,
            questions=windows[-1] + _starts(np.diff(self.questions)[kept]),
            passages=_starts(np.diff(self.passages)[kept]),
            postings=Postings.joined([self.postings], [new_passage], len(own)),
            cloze=np.concatenate([sentences[asked], left[asked]]),
            cloze_of=of.reshape(-1, 2),
            sentences=tuple(self.sentences[number] for number in asked),
        )

    @classmethod
    def merged(cls, parts: Sequence[Segment]) -> Segment:
        """One segment of several, nothing encoded again."""
        at_passage = _starts(len(part.texts) for part in parts)
        at_window = _starts(int(part.windows[-1]) for part in parts)
        sizes = [np.diff(part.windows) for part in parts]
        windows = _starts(np.concatenate(sizes))
        buffers = [part.texts.raw(number) for part in parts for number in range(len(part.texts))]
        halves = [np.split(part.cloze, 2) for part in parts]
        numbers = [np.arange(len(part.texts)) + start for part, start in zip(parts, at_passage[:-1], strict=True)]
        shifts = [np.array([row, passage]) for row, passage in zip(at_window[:-1], at_passage[:-1], strict=True)]
        return cls(
            entries=tuple(entry for part in parts for entry in part.entries),
            texts=Texts(b"".join(buffers), _starts(len(line) for line in buffers)),
            vectors=np.concatenate(
                [part.vectors[: part.windows[-1]] for part in parts]
                + [part.vectors[part.windows[-1] :] for part in parts]
            ),
            windows=windows,
            questions=windows[-1] + _starts(np.concatenate([np.diff(part.questions) for part in parts])),
            passages=_starts(np.concatenate([np.diff(part.passages) for part in parts])),
            postings=Postings.joined([part.postings for part in parts], numbers, int(at_passage[-1])),
            cloze=np.concatenate([half[0] for half in halves] + [half[1] for half in halves]),
            cloze_of=np.concatenate([part.cloze_of + shift for part, shift in zip(parts, shifts, strict=True)]),
            sentences=tuple(sentence for part in parts for sentence in part.sentences),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        own = ("vectors", "windows", "questions", "passages", "cloze", "cloze_of")
        found = {name: np.ascontiguousarray(getattr(self, name)) for name in own}
        return found | {f"postings_{name}": array for name, array in self.postings.arrays().items()}

    def save(self, root: Path) -> dict[str, str]:
        """Write the directory `root/<name>` at once, if it is not there; the sha256 of its files."""
        target = root / self.name
        if not (target / "sha256.json").is_file():
            root.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=root, prefix="."))
            try:
                self._write(scratch)
                shutil.rmtree(target, ignore_errors=True)
                os.replace(scratch, target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        sums: dict[str, str] = json.loads((target / "sha256.json").read_text())
        return sums

    def _write(self, directory: Path) -> None:
        for name, array in self.arrays().items():
            np.save(directory / f"{name}.npy", array, allow_pickle=False)
        described = {"entries": self.entries, "sentences": self.sentences}
        (directory / "articles.json").write_text(json.dumps(described, ensure_ascii=False), "utf-8")
        lines = b"".join(self.texts.raw(number) for number in range(len(self.texts)))
        (directory / "passages.jsonl").write_bytes(lines)
        np.save(directory / "offsets.npy", _starts(len(self.texts.raw(n)) for n in range(len(self.texts))))
        self.index.save(directory / "index.faiss")
        sums = {path.name: _sha256(path) for path in sorted(directory.iterdir())}
        for path in directory.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        (directory / "sha256.json").write_text(json.dumps(sums))

    @classmethod
    def load(cls, directory: Path, sums: dict[str, str]) -> Segment:
        """Maps the files. Raises ValueError or OSError when one is not what `sums` says or they do not fit together."""
        for name, expected in sums.items():
            if _sha256(directory / name) != expected:
                raise ValueError(f"the sha256 of {directory / name} differs")
        arrays = {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in directory.glob("*.npy")}
        offsets = arrays.pop("offsets")
        postings = {name.removeprefix("postings_"): arrays.pop(name) for name in list(arrays) if "postings_" in name}
        described = json.loads((directory / "articles.json").read_text("utf-8"))
        segment = cls(
            entries=tuple(_restored(row) for row in described["entries"]),
            texts=Texts(_mapped(directory / "passages.jsonl"), offsets),
            postings=Postings(**postings),
            sentences=tuple(described["sentences"]),
            **arrays,
        )
        segment.__dict__["index"] = Index.load(directory / "index.faiss", exact=segment.vectors)
        segment.__dict__["name"] = directory.name
        segment.check()
        return segment

    def check(self) -> None:
        counts = (len(self.index), len(self.passages) - 1, int(self.passages[-1]), len(self.postings.lengths))
        expected = (len(self.vectors), len(self.entries), len(self.texts), len(self.texts))
        if counts != expected or self.questions[-1] != len(self.vectors) or len(self.windows) - 1 != len(self.texts):
            raise BadBundle(f"segment {self.name}: its rows {counts} do not fit its articles {expected}")


def _entry(article: Article) -> Entry:
    return Entry(
        article.id,
        article.hash,
        article.title,
        article.topic,
        article.language,
        article.tags,
        article.valid_from,
        article.valid_until,
    )


def _restored(row: Sequence[Any]) -> Entry:
    values: list[Any] = [tuple(part) if isinstance(part, list) else part for part in row]
    return Entry(*values)


def _starts(sizes: Any) -> Ints:
    return np.cumsum([0, *sizes], dtype=np.int64)


def _ranges(starts: Ints, numbers: Ints) -> Ints:
    """The members of these parts, one after the other."""
    return ranges(starts[numbers], starts[numbers + 1] - starts[numbers])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mapped(path: Path) -> Any:
    if not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
