from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import BadInput

EVENTS = [
    {"event": "action", "name": "action_session_start", "timestamp": 1769851800.0},
    {"event": "session_started", "timestamp": 1769851800.0},
    {
        "event": "user",
        "text": "I am anna@x.example",
        "timestamp": 1769851801.5,
        "input_channel": "rest",
        "parse_data": {
            "intent": {"name": "inform"},
            "entities": [{"entity": "email", "value": "anna@x.example", "start": 5, "end": 19}],
        },
    },
    {"event": "bot", "text": "Hello", "timestamp": 1769851802.0, "metadata": {"utter_action": "utter_greet"}},
    {"event": "bot", "text": None, "data": {"buttons": []}, "timestamp": 1769851802.1},
    {"event": "session_started", "timestamp": 1769951800.0},
    {"event": "user", "text": "again", "timestamp": 1769951801.0, "parse_data": {}},
    {"event": "agent", "text": "A person here", "timestamp": 1769951802.0},
]
TRACKER = {"sender_id": "+4917012345678", "events": EVENTS}


def test_each_session_becomes_a_transcript(desk: Any) -> None:
    report = desk.imports(desk.file("tracker.json", json.dumps(TRACKER)))
    first, second = desk.folder.read()
    assert (report.format, report.new) == ("rasa", 2)
    assert [(t.by, t.text, t.intent, t.action) for t in first.turns] == [
        ("customer", "I am <EMAIL>", "inform", None),
        ("bot", "Hello", None, "utter_greet"),
    ]
    assert first.turns[0].entities == ({"entity": "email", "value": "<EMAIL>", "start": 5, "end": 12},)
    assert (first.channel, first.started_at) == ("rest", "2026-01-31T09:30:01.500000Z")
    assert [t.by for t in second.turns] == ["customer", "agent"]
    assert "4917012345678" not in f"{first.id} {first.customer}"
    assert first.customer == second.customer


@pytest.mark.parametrize("style", ["list", "lines", "broker"])
def test_lists_lines_and_broker_events_are_the_same_conversations(desk: Any, style: str) -> None:
    content = {
        "list": json.dumps([TRACKER], indent=1),
        "lines": json.dumps(TRACKER) + "\n",
        "broker": "\n".join(json.dumps({"sender_id": TRACKER["sender_id"], **event}) for event in EVENTS),
    }[style]
    desk.imports(desk.file("one.json", json.dumps(TRACKER)))
    report = desk.imports(desk.file("two.json", content))
    assert (report.read, report.new, report.unchanged) == (2, 0, 2)


def test_a_grown_tracker_adds_its_new_session_only(desk: Any) -> None:
    desk.imports(desk.file("tracker.json", json.dumps({**TRACKER, "events": EVENTS[:5]})))
    report = desk.imports(desk.file("tracker.json", json.dumps(TRACKER)))
    assert (report.new, report.unchanged) == (1, 1)


@pytest.mark.parametrize(
    ("tracker", "reason"),
    [
        ({"sender_id": "a", "events": []}, "no message"),
        ({"sender_id": "a", "events": None}, "list of events"),
        ({"events": EVENTS}, "sender_id is missing"),
        ({"sender_id": "a", "events": [{"event": "user", "text": 5}]}, "must be a string"),
        ({"sender_id": "a", "events": [{"event": "user", "text": "x", "timestamp": "soon"}]}, "timestamp is 'soon'"),
        ({"sender_id": "a", "events": [{"event": "user", "text": "x" * 200_000}]}, "200000 characters"),
        ([1], "list of events"),
    ],
)
def test_a_tracker_that_cannot_be_read_is_refused_with_its_line(desk: Any, tracker: Any, reason: str) -> None:
    lines = [json.dumps(TRACKER), json.dumps(tracker)]
    report = desk.imports(desk.file("trackers.jsonl", "\n".join(lines)))
    assert report.new == 2
    assert [(r.line, reason in r.reason) for r in report.rejected] == [(2, True)]


def test_a_file_of_nothing_but_empty_trackers_is_an_error(desk: Any) -> None:
    with pytest.raises(
        BadInput, match=r"nothing could be read as rasa, 1 refused\. Line 1: the tracker has no message"
    ):
        desk.imports(desk.file("tracker.json", '{"sender_id": "a", "events": []}'))


def test_a_tracker_dump_of_rasa_itself_goes_in(desk: Any, shared: Path) -> None:
    path = shared / "data" / "helpdesk_fixtures" / "genuine_rasa_tracker.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    report = desk.imports(path)
    assert (report.new, report.one_sided) == (1, 1)
    (transcript,) = desk.folder.read()
    assert [turn.intent for turn in transcript.turns] == ["greet", "mood_great"]


def test_captured_trackers_of_a_running_rasa_go_in(desk: Any, shared: Path) -> None:
    captures = sorted((shared / "rasa" / "captures").glob("*/tracker_all.json"))
    if not captures:
        pytest.skip("no captured trackers")
    trackers = [json.loads(path.read_text())["response"] for path in captures]
    report = desk.imports(desk.file("trackers.json", json.dumps(trackers)))
    said = sum(e["event"] in ("user", "bot") and bool(e.get("text")) for t in trackers for e in t["events"])
    assert report.rejected == []
    assert sum(len(t.turns) for t in desk.folder.read()) == said > 0
