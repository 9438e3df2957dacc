"""Annotated messages -> the part of a bundle that finds entities, where it beats looking words up.

The head is judged on messages that it was not fitted on, beside what needs no training: the annotated words, looked up.
It goes into the bundle when it finds more there; the confidence from which it speaks is chosen on the same messages.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.encoder import Encoder
from retrieval.entities import Recogniser
from retrieval.errors import BadInput
from retrieval.token_features import Lexicon, words
from retrieval.token_head import TokenHead, find_entities
from retrieval.types import Entity, Tokens
from training.base import base_directory, with_base
from training.config import TrainingConfig
from training.encoder import seed_everything
from training.entity_scores import EntityScores
from training.export import with_tokens
from training.noise import Perturb, capitals, emoji, typos
from training.stages import Report, silent
from training.token_head import Message, fit, message
from training.write import Parts

LEAST = 8
"""Annotated messages below which nothing is fitted."""
FEW = 1500
FOLDS, HELD = 3, 0.15
WITH_EMOJI = 0.2
CHUNK = 512
CONFIDENCES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
NOISE: Sequence[Perturb] = (typos, typos, capitals, lambda text, rng: text.lower())

Annotated = tuple[str, tuple[Entity, ...]]


@dataclass(frozen=True)
class Annotations:
    """Messages with their entities (none is information, too), and the lookup tables and regular expressions of a
    desk: name -> entries."""

    messages: Sequence[Annotated] = ()
    lookups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)


NO_ANNOTATIONS = Annotations()


def with_entities(parts: Parts, annotations: Annotations, work: Path, *, seed: int, progress: Report = silent) -> Parts:
    """The parts with a token head and an encoder that tells tokens; as they are when there is too little to learn from,
    or the head finds no more than the words do."""
    annotated = sum(bool(entities) for _, entities in annotations.messages)
    if annotated < LEAST:
        if annotated:
            progress("entities", 1, 1, f"{annotated} annotated messages, and a head wants {LEAST}: words are looked up")
        return parts
    progress("entities", 0, 1, f"{annotated} annotated messages")
    directory = _reading(parts.encoder, work / "tokens")
    head = chosen(annotations, Encoder(directory, cache=0), Recogniser(parts.entities), seed=seed)
    facts = head.facts
    shares = (
        f"{facts['f1']:.1%} F1 on {facts['n']} messages that it had not seen, words looked up {facts['words_f1']:.1%}"
    )
    if facts["f1"] <= facts["words_f1"]:
        progress("entities", 1, 1, f"words are looked up: a trained head has {shares}")
        return parts
    progress("entities", 1, 1, f"found by a trained head: {shares}")
    return replace(parts, encoder=directory, tokens=head)


def train_entities(
    annotations: Annotations, config: TrainingConfig, work: Path, *, progress: Report = silent
) -> tuple[TokenHead, Encoder]:
    """A head alone, whatever it is worth, and the encoder with its projection: for measuring. BadInput without
    annotated messages."""
    if not any(entities for _, entities in annotations.messages):
        raise BadInput("no row has an entity; give rows like {\"text\": \"to Oslo\", \"entities\": [{\"entity\": "
                       "\"city\", \"start\": 3, \"end\": 7}]}")  # fmt: skip
    seed_everything(config.seed)
    config, _ = with_base(config, [text for text, _ in annotations.messages])
    directory = _reading(base_directory(config, work), work / "tokens")
    progress("entities", 0, 1, f"{len(annotations.messages)} messages")
    head = chosen(annotations, Encoder(directory, cache=0), Recogniser(config.mining.entities), seed=config.seed)
    return head, Encoder(directory, project=head.project)


def evaluate_entities(
    head: TokenHead, encoder: Encoder, recogniser: Recogniser, rows: Sequence[Annotated]
) -> dict[str, Any]:
    """The measures of `deskhand evaluate entities`; `p50_ms` is the pass through the encoder and the head, one text at
    a time."""
    scores, took = EntityScores(), []
    for text, gold in rows:
        start = time.perf_counter()
        found = find_entities(head, encoder, recogniser, text)
        took.append(1000 * (time.perf_counter() - start))
        scores.add(gold, found)
    p50 = float(np.median(took)) if took else None
    return {**scores.summary(), "p50_ms": p50, "n_test": len(rows), "least": head.least}


def _reading(encoder: Path, target: Path) -> Path:
    """An encoder directory that tells tokens; one that cannot, `multilingual`, stays as it is."""
    found = Encoder(encoder)
    if found.reads or not (encoder / "model.onnx").is_file():
        return encoder
    shutil.rmtree(target, ignore_errors=True)
    with_tokens(encoder, target)
    return target


def chosen(annotations: Annotations, encoder: Encoder, recogniser: Recogniser, *, seed: int) -> TokenHead:
    """A head fitted on everything; `least` and `facts` come from messages that other heads had not seen."""
    lookups, patterns = _tuples(annotations.lookups), _tuples(annotations.patterns)
    plain = list(dict.fromkeys((text, tuple(entities)) for text, entities in annotations.messages if text.strip()))
    read = [*readings(plain, encoder, recogniser), *readings(noisy(plain, seed=seed), encoder, recogniser)]
    clean, copies = read[: len(plain)], read[len(plain) :]
    found: dict[float, EntityScores] = {least: EntityScores() for least in CONFIDENCES}
    by_words = EntityScores()
    for held in _folds(clean, seed=seed):
        kept = [i for i in range(len(clean)) if i not in held]
        head = fit([one for i in kept for one in (clean[i], copies[i])], lookups=lookups, patterns=patterns, seed=seed)
        looked_up = Words([clean[i] for i in kept], lookups)
        for i in sorted(held):
            one = clean[i]
            spans = found_in(head, one)
            for least, scores in found.items():
                scores.add(one.entities, [span for span in spans if span.confidence >= least])
            by_words.add(one.entities, looked_up.find(one))
    least = max(CONFIDENCES, key=lambda value: (found[value].f1, -value))
    head = fit(read, lookups=lookups, patterns=patterns, seed=seed)
    facts = {"n": found[least].messages, "f1": found[least].f1, "words_f1": by_words.f1, "messages": len(plain)}
    return replace(head, least=least, facts=facts)


def found_in(head: TokenHead, one: Message) -> tuple[Entity, ...]:
    """What a head finds in a message whose states are not projected yet."""
    if not one.spans:
        return ()
    states = one.states.astype(np.float32) @ head.project
    return head.decode(one.text, one.spans, head.scores(one.text, one.spans, one.marked, states))


def readings(rows: Sequence[Annotated], encoder: Encoder, recogniser: Recogniser) -> list[Message]:
    """Messages as the head sees them in service: masked before they are encoded."""
    found: list[Message] = []
    for at in range(0, len(rows), CHUNK):
        part = rows[at : at + CHUNK]
        masked = [recogniser.mask(text) for text, _ in part]
        tokens: Sequence[Tokens | None] = encoder.tokens(masked) if encoder.reads else [None] * len(part)
        for (text, entities), own in zip(part, tokens, strict=True):
            marked = [(one.name, one.start, one.end) for one in recogniser.find(text)]
            found.append(message(text, entities, marked, own, recogniser.aligned(text, words(text))))
    return found


def noisy(rows: Sequence[Annotated], *, seed: int) -> list[Annotated]:
    """Each message once with typos, in capitals or in small letters, some with emoji behind."""
    rng = random.Random(seed)
    found = []
    for row in rows:
        text, entities = perturbed(row, rng.choice(NOISE), rng)
        found.append((emoji(text, rng) if rng.random() < WITH_EMOJI else text, entities))
    return found


def perturbed(row: Annotated, perturb: Perturb, rng: random.Random) -> Annotated:
    """The noise is made piece by piece, so that it is known where an entity went; overlapping ones are left out."""
    text, entities = row
    parts, found, at = [], [], 0
    for entity in sorted(entities, key=lambda one: (one.start, -one.end)):
        if entity.start < at:
            continue
        parts += [_piece(text[at : entity.start], perturb, rng), _piece(text[entity.start : entity.end], perturb, rng)]
        end = sum(map(len, parts))
        found.append(replace(entity, value=parts[-1], start=end - len(parts[-1]), end=end))
        at = entity.end
    return "".join([*parts, _piece(text[at:], perturb, rng)]), tuple(found)


def _piece(text: str, perturb: Perturb, rng: random.Random) -> str:
    return perturb(text, rng) if text.strip() else text


class Words:
    """Annotated words and lookup tables, found again as they stand; a word of two entities is the commoner one."""

    def __init__(self, messages: Iterable[Message], lookups: Mapping[str, Sequence[str]]) -> None:
        seen: dict[str, dict[tuple[str, str | None, str | None], int]] = defaultdict(lambda: defaultdict(int))
        for one in messages:
            for entity in one.entities:
                seen[one.text[entity.start : entity.end].casefold()][entity.name, entity.role, entity.group] += 1
        for name, values in lookups.items():
            for value in values:
                seen[value.casefold()][name, None, None] += 1
        self._labels = {surface: max(labels, key=lambda label: labels[label]) for surface, labels in seen.items()}
        self._lexicon = Lexicon({}, {"": tuple(self._labels)})

    def find(self, one: Message) -> list[Entity]:
        found: list[Entity] = []
        for start, end in self._lexicon.listed(one.text, one.spans):
            label = self._labels.get(one.text[start:end].casefold())
            if label and (not found or start >= found[-1].end):
                found.append(Entity(label[0], one.text[start:end], start, end, 1.0, label[1], label[2]))
        return found


def _folds(messages: Sequence[Message], *, seed: int) -> list[set[int]]:
    """Few messages are all judged, by thirds; of many a part is enough."""
    order = np.random.default_rng(seed).permutation(len(messages)).tolist()
    if len(messages) > FEW:
        return [set(order[: round(HELD * len(order))])]
    return [set(order[at::FOLDS]) for at in range(FOLDS)]


def _tuples(lists: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in lists.items()}
