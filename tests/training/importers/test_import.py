from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from bot.redaction import Redactor
from bot.transcript import Transcript, Turn, dumps
from retrieval.errors import BadInput, Unavailable
from training.importers import Options, detect, import_files


def line(id: str, text: str = "Where is my parcel please?", **more: Any) -> str:
    turns = [{"by": "customer", "text": text}, {"by": "agent", "text": "On its way."}]
    return json.dumps({"schema": "transcript/1", "id": id, "turns": turns, **more})


def test_the_same_file_twice_changes_no_byte(desk: Any, table: Any) -> None:
    path = desk.file("log.csv", table() + "broken\n")
    first = desk.imports(path)
    before = desk.bytes()
    second = desk.imports(path)
    assert (first.new, second.new, second.unchanged) == (4, 0, 4)
    assert desk.bytes() == before
    assert first.quarantine == second.quarantine is not None


def test_nothing_raw_is_stored(desk: Any) -> None:
    text = "my name is Anna Smith, anna@x.example, 4111 1111 1111 1111"
    desk.imports(desk.file("log.jsonl", "\n".join([line("a", text, customer="anna@x.example"), "{" + text])))
    stored = b"".join(desk.bytes().values())
    assert not [secret for secret in (b"Anna", b"anna@", b"4111") if secret in stored]


def test_a_transcript_file_keeps_ids_labels_and_outcome(desk: Any) -> None:
    transcript = Transcript(
        "a", "desk", "chat", "de", turns=(Turn("customer", "hallo"), Turn("agent", "guten Tag", action="greet"))
    )
    desk.imports(desk.file("log.jsonl", dumps(transcript)))
    assert list(desk.folder.read()) == [transcript]


def test_the_language_is_found_when_the_source_does_not_say(desk: Any) -> None:
    lines = [line("a"), line("b", "Wo bleibt denn mein Paket, bitte?"), line("c", "ok"), line("d", language="nl")]
    desk.imports(desk.file("log.jsonl", "\n".join(lines)))
    assert {t.id: t.language for t in desk.folder.read()} == {"a": "en", "b": "de", "c": None, "d": "nl"}


def test_lines_that_cannot_be_read_are_refused_one_by_one(desk: Any) -> None:
    lines = [
        line("a"),
        "not json",
        line("b"),
        line("b", "another text"),
        line("a"),
        '{"id":"c","turns":[]}',
        line("d", "x" * 10**6),
    ]
    report = desk.imports(desk.file("log.jsonl", "\n\n".join(lines)))
    assert (report.new, report.repeated) == (2, 1)
    assert [(r.line, r.reason.split(":")[0][:30]) for r in report.rejected] == [
        (3, "not JSON"),
        (7, "id 'b' stands for another conv"),
        (11, "turns is []; it must be a list"),
        (13, "turns[0].text has 1000000 char"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b" \n\n", "is empty"),
        ("photo.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "binary file"),
        ("header.csv", b"conversation,by,text\n", "no row that can be read"),
        ("words.txt", b"just some words\nand more of them\n", "one column only"),
        ("other.json", b'{"tickets": [{"id": 1}]}', "neither transcript/1 lines"),
        ("broken.jsonl", b'{"turns": broken}\n', "nothing could be read as jsonl, 1 refused. Line 1: not JSON"),
        ("empty.json", b"[]", "neither"),
    ],
)
def test_a_file_that_is_no_log_is_an_error_that_says_what_it_is(
    desk: Any, name: str, content: bytes, says: str
) -> None:
    with pytest.raises(BadInput) as error:
        desk.imports(desk.file(name, content))
    assert says in str(error.value)
    assert name in str(error.value)
    assert list(desk.folder.read()) == []


