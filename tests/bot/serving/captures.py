"""Requests and replies captured from Rasa 3.6.21, and how a reply of ours is compared with one."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.domain import Domain
from bot.engines import Engines
from bot.entities import Finder
from retrieval.engine import Engine
from retrieval.types import Entity, IntentScore, Understanding

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


class HeardAs:
    """An engine that hears what Rasa's classifier heard where a capture says so; all else is the engine's own."""

    def __init__(self, engine: Engine, heard: Mapping[str, Understanding]) -> None:
        self._engine = engine
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def understand(self, text: str, *, context: Sequence[str] = ()) -> Understanding:
        found = self._engine.understand(text, context=context)
        captured = self._heard.get(text)
        if captured is None:
            return found
        others = (one for one in found.ranking if one.name != captured.ranking[0].name)
        return replace(found, entities=captured.entities, in_scope=1.0, ranking=(*captured.ranking, *others))


class FinderHears(Finder):
    """Finds nothing in a text of which a capture says what was found."""

    def __init__(self, domain: Domain, heard: Mapping[str, Understanding]) -> None:
        super().__init__(domain)
        self._heard = heard

    def find(self, text: str, *, learned: Collection[str] = (), now: datetime | None = None) -> list[dict[str, Any]]:
        return [] if text in self._heard else super().find(text, learned=learned, now=now)

    def intent(self, text: str) -> str | None:
        return None if text in self._heard else super().intent(text)


class EnginesHear:
    """The engines of a server, each heard through `HeardAs`."""

    def __init__(self, engines: Engines, heard: Mapping[str, Understanding]) -> None:
        self._engines = engines
        self._heard = heard

    @property
    def id(self) -> str | None:
        return self._engines.id

    @property
    def engine(self) -> HeardAs:
        return HeardAs(self._engines.engine, self._heard)


def heard_by_rasa(bot: str) -> dict[str, Understanding]:
    """What Rasa's classifier made of the messages of a captured conversation."""
    events = capture(bot, "tracker_all")["response"]["events"]
    return {event["text"]: _understanding(event["parse_data"]) for event in events if event["event"] == "user"}


def _understanding(parsed: dict[str, Any]) -> Understanding:
    entities = tuple(Entity(e["entity"], e["value"], e["start"], e["end"]) for e in parsed["entities"])
    ranking = (IntentScore(parsed["intent"]["name"], 1.0),)
    return Understanding(parsed["text"], ranking, in_scope=1.0, entities=entities)


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
        theirs, ours = compared_events(theirs), compared_events(ours)
        if len(theirs) != len(ours):
            yield f"{path}: {len(theirs)} items | {len(ours)} items"
        for number, (one, other) in enumerate(zip(theirs, ours, strict=False)):
            yield from differences(one, other, f"{path}[{number}]")
    elif theirs != ours:
        yield f"{path}: {theirs!r} | {ours!r}"


def compared_events(items: list[Any]) -> list[Any]:
    """Rasa notes for its own policies what they used and what interrupted a form."""
    notes = ("user_featurization", "loop_interrupted")
    return [item for item in items if not (isinstance(item, dict) and item.get("event") in notes)]
