"""Labelled messages -> a bundle that understands intents and has no answers; the same heads that `train` fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrieval.bundle import Thresholds
from retrieval.encoder import Encoder
from retrieval.entities import Recogniser
from retrieval.errors import BadInput
from retrieval.types import Matrix
from training.base import Start, base_directory, with_base
from training.cluster import Labels
from training.config import TrainingConfig
from training.encoder import seed_everything
from training.intent_head import fit_intents, refit
from training.recipe import Chosen, Recipe
from training.regression import cross_validate
from training.spread import Spread, worth_spreading_to
from training.stages import Report, fingerprint, silent
from training.write import Parts, write

Row = tuple[str, str | None]
NO_ANSWERS = 1.01
"""No P(correct) reaches this."""


def train_intents(
    rows: Sequence[Row],
    *,
    config: TrainingConfig,
    work: Path,
    start: Path | None = None,
    unlabelled: Sequence[str] = (),
    progress: Report = silent,
) -> Path:
    """The directory of a bundle in `work`/bundles. Rows without an intent are out of scope; not needed, but used.

    `unlabelled` are texts of the same desk whose intents nobody knows: they are learned from where that wins.
    """
    bundles = work / "bundles"
    fit = _fit(rows, config, work, start, progress, unlabelled)
    return bundles / write(fit.parts, bundles, lambda _: ({}, f"# Intents\n\n{fit.chosen.why}\n"))


def train_examples(
    rows: Sequence[Row],
    *,
    config: TrainingConfig,
    bundles: Path,
    work: Path,
    start: Path | None = None,
    progress: Report = silent,
    complete: Callable[[Parts], Parts] = lambda parts: parts,
) -> str:
    """The id of a bundle made of a desk's own examples alone, measured on examples that were held out. `complete` adds
    what else goes into the bundle."""
    fit = _fit(rows, config, work, start, progress)
    labels = fit.labels
    said = len(fit.intent_of) - len(labels)
    progress("evaluate", 0, 1, f"{said} examples, each judged by the others")
    right = fit.chosen.right  # rows that a tuned encoder was not tuned on; a frozen one has seen none
    if right is None:
        strength = config.intents.regularisation
        right = cross_validate(fit.vectors, fit.intent_of, tested=said, classes=len(labels), strength=strength)
    commonest = float(np.bincount(fit.intent_of[:said]).max() / said)
    scores = {"n": len(right), "accuracy": float(right.mean()) if len(right) else 0.0, "commonest": commonest}
    why = fit.chosen.why
    parts = complete(fit.parts)
    return write(parts, bundles, lambda engine: ({"intents": scores}, _report(engine.id, labels, said, scores, why)))


@dataclass(frozen=True)
class Fit:
    """What goes into the bundle; the encoded rows, the names of the intents last, and the intents' numbers."""

    parts: Parts
    labels: Sequence[str]
    vectors: Matrix
    intent_of: Labels
    chosen: Chosen