def test_a_missing_file_a_folder_and_an_unknown_format_are_named(desk: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.csv does not exist"):
        desk.imports(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="give a file"):
        desk.imports(tmp_path)
    with pytest.raises(BadInput, match="--format xml: unknown; known: auto, jsonl, table, rasa"):
        desk.imports(desk.file("a.xml", "<a/>"), format="xml")


def test_a_full_disk_is_an_error_and_adds_nothing(desk: Any, table: Any) -> None:
    desk.imports(desk.file("small.csv", table()))
    before, path = desk.bytes(), desk.file("log.csv", table(50))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
        with pytest.raises(Unavailable, match=r"the import stopped: .*File too large.*free the disk and repeat"):
            desk.imports(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert desk.bytes() == before
    assert desk.imports(path).new == 50


def test_a_dry_run_reports_and_writes_nothing(desk: Any, table: Any) -> None:
    report = desk.imports(desk.file("log.csv", table() + "broken\n"), dry_run=True)
    assert (report.new, len(report.rejected), report.quarantine) == (4, 1, None)
    assert report.sample is not None
    assert desk.bytes() == {}


def contact_log(customers: int, **more: Any) -> str:
    rows = []
    for n in range(customers):
        turns = [
            {"by": "customer", "text": "it is me@x.example again, how do I reach returns?"},
            {
                "by": "agent",
                "text": f"me@x.example is noted. Write to returns@shop.example or 800-433-7300, case of c{n}@x.example",
            },
        ]
        rows.append(json.dumps({"id": f"chat-{n}", "turns": turns, **more}))
    return "\n".join(rows)


def test_contact_values_that_the_desk_gives_to_everybody_stay(desk: Any) -> None:
    report = desk.imports(desk.file("log.jsonl", contact_log(5)))
    assert report.public == ["800-433-7300", "returns@shop.example"]
    replies = {transcript.turns[1].text for transcript in desk.folder.read()}
    assert replies == {"<EMAIL> is noted. Write to returns@shop.example or 800-433-7300, case of <EMAIL_2>"}


@pytest.mark.parametrize(
    ("log", "options"),
    [
        (contact_log(4), Options()),
        (contact_log(9, customer="always the same"), Options()),
        (contact_log(9), Options(public_after=0)),
    ],
)
def test_contact_values_that_few_were_given_are_masked(desk: Any, log: str, options: Options) -> None:
    assert desk.imports(desk.file("log.jsonl", log), options).public == []
    assert "returns@" not in b"".join(desk.bytes().values()).decode()


def test_names_of_agents_and_customers_are_learned_from_the_whole_log(desk: Any) -> None:
    said = [
        ("my name is Anna", "Kasia here, one moment. Best wishes, Fernwood Outdoor"),
        ("anna again, this is anna", "Happy trails, Kasia. Fernwood is with you"),
        ("name is Anna", "You are talking to Kasia, of Fernwood"),
        ("hello", "this is Kasia from Fernwood Outdoor"),
    ]
    turns = [[{"by": "customer", "text": a}, {"by": "agent", "text": b}] for a, b in said]
    desk.imports(desk.file("log.jsonl", "\n".join(json.dumps({"id": n, "turns": t}) for n, t in enumerate(turns))))
    stored = b"".join(desk.bytes().values()).decode()
    assert "Kasia" not in stored
    assert "this is <NAME>" in stored
    assert "of Fernwood" in stored


def test_what_is_public_once_stays_public_and_the_operator_may_add(desk: Any) -> None:
    desk.imports(desk.file("log.jsonl", contact_log(5)))
    desk.folder.publish(["Press@Shop.example"])
    desk.imports(desk.file("more.jsonl", line("z", "is it returns@shop.example or press@shop.example?")))
    (found,) = [transcript for transcript in desk.folder.read() if transcript.id == "z"]
    assert found.turns[0].text == "is it returns@shop.example or press@shop.example?"


def test_formats_are_told_by_content_not_by_name(desk: Any, table: Any) -> None:
    assert detect(desk.file("a.csv", line("a"))) == "jsonl"
    assert detect(desk.file("b.json", json.dumps({"sender_id": "x", "events": []}))) == "rasa"
    assert detect(desk.file("c.json", table())) == "table"
    assert detect(desk.file("d.txt", line("a"), "utf-16")) == "jsonl"


def test_progress_reaches_the_end(desk: Any, table: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    path = desk.file("log.csv", table())
    import_files([path], "auto", Options(), desk.folder, desk.quarantine, Redactor(), lambda *step: seen.append(step))
    assert seen[-1] == ("log.csv", 4, 4)
