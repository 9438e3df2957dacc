"""Labelled messages -> a bundle that understands intents and has no answers; the same heads that `train` fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from training.intent_head import cross_validate, fit_intents, refit
from training.recipe import Chosen, Recipe
from training.stages import Report, fingerprint, silent
from training.write import Parts, write

Row = tuple[str, str | None]
NO_ANSWERS = 1.01
"""No P(correct) reaches this."""


def train_intents(
    rows: Sequence[Row], *, config: TrainingConfig, work: Path, start: Path | None = None, progress: Report = silent
) -> Path:
    """The directory of a bundle in `work`/bundles. Rows without an intent are out of scope; not needed, but used."""
    bundles = work / "bundles"
    fit = _fit(rows, config, work, start, progress)
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


def _fit(rows: Sequence[Row], config: TrainingConfig, work: Path, start: Path | None, progress: Report) -> Fit:
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
    if begun:
        chosen = Chosen(begun.encoder, f"that of bundle {begun.id}, as it was")
    else:
        recipe = Recipe(texts, intent_of, labels, config, work, progress, strange=strange)
        chosen = recipe.between(base_directory(config, work, texts))
    progress("encode", 0, 1, f"{len(known)} messages")
    encoder = Encoder(chosen.directory, cache=len(texts) + 1)
    vectors = encoder.encode(texts)
    progress("heads", 0, 1, f"{len(labels)} intents")
    strength = config.intents.regularisation
    if begun and begun.tuned:
        fitted = refit(begun.intents, vectors, intent_of, labels, strength=strength)
    else:
        fitted = fit_intents(
            vectors, intent_of, labels,
            strength=strength, seed=config.seed, held=chosen.held, strange=encoder.encode(strange),
        )  # fmt: skip
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
