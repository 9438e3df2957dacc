"""Rasa tracker dumps: one tracker as JSON, a list of them, trackers as JSON lines, or the events of a file broker.

Each session of a tracker becomes a transcript; the bot's `utter_*` names are kept as action labels, for scoring only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.transcript import By, Transcript, Turn, clean, iso, seconds
from retrieval.errors import BadInput
from training.importers.rows import MAX_CHARS, Options, Rejected, stable_id
from training.importers.text import encoding_of

_SPEAKERS: dict[str, By] = {"user": "customer", "bot": "bot", "agent": "agent"}


def read(path: Path, options: Options) -> Iterator[Transcript | Rejected]:
    """Transcripts, and a rejection for each tracker that cannot be one (no message, no `events`, a wrong value)."""
    source = options.source_of(path)
    for line, data in _trackers(path):
        if isinstance(data, Rejected):
            yield data
            continue
        try:
            sessions = list(_sessions(data))
            if not sessions:
                raise BadInput("the tracker has no message; nothing to learn from")
            for n, events in enumerate(sessions):
                yield _transcript(data, n, events, source)
        except BadInput as error:
            yield Rejected(line, str(error), json.dumps(data, ensure_ascii=False))


def _trackers(path: Path) -> Iterator[tuple[int, Any]]:
    """(line, tracker) of a JSON file (line 1) or of JSON lines; loose broker events are gathered by sender."""
    text = path.read_text(encoding=encoding_of(path), errors="replace")
    try:
        data = json.loads(text)
    except ValueError:
        yield from _lines(text)
        return
    for tracker in data if isinstance(data, list) else [data]:
        yield 1, tracker


def _lines(text: str) -> Iterator[tuple[int, Any]]:
    loose: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, Rejected(number, f"not JSON: {error}", line)
            continue
        if isinstance(data, dict) and "event" in data and "events" not in data:
            sender = str(data.get("sender_id"))
            loose.setdefault(sender, (number, {"sender_id": sender, "events": []}))[1]["events"].append(data)
        else:
            yield number, data
    yield from loose.values()


def _sessions(tracker: Any) -> Iterator[list[dict[str, Any]]]:
    """The message events between `session_started` and `restart` marks; sessions without a message are no sessions."""
    events = tracker.get("events") if isinstance(tracker, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise BadInput("a tracker is an object with a list of events; ask Rasa for it with include_events=ALL")
    session: list[dict[str, Any]] = []
    for event in [*events, {"event": "restart"}]:
        if event.get("event") in ("session_started", "restart"):
            if session:
                yield session
            session = []
        elif event.get("event") in _SPEAKERS and event.get("text"):
            session.append(event)


def _transcript(tracker: dict[str, Any], number: int, events: list[dict[str, Any]], source: str) -> Transcript:
    sender = str(tracker.get("sender_id") or "")
    if not sender:
        raise BadInput("sender_id is missing; it tells the conversations apart")
    turns = tuple(map(_turn, events))
    started = next((turn.at for turn in turns if turn.at is not None), None)
    # A tracker grows between two dumps and may lose old events: the start of a session is what stays the same.
    return Transcript(
        id=stable_id("rasa", sender, str(number if started is None else started)),
        source=source,
        channel=next((str(event["input_channel"]) for event in events if event.get("input_channel")), ""),
        started_at=None if started is None else iso(started),
        customer=clean(sender),
        turns=turns,
    )


def _turn(event: dict[str, Any]) -> Turn:
    text = event["text"]
    if not isinstance(text, str):
        raise BadInput(f"the text of an event is {str(text)[:60]!r}; it must be a string")
    if len(text) > MAX_CHARS:
        raise BadInput(f"the text of an event has {len(text)} characters, more than {MAX_CHARS}")
    by = _SPEAKERS[event["event"]]
    parse = _object(event.get("parse_data"))
    intent, action = _object(parse.get("intent")).get("name"), _object(event.get("metadata")).get("utter_action")
    entities = parse.get("entities") if by == "customer" else ()
    return Turn(
        by=by,
        text=clean(text),
        at=seconds(event.get("timestamp"), "timestamp"),
        intent=str(intent) if intent and by == "customer" else None,
        entities=tuple(_entity(entity) for entity in entities or () if isinstance(entity, dict)),
        action=str(action) if action and by == "bot" else None,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _entity(entity: dict[str, Any]) -> dict[str, Any]:
    return {
        key: entity[key] for key in ("entity", "value", "start", "end", "role", "group") if entity.get(key) is not None
    }
