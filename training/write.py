"""Fitted parts -> a bundle directory. Files first, measured through `Engine`, manifest last, one rename."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from retrieval.answers import AnswerModel
from retrieval.bundle import Bundles, Manifest, Thresholds, new_id, write_manifest
from retrieval.engine import Engine
from retrieval.intents import IntentHead
from retrieval.policy import LearnedPolicy
from retrieval.token_head import TokenHead
from training.groups import FILE, Group

PROBES = 20
PROBE_MARGIN = 0.2
LIBRARIES = ("deskhand", "torch", "onnxruntime", "faiss-cpu", "numpy", "scikit-learn", "tokenizers", "transformers")

Measure = Callable[[Engine], tuple[dict[str, Any], str]]
"""A loaded candidate -> its scores for the manifest, and the text of `report.md`."""


@dataclass(frozen=True)
class Parts:
    """All that goes into a bundle. `answers` rows and `questions` rows stand in the order of the model's numbers."""

    encoder: Path
    encoder_facts: dict[str, Any]
    dimension: int
    entities: dict[str, str]
    weights: tuple[float, float, float]
    config: str
    data: str
    thresholds: Thresholds
    intents: IntentHead | None = None
    model: AnswerModel | None = None
    answers: Sequence[dict[str, Any]] = ()
    questions: Sequence[dict[str, Any]] = ()
    policy: LearnedPolicy | None = None
    tokens: TokenHead | None = None
    groups: Sequence[Group] = ()


def write(parts: Parts, root: Path, measure: Measure) -> str:
    """The id of the finished bundle in `root`. Nothing is left behind when anything fails on the way."""
    id = new_id(parts.config + parts.data)
    with Bundles(root).building(id) as directory:
        _files(parts, directory)
        manifest = _manifest(parts, id)
        write_manifest(directory, manifest)
        engine = Engine.load(directory)
        scores, report = measure(engine)
        if parts.tokens:
            scores = {**scores, "entities": parts.tokens.facts}
        (directory / "report.md").write_text(report, "utf-8")
        whole = {**vars(manifest), "scores": scores, "probes": _probes(engine, parts)}
        write_manifest(directory, Manifest(**whole))
    return id


def _files(parts: Parts, directory: Path) -> None:
    shutil.copytree(parts.encoder, directory / "encoder", copy_function=shutil.copyfile)
    (directory / "config.json").write_text(parts.config, "utf-8")
    mix = parts.model.mix if parts.model else 0.0
    settings = {"entities": parts.entities, "weights": parts.weights, "mix": mix}
    (directory / "engine.json").write_text(json.dumps(settings, indent=1), "utf-8")
    if parts.intents:
        arrays = {**parts.intents.tables.to_arrays(), "intent_of": parts.intents.intent_of.astype(np.int32)}
        save_file(arrays, directory / "intents.safetensors")
        parts.intents.index.save(directory / "intents.faiss")
    if parts.policy:
        parts.policy.save(directory)
    if parts.tokens:
        parts.tokens.save(directory)
    if parts.groups:
        _write_lines(directory / FILE, [group.row() for group in parts.groups])
    if parts.model:
        _write_answers(parts, parts.model, directory)


def _write_answers(parts: Parts, model: AnswerModel, directory: Path) -> None:
    arrays = {
        "answer_of": model.answer_of.astype(np.int32),
        "support": model.support.astype(np.int32),
        "weight": model.weight.astype(np.float16),
        "bias": model.bias,
        "calibration": model.calibration,
        "replies": model.replies.astype(np.float16),
        "requests": model.requests.astype(np.float16),
        "coherence": model.coherence,
        "record": model.record,
    }
    if model.taught:
        taught = model.taught
        arrays |= {
            "taught": taught.messages, "taught_answer_of": taught.answer_of.astype(np.int32), "same": taught.same
        }  # fmt: skip
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, directory / "answers.safetensors")
    model.index.save(directory / "questions.faiss")
    _write_lines(directory / "answers.jsonl", parts.answers)
    _write_lines(directory / "questions.jsonl", parts.questions)


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _manifest(parts: Parts, id: str) -> Manifest:
    rows = {"answers": len(parts.answers), "questions": len(parts.questions)}
    if parts.intents:
        rows["intent examples"] = len(parts.intents.intent_of)
    if parts.tokens:
        rows["entity labels"] = len(parts.tokens.labels)
    return Manifest(
        id=id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        dimension=parts.dimension,
        labels=parts.intents.labels if parts.intents else (),
        thresholds=parts.thresholds,
        rows=rows,
        data=parts.data,
        config=parts.config,
        versions={"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        encoder=parts.encoder_facts,
    )


def _probes(engine: Engine, parts: Parts) -> tuple[dict[str, Any], ...]:
    """About 20 messages with what the bundle says to them, those where a rounding error cannot change the winner."""
    texts: list[tuple[str, Sequence[str]]] = [
        (q["text"], (q["desk"], q["customer"])) for q in parts.questions[:: max(1, len(parts.questions) // 200)]
    ]
    probes = []
    for text, context in texts:
        heard = engine.understand(text, context=context)
        hits = engine.answer(heard, k=2)
        clear = len(hits) < 2 or hits[0].score - hits[1].score > PROBE_MARGIN
        if clear and (len(heard.ranking) < 2 or _sure(engine, heard.text)):
            probes.append(engine.probe(text, context))
        if len(probes) == PROBES:
            break
    return tuple(probes)


def _sure(engine: Engine, text: str) -> bool:
    if engine.intents is None:
        return True
    shares = np.sort(engine.intents.judge(engine.encode([text])).probabilities[0])[::-1]
    return bool(shares[0] - shares[1] > PROBE_MARGIN)
