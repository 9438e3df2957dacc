"""The schema transcript/1: a conversation as training sees it, one JSON object a line.

Keys that the schema does not know are ignored and not carried on, so nothing unredacted slips through them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Literal, cast, get_args

from retrieval.errors import BadInput

SCHEMA = "transcript/1"
By = Literal["customer", "agent", "bot", "system"]
SPEAKERS: tuple[str, ...] = get_args(By)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `at` is seconds since the epoch; `entities` are `{entity, value, start, end}`.

    `answer` and `bundle` say which mined answer of which bundle the bot sent, `rating` is the customer's verdict on it.
    `action` is a label of agent turns that is used for scoring only.
    """

    by: By
    text: str
    at: float | None = None
    intent: str | None = None
    entities: tuple[dict[str, Any], ...] = ()
    answer: str | None = None
    bundle: str | None = None
    rating: int | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended; None is "not known". `csat` is on the scale of the source."""

    resolved: bool | None = None
    csat: float | None = None
    handed_off: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """`started_at` is ISO-8601 in UTC (`2026-01-31T09:30:00Z`), so its text sorts by time; `language` is ISO 639-1."""

    id: str
    source: str = ""
    channel: str = ""
    language: str | None = None
    started_at: str | None = None
    customer: str | None = None
    outcome: Outcome = Outcome()
    turns: tuple[Turn, ...] = ()


def iso(at: float) -> str:
    """Seconds since the epoch as ISO-8601 in UTC, microseconds only where there are some."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def seconds(value: object, where: str = "at") -> float | None:
    """An ISO-8601 text or epoch seconds as epoch seconds; a time without a zone is UTC. BadInput names `where`."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            iso(float(value))
            return float(value)
    except (ValueError, OverflowError, OSError):
        pass
    raise BadInput(f"{where} is {_shown(value)}; write ISO-8601 (2026-01-31T09:30:00Z) or seconds since the epoch")


def clean(text: str) -> str:
    """Text that every store can hold: no NUL, no half surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def encode(transcript: Transcript) -> dict[str, Any]:
    outcome = transcript.outcome
    return {
        "schema": SCHEMA,
        "id": transcript.id,
        "source": transcript.source,
        "channel": transcript.channel,
        "language": transcript.language,
        "started_at": transcript.started_at,
        "customer": transcript.customer,
        "outcome": {
            "resolved": outcome.resolved,
            "csat": outcome.csat,
            "handed_off": outcome.handed_off,
            "reason": outcome.reason,
        },
        "turns": [_encode_turn(turn) for turn in transcript.turns],
    }


def _encode_turn(turn: Turn) -> dict[str, Any]:
    data: dict[str, Any] = {"by": turn.by, "text": turn.text}
    if turn.at is not None:
        data["at"] = iso(turn.at)
    if turn.entities:
        data["entities"] = list(turn.entities)
    for key in ("intent", "answer", "bundle", "rating", "action"):
        if (value := getattr(turn, key)) is not None:
            data[key] = value
    return data


def decode(data: object) -> Transcript:
    """The transcript that one parsed JSON line describes; BadInput names the key and the value that is wrong."""
    if not isinstance(data, dict):
        raise BadInput(f"a transcript is a JSON object, this is {_shown(data)}")
    if (schema := data.get("schema", SCHEMA)) != SCHEMA:
        raise BadInput(f"schema is {_shown(schema)}; this version reads {SCHEMA!r}")
    turns = data.get("turns")
    if not isinstance(turns, list) or not turns:
        raise BadInput(f"turns is {_shown(turns)}; it must be a list with at least one turn")
    decoded = tuple(_decode_turn(turn, f"turns[{n}]") for n, turn in enumerate(turns))
    started = seconds(data.get("started_at"), "started_at")
    if started is None:
        started = next((turn.at for turn in decoded if turn.at is not None), None)
    return Transcript(
        id=_identifier(data.get("id")),
        source=_text(data, "source", "") or "",
        channel=_text(data, "channel", "") or "",
        language=_text(data, "language"),
        started_at=None if started is None else iso(started),
        customer=_text(data, "customer"),
        outcome=_decode_outcome(data.get("outcome")),
        turns=decoded,
    )


def _decode_turn(data: object, where: str) -> Turn:
    if not isinstance(data, dict):
        raise BadInput(f"{where} is {_shown(data)}; a turn is an object with by and text")
    if (by := data.get("by")) not in SPEAKERS:
        raise BadInput(f"{where}.by is {_shown(by)}; it must be one of {', '.join(SPEAKERS)}")
    if not isinstance(text := data.get("text"), str):
        raise BadInput(f"{where}.text is {_shown(text)}; it must be a string")
    rating = data.get("rating")
    if rating is not None and (not isinstance(rating, int) or isinstance(rating, bool)):
        raise BadInput(f"{where}.rating is {_shown(rating)}; it must be a whole number or null")
    return Turn(
        by=cast(By, by),
        text=clean(text),
        at=seconds(data.get("at"), f"{where}.at"),
        intent=_text(data, "intent", where=where),
        entities=_decode_entities(data.get("entities"), where),
        answer=_text(data, "answer", where=where),
        bundle=_text(data, "bundle", where=where),
        rating=rating,
        action=_text(data, "action", where=where),
    )


def _decode_entities(data: object, where: str) -> tuple[dict[str, Any], ...]:
    if data is None:
        return ()
    if not isinstance(data, list) or not all(isinstance(entity, dict) for entity in data):
        raise BadInput(f"{where}.entities is {_shown(data)}; it must be a list of objects")
    return tuple(data)


def _decode_outcome(data: object) -> Outcome:
    if data is None:
        return Outcome()
    if not isinstance(data, dict):
        raise BadInput(f"outcome is {_shown(data)}; it must be an object")
    for key in ("resolved", "handed_off"):
        if not isinstance(data.get(key), bool | None):
            raise BadInput(f"outcome.{key} is {_shown(data[key])}; it must be true, false or null")
    csat = data.get("csat")
    if csat is not None and (not isinstance(csat, int | float) or isinstance(csat, bool) or not isfinite(csat)):
        raise BadInput(f"outcome.csat is {_shown(csat)}; it must be a number or null")
    return Outcome(data.get("resolved"), csat, data.get("handed_off"), _text(data, "reason", where="outcome"))


def _identifier(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"id is {_shown(value)}; every transcript needs an id that no other one has")
    return clean(value)


def _text(data: dict[str, Any], key: str, default: str | None = None, *, where: str = "") -> str | None:
    value = data.get(key, default)
    if value is None or isinstance(value, str):
        return value if value is None else clean(value)
    raise BadInput(f"{where}{'.' if where else ''}{key} is {_shown(value)}; it must be a string or null")


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def loads(line: str) -> Transcript:
    """One line of a transcript file; BadInput when it is no JSON or no transcript."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}") from error
    return decode(data)


def dumps(transcript: Transcript) -> str:
    return json.dumps(encode(transcript), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
