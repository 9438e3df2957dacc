"""Requests and replies captured from Rasa 3.6.21, and how a reply of ours is compared with one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RASA = Path(os.environ.get("DESKHAND_SHARED", Path(__file__).parents[4] / "shared")) / "rasa"

NOT_COMPARED = frozenset(
    {
        # differ from run to run
        "timestamp", "latest_event_time", "date_time", "message_id", "model_id", "assistant_id", "model_file",
        # differ from model to model: that they are there is compared, by `kept`
        "confidence", "confidence_entity", "score", "intent_ranking", "response_selector", "extractor", "processors",
        # see "Differences" in docs/rasa.md
        "hide_rule_turn", "full_retrieval_intent_name", "deskhand", "bundle",
    }
)  # fmt: skip


def capture(bot: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RASA / "captures" / bot / f"{name}.json").read_text())
    return found


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Where the two differ, as `path: theirs | ours`, but for what is not compared."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            here = f"{path}.{key}"
            if key in NOT_COMPARED:
                continue
            if key not in theirs or key not in ours:
                yield f"{here}: {'missing' if key in theirs else 'more'}"
            else:
                yield from differences(theirs[key], ours[key], here)
    elif isinstance(theirs, list) and isinstance(ours, list):
        theirs, ours = _events(theirs), _events(ours)
        if len(theirs) != len(ours):
            yield f"{path}: {len(theirs)} items | {len(ours)} items"
        for number, (one, other) in enumerate(zip(theirs, ours, strict=False)):
            yield from differences(one, other, f"{path}[{number}]")
    elif theirs != ours:
        yield f"{path}: {theirs!r} | {ours!r}"


def _events(items: list[Any]) -> list[Any]:
    """Rasa notes for its own policies what they used and what interrupted a form."""
    notes = ("user_featurization", "loop_interrupted")
    return [item for item in items if not (isinstance(item, dict) and item.get("event") in notes)]
