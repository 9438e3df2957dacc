"""Labelled messages -> a bundle that understands intents and has no answers; the same heads that `train` fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.bundle import Thresholds
from retrieval.encoder import Encoder
from retrieval.entities import Recogniser
from retrieval.errors import BadInput
from training.base import base_directory
from training.config import TrainingConfig
from training.encoder import seed_everything
from training.heads import fit_intents
from training.stages import Report, fingerprint, silent
from training.write import Parts, write


def train_intents(
    rows: Sequence[tuple[str, str | None]], *, config: TrainingConfig, work: Path, progress: Report = silent
) -> Path:
    """The directory of a bundle in `work`/bundles. Rows without an intent are out of scope and not needed."""
    known = [(text, intent) for text, intent in rows if intent is not None]
    labels = sorted({intent for _, intent in known})
    if len(labels) < 2:
        raise BadInput(f"the rows have {len(labels)} intent(s); at least two are needed to tell messages apart")
    seed_everything(config.seed)
    recogniser = Recogniser(config.mining.entities)
    base = base_directory(config, work)
    progress("encode", 0, 1, f"{len(known)} messages")
    encoder = Encoder(base, cache=len(known) + 1)
    texts = [text for text, _ in known] + [label.replace("_", " ") for label in labels]
    number = {label: i for i, label in enumerate(labels)}
    intent_of = np.array([number[intent] for _, intent in known] + list(range(len(labels))), np.int64)
    vectors = encoder.encode([recogniser.mask(text) for text in texts])
    progress("heads", 0, 1, f"{len(labels)} intents")
    fitted = fit_intents(vectors, intent_of, labels, strength=config.intents.regularisation, seed=config.seed)
    parts = Parts(
        encoder=base,
        encoder_facts={"base": config.encoder.base, "tuned": False, "why": "labelled rows: the frozen encoder"},
        dimension=encoder.dimension,
        entities=dict(config.mining.entities),
        weights=config.context.weights,
        config=config.model_dump_json(indent=1),
        data=fingerprint(*(f"{text}\t{intent}" for text, intent in known)),
        thresholds=Thresholds(answer=1.01, intent=fitted.intent, in_scope=fitted.in_scope),
        intents=fitted.head,
    )
    bundles = work / "bundles"
    return bundles / write(parts, bundles, lambda _: ({}, "# Intents\n"))
