"""Put a bundle into service when the gate lets it pass, and keep a record of why."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retrieval.engine import Engine

from bot.transcript import Transcript
from retrieval.bundle import Bundles
from retrieval.errors import BadInput
from training.evaluate import Progress, answer_actions, evaluate_replay
from training.gate import GateConfig, Verdict, decide
from training.mine import assign
from training.scores import Scores

LOG = "PROMOTIONS.jsonl"


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
        actions=answer_actions(sources(bundle), training),
        assign=lambda replies: assign(replies, engine),
        error_budget=error_budget,
        progress=progress,
    )


def sources(bundle: Path) -> Mapping[str, list[tuple[str, int]]]:
    """answer id -> the agent turns that it was mined from, as (conversation, position)."""
    lines = (bundle / "answers.jsonl").read_text("utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
    return {row["answer"]: [(str(conversation), int(turn)) for conversation, turn in row["turns"]] for row in rows}


def judge(
    bundles: Bundles,
    id: str,
    test: Sequence[Transcript],
    *,
    training: Iterable[Transcript] = (),
    error_budget: float,
    config: GateConfig,
    progress: Progress | None = None,
) -> Verdict:
    """The gate on bundle `id` against the one in service, both replayed on the same held-out conversations."""
    learned = list(training)

    def scores(of: str) -> Scores:
        return replay(bundles.path(of), test, training=learned, error_budget=error_budget, progress=progress)

    current = bundles.current()
    return decide(scores(id), scores(current) if current and current != id else None, config)


def promote(bundles: Bundles, id: str, verdict: Verdict | None, *, forced_because: str | None = None) -> None:
    """Put `id` into service and record why. BadInput without a passing verdict, unless a reason is given."""
    if forced_because is not None and not forced_because.strip():
        raise BadInput("the reason is empty; say why the gate is passed over, it is kept in the record")
    if forced_because is None and (verdict is None or not verdict.promote):
        why = " ".join(verdict.reasons) if verdict else "it was not judged"
        raise BadInput(f"bundle {id} is not promoted: {why}")
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
    path = bundles.root / LOG
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
