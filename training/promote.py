"""Put a bundle into service when the gate lets it pass, and keep a record of why."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.transcript import Transcript
from retrieval.bundle import Bundles
from retrieval.engine import Engine
from retrieval.errors import BadInput, Conflict
from training.config import GateConfig
from training.evaluate import Progress, answer_actions, evaluate_replay
from training.gate import Verdict, decide, decide_examples
from training.mine import assign
from training.scores import Scores
from training.split import by_time

LOG = "PROMOTIONS.jsonl"


def held_out(
    bundles: Bundles, ids: Iterable[str], transcripts: Sequence[Transcript], *, share: float
) -> list[Transcript]:
    """The latest `share` of the transcripts without the conversations that one of the bundles learned from."""
    seen = {row["conversation"] for id in ids for row in _rows(bundles.path(id) / "questions.jsonl")}
    return [t for t in by_time(transcripts, test_share=share).test if t.id not in seen]


def replay(
    bundle: Path,
    test: Sequence[Transcript],
    *,
    training: Iterable[Transcript] = (),
    error_budget: float,
    progress: Progress | None = None,
) -> Scores:
    """Replay `test` through the bundle in a directory. `training` is needed only where `action` labels decide."""
    engine = Engine.load(bundle)
    return evaluate_replay(
        engine,
        test,
        actions=answer_actions({row["answer"]: row["turns"] for row in engine.table}, training),
        assign=lambda replies: assign(replies, engine),
        error_budget=error_budget,
        progress=progress,
    )


def judge(
    bundles: Bundles,
    id: str,
    test: Sequence[Transcript],
    *,
    training: Iterable[Transcript] = (),
    error_budget: float,
    config: GateConfig,
    progress: Progress | None = None,
) -> tuple[Scores, Verdict]:
    """Replay `id` and the bundle in service on the same held-out conversations: the candidate's scores, the verdict."""
    learned = list(training)

    def scores(of: str) -> Scores:
        return replay(bundles.path(of), test, training=learned, error_budget=error_budget, progress=progress)

    current = bundles.current()
    candidate = scores(id)
    return candidate, decide(candidate, scores(current) if current and current != id else None, config)


def judge_examples(bundles: Bundles, id: str) -> Verdict | None:
    """The verdict on a bundle that was trained on examples alone, None for one that learned from conversations."""
    manifest = bundles.manifest(id)
    if manifest.rows.get("answers") or "intents" not in manifest.scores:
        return None
    current = bundles.current()
    answers = bundles.manifest(current).rows.get("answers", 0) if current and current != id else 0
    return decide_examples(manifest.scores["intents"], answers_in_service=answers)


def promote(bundles: Bundles, id: str, verdict: Verdict | None, *, forced_because: str | None = None) -> None:
    """Put `id` into service and record why. Conflict without a passing verdict, unless a reason is given."""
    if forced_because is not None and not forced_because.strip():
        raise BadInput("the reason is empty; say why the gate is passed over, it is kept in the record")
    if forced_because is None and (verdict is None or not verdict.promote):
        why = " ".join(verdict.reasons) if verdict else "it was not judged"
        raise Conflict(f"bundle {id} is not promoted: {why}")
    before = bundles.current()
    bundles.promote(id)
    record = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle": id,
        "before": before,
        "forced_because": forced_because,
        "gate": verdict.promote if verdict else None,
        "reasons": verdict.reasons if verdict else [],
    }
    with (bundles.root / LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps(record, ensure_ascii=False) + "\n")
        log.flush()
        os.fsync(log.fileno())


def promotions(bundles: Bundles) -> list[dict[str, Any]]:
    """The record, oldest first."""
    return _rows(bundles.root / LOG)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
