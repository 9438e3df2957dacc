"""Entities by a trained head on the encoder's token states: a small network over words, then a linear-chain CRF. Numpy.

A word is what the encoder says of its tokens (their mean) and what its letters say (`token_features`), both as small
vectors; the network sees it with two words on either side. The chain decides for the whole message, and only for tag
sequences that can be (BIO; Lample et al., arXiv 1603.01360). Fitted in training/token_head.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from retrieval.encoder import Encoder
from retrieval.entities import Recogniser
from retrieval.errors import BadBundle
from retrieval.token_features import Lexicon, Span, words
from retrieval.types import Entity, Matrix, Tokens, Vector

ARRAYS, NAMES = "entities.safetensors", "entities.json"
WEIGHTS = ("project", "letters", "hidden", "hidden_bias", "output", "output_bias", "moves", "first")
AROUND = 2
"""Words on either side that the network sees."""
NEVER = -1e4

Label = tuple[str, str | None, str | None]
"""Entity, role, group."""
Marked = Iterable[tuple[str, int, int]]


@dataclass(frozen=True)
class TokenHead:
    """`project` (d, k) brings token states down, `letters` (v, m) are the vectors of lexical features, `moves` (t, t)
    and `first` (t,) score one tag after another. Tag 0 is outside, 2i + 1 begins and 2i + 2 continues label i.

    `least` is the confidence below which a span is not told; `facts` say how good the head was on held-out examples.
    """

    labels: tuple[Label, ...]
    lexicon: Lexicon
    project: Matrix
    letters: Matrix
    hidden: Matrix
    hidden_bias: Vector
    output: Matrix
    output_bias: Vector
    moves: Matrix
    first: Vector
    least: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Of the token states it reads; 0 when it reads letters alone."""
        return len(self.project)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name, _, _ in self.labels)

    def find(self, text: str, marked: Marked, tokens: Tokens | None, aligned: Sequence[Span]) -> tuple[Entity, ...]:
        """`tokens` are projected states with spans in the text that was encoded, `aligned` the spans of `words(text)`
        in that text; None and () when the encoder tells no tokens."""
        spans = words(text)
        if not spans:
            return ()
        width = self.project.shape[1]
        states = pooled(tokens, aligned, width) if tokens else np.zeros((len(spans), width), np.float32)
        return self.decode(text, spans, self.scores(text, spans, marked, states))

    def scores(self, text: str, spans: Sequence[Span], marked: Marked, states: Matrix) -> Matrix:
        """(words, tags), from projected states (words, k)."""
        letters = np.zeros((len(spans), self.letters.shape[1]), np.float32)
        for row, numbers in enumerate(self.lexicon.numbers(text, spans, marked)):
            letters[row] = self.letters[numbers].sum(0)
        seen = windows(np.concatenate([states, letters], axis=1))
        return np.asarray(np.maximum(seen @ self.hidden + self.hidden_bias, 0) @ self.output + self.output_bias)

    def decode(self, text: str, spans: Sequence[Span], scores: Matrix) -> tuple[Entity, ...]:
        tags = best(scores, self.moves, self.first)
        sure = marginals(scores, self.moves, self.first)
        found = []
        for label, start, end in chunks(tags):
            name, role, group = self.labels[label]
            confidence = float(min(sure[i, tags[i]] for i in range(start, end)))
            begin, stop = spans[start][0], spans[end - 1][1]
            if confidence >= self.least:
                found.append(Entity(name, text[begin:stop], begin, stop, confidence, role, group))
        return tuple(found)

    def save(self, directory: Path) -> None:
        arrays = {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in WEIGHTS}
        save_file(arrays, directory / ARRAYS)
        said = {
            "labels": self.labels, "vocabulary": list(self.lexicon.vocabulary), "lookups": self.lexicon.lookups,
            "patterns": self.lexicon.patterns, "least": self.least, "facts": self.facts,
        }  # fmt: skip
        (directory / NAMES).write_text(json.dumps(said, ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def load(cls, directory: Path) -> TokenHead | None:
        """None when the bundle carries none. Raises BadBundle when what it carries cannot be one."""
        if not (directory / NAMES).is_file():
            return None
        try:
            said = json.loads((directory / NAMES).read_text("utf-8"))
            arrays = load_file(directory / ARRAYS)
            lexicon = Lexicon(
                {name: number for number, name in enumerate(said["vocabulary"])},
                {name: tuple(values) for name, values in said["lookups"].items()},
                {name: tuple(values) for name, values in said["patterns"].items()},
            )
            lexicon.check()
            labels = tuple((str(name), role, group) for name, role, group in said["labels"])
            weights = {name: arrays[name] for name in WEIGHTS}
            head = cls(labels, lexicon, **weights, least=float(said["least"]), facts=dict(said["facts"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"the entities of {directory.name} cannot be read: {error}"
            raise BadBundle(f"{what}; train again or roll back") from error
        if not head.fits():
            raise BadBundle(f"the entities of {directory.name} do not fit their names; train again or roll back")
        return head

    def fits(self) -> bool:
        tags, width = 2 * len(self.labels) + 1, self.project.shape[1] + self.letters.shape[1]
        inner = self.hidden.shape[1]
        shapes = {
            "letters": (len(self.lexicon.vocabulary), self.letters.shape[1]),
            "hidden": ((2 * AROUND + 1) * width, inner), "hidden_bias": (inner,), "output": (inner, tags),
            "output_bias": (tags,), "moves": (tags, tags), "first": (tags,),
        }  # fmt: skip
        return all(getattr(self, name).shape == shape for name, shape in shapes.items())


def find_entities(head: TokenHead, encoder: Encoder, recogniser: Recogniser, text: str) -> tuple[Entity, ...]:
    """What the head finds in a message; `encoder` has its projection. A text that was just encoded costs no second
    pass."""
    marked = [(one.name, one.start, one.end) for one in recogniser.find(text)]
    if not encoder.reads:
        return head.find(text, marked, None, ())
    (read,) = encoder.tokens([recogniser.mask(text)])
    return head.find(text, marked, read, recogniser.aligned(text, words(text)))


def pooled(tokens: Tokens, aligned: Sequence[Span], width: int) -> Matrix:
    """(words, width): the mean of the tokens that lie in each word; zeros for words beyond the encoder's reach."""
    out = np.zeros((len(aligned), width), np.float32)
    starts, ends = tokens.spans[:, 0], tokens.spans[:, 1]
    for row, (start, end) in enumerate(aligned):
        inside = (starts < end) & (ends > start)
        if inside.any():
            out[row] = tokens.states[inside].mean(0)
    return out


def windows(rows: Matrix) -> Matrix:
    """(n, w) -> (n, (2 AROUND + 1) w): each row with its neighbours, zeros beyond the ends."""
    padded = np.pad(rows, ((AROUND, AROUND), (0, 0)))
    return np.concatenate([padded[at : at + len(rows)] for at in range(2 * AROUND + 1)], axis=1)


def allowed(labels: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tag may follow which (t, t), and which may come first (t,): an entity goes on only after it began."""
    tags = 2 * labels + 1
    moves = np.ones((tags, tags), bool)
    for label in range(labels):
        inside = 2 * label + 2
        moves[:, inside] = False
        moves[[inside - 1, inside], inside] = True
    first = np.array([tag == 0 or tag % 2 == 1 for tag in range(tags)])
    return moves, first


def best(scores: Matrix, moves: Matrix, first: Vector) -> NDArray[np.int64]:
    """The most probable tag sequence (Viterbi)."""
    count = len(scores)
    back = np.zeros(scores.shape, np.int64)
    here = scores[0] + first
    for at in range(1, count):
        ways = here[:, None] + moves
        back[at] = ways.argmax(0)
        here = ways.max(0) + scores[at]
    tags = np.zeros(count, np.int64)
    tags[-1] = int(here.argmax())
    for at in range(count - 1, 0, -1):
        tags[at - 1] = back[at, tags[at]]
    return tags


def marginals(scores: Matrix, moves: Matrix, first: Vector) -> NDArray[np.float64]:
    """(words, tags): the probability of each tag over all sequences (forward-backward)."""
    ahead, behind = np.zeros(scores.shape, np.float64), np.zeros(scores.shape, np.float64)
    ahead[0] = scores[0] + first
    for at in range(1, len(scores)):
        ahead[at] = _sum(ahead[at - 1][:, None] + moves, 0) + scores[at]
    for at in range(len(scores) - 2, -1, -1):
        behind[at] = _sum(moves + (scores[at + 1] + behind[at + 1])[None, :], 1)
    whole = ahead + behind
    return np.asarray(np.exp(whole - _sum(whole, 1)[:, None]))


def _sum(logs: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    most = logs.max(axis=axis, keepdims=True)
    return np.asarray(np.log(np.exp(logs - most).sum(axis=axis)) + most.squeeze(axis))


def chunks(tags: Iterable[int]) -> list[tuple[int, int, int]]:
    """(label, first word, word after the last) of each entity in a sequence of tags."""
    found: list[tuple[int, int, int]] = []
    for at, tag in enumerate(tags):
        if tag % 2 == 1:
            found.append((int(tag) // 2, at, at + 1))
        elif tag:
            label, start, _ = found[-1]
            found[-1] = (label, start, at + 1)
    return found
