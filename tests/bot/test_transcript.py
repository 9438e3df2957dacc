from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.transcript import (
    SPEAKERS,
    Outcome,
    Transcript,
    TranscriptFolder,
    Turn,
    decode,
    dumps,
    encode,
    iso,
    loads,
    read,
    seconds,
    write,
)
from retrieval.errors import BadInput

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
LABEL = st.none() | TEXT
TIMES = st.none() | st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
TURNS = st.builds(
    Turn,
    by=st.sampled_from(SPEAKERS),
    text=TEXT,
    at=TIMES,
    intent=LABEL,
    answer=LABEL,
    rating=st.none() | st.integers(),
    action=LABEL,
)
OUTCOMES = st.builds(
    Outcome, st.none() | st.booleans(), st.none() | st.integers(1, 5), st.none() | st.booleans(), LABEL
)
TRANSCRIPTS = st.builds(
    Transcript,
    id=TEXT.filter(str.strip),
    source=TEXT,
    language=LABEL,
    started_at=st.just("2026-01-31T09:30:00Z"),
    customer=LABEL,
    outcome=OUTCOMES,
    turns=st.lists(TURNS, min_size=1, max_size=4).map(tuple),
)


def chat(id: str, started: str | None = None, text: str = "Where is it?") -> Transcript:
    turns = (Turn("customer", text), Turn("agent", "On its way."))
    return Transcript(id, started_at=started, turns=turns)


@settings(deadline=None)
@given(TRANSCRIPTS)
def test_what_is_written_is_read_back(transcript: Transcript) -> None:
    line = dumps(transcript)
    assert loads(line) == transcript
    assert "\n" not in line


@settings(deadline=None)
@given(TRANSCRIPTS)
def test_writing_again_gives_the_same_line(transcript: Transcript) -> None:
    assert dumps(loads(dumps(transcript))) == dumps(transcript)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": None}, "id is None"),
        ({"id": "  "}, "id is '  '"),
        ({"schema": "transcript/9"}, "schema is 'transcript/9'"),
        ({"turns": []}, "turns is []"),
        ({"turns": "hello"}, "turns is 'hello'"),
        ({"turns": ["hello"]}, "turns[0] is 'hello'"),
        ({"turns": [{"by": "robot", "text": "x"}]}, "turns[0].by is 'robot'"),
        ({"turns": [{"by": "agent"}]}, "turns[0].text is None"),
        ({"turns": [{"by": "agent", "text": "x", "at": "soon"}]}, "turns[0].at is 'soon'"),
        ({"turns": [{"by": "agent", "text": "x", "at": True}]}, "turns[0].at is True"),
        ({"turns": [{"by": "agent", "text": "x", "at": 1e99}]}, "turns[0].at is 1e+99"),
        ({"turns": [{"by": "agent", "text": "x", "rating": "good"}]}, "turns[0].rating is 'good'"),
        ({"turns": [{"by": "agent", "text": "x", "intent": 5}]}, "turns[0].intent is 5"),
        ({"turns": [{"by": "agent", "text": "x", "entities": [1]}]}, "turns[0].entities is [1]"),
        ({"outcome": "fine"}, "outcome is 'fine'"),
        ({"outcome": {"resolved": "yes"}}, "outcome.resolved is 'yes'"),
        ({"outcome": {"csat": "5"}}, "outcome.csat is '5'"),
        ({"customer": {"name": "x"}}, "customer is {'name': 'x'}"),
    ],
)
def test_an_error_names_the_key_and_the_value(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as error:
        decode(encode(chat("a")) | change)
    assert says in str(error.value)


def test_times_come_as_iso_or_epoch_and_go_out_as_iso() -> None:
    assert seconds("2026-01-31T09:30:00Z") == seconds(1769851800) == seconds("2026-01-31T10:30:00+01:00")
    assert seconds("2026-01-31 09:30:00") == 1769851800
    assert iso(1769851800) == "2026-01-31T09:30:00Z"
    assert iso(1769851800.25) == "2026-01-31T09:30:00.250000Z"


def test_the_first_turn_says_when_it_started_if_nothing_else_does() -> None:
    turns = [{"by": "customer", "text": "x"}, {"by": "agent", "text": "y", "at": 1769851800}]
    assert decode({"id": 7, "turns": turns}).started_at == "2026-01-31T09:30:00Z"


def test_unknown_keys_are_not_carried_on() -> None:
    transcript = decode(encode(chat("a")) | {"email": "anna@example.com"})
    assert "anna" not in dumps(transcript)


def test_half_characters_and_nul_do_not_reach_a_store() -> None:
    line = r'{"id":"a","turns":[{"by":"customer","text":"a\ud800b\u0000c"}]}'
    assert loads(line).turns[0].text == "a?bc"


def test_reading_names_the_file_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(dumps(chat("a")) + "\n\n{broken\n")
    with pytest.raises(BadInput, match=r"log\.jsonl, line 3: not JSON"):
        list(read(path))


def test_reading_a_missing_file_or_bytes_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        list(read(tmp_path / "none.jsonl"))
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(BadInput, match="UTF-8"):
        list(read(tmp_path / "bytes.jsonl"))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write(path, [chat("a")])
    before = path.read_bytes()

    def breaks() -> Iterator[Transcript]:
        yield chat("b")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write(path, breaks())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


def test_the_folder_keeps_each_id_once(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path / "transcripts")
    assert folder.add([chat("a"), chat("b"), chat("a")], "Shop 1").new == 2
    added = folder.add([chat("b"), chat("c")], "Shop 1")
    assert (added.new, added.unchanged) == (1, 1)
    assert sorted(t.id for t in folder.read()) == ["a", "b", "c"]
    assert all(path.name.startswith("shop-1-") for path in folder.files())


def test_adding_the_same_again_changes_no_byte(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path)
    folder.add([chat("a"), chat("b")], "shop")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert folder.add([chat("a"), chat("b")], "shop").new == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_failed_import_adds_nothing(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path)

    def breaks() -> Iterator[Transcript]:
        yield chat("a")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        folder.add(breaks(), "shop")
    assert list(folder.read()) == []
    assert not list(tmp_path.glob(".part-*"))


def test_the_folder_reads_in_the_order_of_time(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path)
    folder.add([chat("late", "2026-03-01T00:00:00Z"), chat("no time")], "one")
    folder.add([chat("early", "2026-01-01T00:00:00Z")], "two")
    assert [t.id for t in folder.read()] == ["no time", "early", "late"]


def test_the_fingerprint_follows_the_content_and_not_the_files(tmp_path: Path) -> None:
    one, two, other = (TranscriptFolder(tmp_path / name) for name in ("one", "two", "other"))
    one.add([chat("a"), chat("b")], "shop")
    two.add([chat("b")], "shop")
    two.add([chat("a")], "else")
    other.add([chat("a"), chat("b", text="changed")], "shop")
    assert one.fingerprint() == two.fingerprint() != other.fingerprint()


def test_every_line_says_its_schema(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [chat("a")])
    assert json.loads((tmp_path / "x.jsonl").read_text())["schema"] == "transcript/1"