def _fit(
    rows: Sequence[Row],
    config: TrainingConfig,
    work: Path,
    start: Path | None,
    progress: Report,
    unlabelled: Sequence[str] = (),
) -> Fit:
    known = [(text, intent) for text, intent in rows if intent is not None]
    labels = sorted({intent for _, intent in known})
    if len(labels) < 2:
        raise BadInput(f"the rows have {len(labels)} intent(s); at least two are needed to tell messages apart")
    seed_everything(config.seed)
    config, _ = with_base(config, [text for text, _ in known])
    recogniser = Recogniser(config.mining.entities)
    names = [label.replace("_", " ") for label in labels]  # a name is one more example (SCIENCE.md, finding 2)
    texts = [recogniser.mask(text) for text in [text for text, _ in known] + names]
    number = {label: i for i, label in enumerate(labels)}
    intent_of = np.array([number[intent] for _, intent in known] + list(range(len(labels))), np.int64)
    strange = [recogniser.mask(text) for text, intent in rows if intent is None]
    begun = Start.of(start) if start else None
    loose = worth_spreading_to([recogniser.mask(text) for text in unlabelled], texts, seed=config.seed)
    base = begun.encoder if begun else base_directory(config, work, texts)
    if begun and begun.tuned:
        loose = []  # its rows know their own intents too well to tell what spreading wins
    progress("encode", 0, 1, f"{len(known)} messages, {len(loose)} without an intent")
    encoder = Encoder(base, cache=len(texts) + len(loose) + 1)
    loose, note = _spreading(encoder, texts, loose, intent_of, config)
    if begun:
        chosen = Chosen(begun.encoder, f"that of bundle {begun.id}, as it was")
    else:
        recipe = Recipe(texts, intent_of, labels, config, work, progress, strange=strange, unlabelled=loose)
        chosen = recipe.between(base)
    if chosen.directory != base:
        encoder = Encoder(chosen.directory, cache=len(texts) + 1)
    vectors = encoder.encode(texts)
    progress("heads", 0, 1, f"{len(labels)} intents")
    strength = config.intents.regularisation
    spread = Spread(vectors, intent_of, encoder.encode(loose), len(labels), strength) if loose else None
    if begun and begun.tuned:
        fitted = refit(begun.intents, vectors, intent_of, labels, strength=strength)
    else:
        fitted = fit_intents(
            vectors, intent_of, labels,
            strength=strength, seed=config.seed, held=chosen.held, strange=encoder.encode(strange), spread=spread,
        )  # fmt: skip
    chosen = replace(chosen, why=chosen.why + note)
    tuned = chosen.tuned or bool(begun and begun.tuned)
    parts = Parts(
        encoder=chosen.directory,
        encoder_facts={"base": config.encoder.base, "tuned": tuned, "why": chosen.why},
        dimension=encoder.dimension,
        entities=dict(config.mining.entities),
        weights=config.context.weights,
        config=config.model_dump_json(indent=1),
        data=fingerprint(*(f"{text}\t{intent}" for text, intent in known)),
        thresholds=Thresholds(answer=NO_ANSWERS, intent=fitted.intent, in_scope=fitted.in_scope),
        intents=fitted.head,
    )
    return Fit(parts, labels, vectors, intent_of, chosen)


def _spreading(
    encoder: Encoder, texts: Sequence[str], loose: Sequence[str], intent_of: Labels, config: TrainingConfig
) -> tuple[list[str], str]:
    """The texts without an intent that are learned from, all or none, and what to say of that."""
    if not loose:
        return [], ""
    classes = int(intent_of.max()) + 1
    strength = config.intents.regularisation
    spread = Spread(encoder.encode(texts), intent_of, encoder.encode(loose), classes, strength)
    alone, helped = (count / len(texts) for count in spread.right())
    shares = f"{alone:.1%} to {helped:.1%} of {len(texts)} labelled ones, each judged by the others"
    if helped <= alone:
        return (
            [],
            f"; {len(loose)} messages without an intent are left out: they changed the right intents from {shares}",
        )
    return list(loose), f"; {len(loose)} messages without an intent raised the right intents from {shares}"


def _report(id: str, labels: Sequence[str], said: int, scores: dict[str, float], why: str) -> str:
    return (
        f"# What bundle {id} understands\n\n"
        f"- Learned from {said} examples of {len(labels)} intents, and from no conversations: it has no answers of its "
        "own, and rules, stories, forms and articles do the talking.\n"
        f"- Encoder: {why}.\n"
        f"- Of {scores['n']} examples that were held out, {scores['accuracy']:.1%} got the right intent; always saying "
        f"the commonest intent gets {scores['commonest']:.1%}.\n\n"
        "## What to do next\n\n"
        "1. Import conversations with `deskhand transcripts import FILE` and train again: then it also answers.\n"
    )
