from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import BadInput
from training.importers import Options


def turns(desk: Any) -> list[list[tuple[str, str]]]:
    return [[(turn.by, turn.text) for turn in transcript.turns] for transcript in desk.folder.read()]


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_delimiter_and_encoding_are_found(desk: Any, table: Any, sep: str, encoding: str) -> None:
    text = table(sep=sep).replace("Where", "Où est-il à présent, where")
    text = text if sep != "," else text.replace("présent, where", "présent where")
    report = desk.imports(desk.file("log.csv", text, encoding))
    assert report.layout is not None
    assert (report.new, report.layout.delimiter) == (4, sep)
    assert turns(desk)[0][0][1].startswith("Où est-il à présent")


def test_other_column_names_are_recognised_and_shown(desk: Any, table: Any) -> None:
    report = desk.imports(desk.file("log.csv", table(header="Thread ID,Created At,Author,Message")))
    assert report.layout.columns == {"conversation": "Thread ID", "at": "Created At", "by": "Author", "text": "Message"}


def test_columns_with_meaningless_names_are_recognised_by_content(desk: Any, table: Any) -> None:
    report = desk.imports(desk.file("log.csv", table(9, header="a,b,c,d")))
    assert report.layout.columns == {"conversation": "a", "at": "b", "by": "c", "text": "d"}


def test_columns_and_agents_can_be_said(desk: Any) -> None:
    rows = "x,y,z,w\n1,kim,hello there friend,note\n1,lee,hello back to you,note\n"
    options = Options({"conversation": "x", "by": "y", "text": "z"}, agents=("lee",))
    desk.imports(desk.file("log.csv", rows), options)
    assert turns(desk) == [[("customer", "hello there friend"), ("agent", "hello back to you")]]


def test_an_unknown_column_is_an_error_that_shows_the_columns_and_the_nearest(desk: Any, table: Any) -> None:
    path = desk.file("log.csv", table())
    with pytest.raises(BadInput, match=r"no column 'speeker'; there are .*Did you mean 'speaker'"):
        desk.imports(path, Options({"by": "speeker"}))
    with pytest.raises(BadInput, match=r"unknown role 'author'; known: conversation, by, text"):
        desk.imports(path, Options({"author": "speaker"}))


def test_columns_that_cannot_be_told_are_asked_for(desk: Any) -> None:
    with pytest.raises(BadInput, match=r"no column found for .*text.*--column"):
        desk.imports(desk.file("log.csv", "p,q\n1,2\n3,4\n"))


def test_people_who_talk_in_many_chats_are_the_agents(desk: Any) -> None:
    rows = ["chat,author,message"]
    for n, (customer, agent) in enumerate(
        zip("Ann Bea Cid Dan Eva".split(), "Tom Tom Kim Tom Kim".split(), strict=True)
    ):
        rows += [
            f"{n},{customer},my parcel is late",
            f"{n},{agent},sorry to hear that",
            f"{n},{customer},bye then {agent}",
        ]
    rows += ["5,Fay,hello are you there", "5,Kim,yes I am here"]
    report = desk.imports(desk.file("log.csv", "\n".join(rows)))
    assert sorted(name for name, by in report.layout.speakers.items() if by == "agent") == ["Kim", "Tom"]
    assert ("customer", "bye then <NAME>") in turns(desk)[0]
    assert "Tom" not in str(turns(desk))


def test_authors_that_cannot_be_told_apart_are_asked_for(desk: Any) -> None:
    rows = "chat,author,message\n1,Ann,hello you there\n1,Tom,hello you too\n2,Ann,it is me\n2,Tom,me again too\n"
    with pytest.raises(BadInput, match=r"cannot tell who the agents are among 'Ann', 'Tom'.*--agent"):
        desk.imports(desk.file("log.csv", rows))
    with pytest.raises(BadInput, match=r"--agent 'Tim': nobody has that name"):
        desk.imports(desk.file("log.csv", rows), Options(agents=("Tim",)))


def test_a_table_without_agent_turns_is_an_error_with_the_cure(desk: Any, table: Any) -> None:
    with pytest.raises(BadInput, match=r"no turn is by an agent: the authors are 'customer'.*--agent"):
        desk.imports(desk.file("log.csv", table().replace("agent", "customer")))


def test_a_conversation_with_one_side_goes_in_and_is_counted(desk: Any, table: Any) -> None:
    report = desk.imports(desk.file("log.csv", table() + "c9,2026-02-01T10:00:00Z,customer,Is anybody there at all?\n"))
    assert (report.new, report.one_sided) == (5, 1)


def test_turns_are_ordered_by_time_and_rows_may_be_mixed(desk: Any, table: Any) -> None:
    header, *rows = table(3).splitlines()
    desk.imports(desk.file("log.csv", "\n".join([header, *reversed(rows)])))
    assert [[by for by, _ in chat] for chat in turns(desk)] == [["customer", "agent"]] * 3


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("01/31/2026 09:30", "2026-01-31T09:30:00Z"),
        ("31/01/2026 09:30:00", "2026-01-31T09:30:00Z"),
        ("31.01.2026 09:30", "2026-01-31T09:30:00Z"),
        ("01/31/2026 09:30 PM", "2026-01-31T21:30:00Z"),
        ("1769851800", "2026-01-31T09:30:00Z"),
        ("1769851800000", "2026-01-31T09:30:00Z"),
        ("Sat Jan 31 09:30:00 +0000 2026", "2026-01-31T09:30:00Z"),
        ("Sat, 31 Jan 2026 09:30:00 +0100", "2026-01-31T08:30:00Z"),
        ("2026-01-31 09:30:00 UTC", "2026-01-31T09:30:00Z"),
    ],
)
def test_the_usual_ways_to_write_a_time_are_read(desk: Any, written: str, expected: str) -> None:
    rows = f'chat,by,text,time\n1,customer,hello there,"{written}"\n1,agent,hello to you,"{written}"\n'
    desk.imports(desk.file("log.csv", rows))
    assert [t.started_at for t in desk.folder.read()] == [expected]


def test_a_column_of_nonsense_times_can_be_left_out(desk: Any, table: Any) -> None:
    text = table().replace("2026-", "soon")
    with pytest.raises(BadInput, match=r"column 'time' holds no times .*--column at=-"):
        desk.imports(desk.file("log.csv", text))
    assert desk.imports(desk.file("log.csv", text), Options({"at": "-"})).new == 4


def test_rows_that_cannot_be_read_go_to_quarantine_with_line_and_reason(desk: Any, table: Any) -> None:
    lines = table(12).splitlines()
    lines[3] = "c1,2026-01-02T10:00:00Z,customer"
    lines[5] = "c2,yesterday,customer,call me at 415-555-0142"
    lines[7] = "c3,2026-01-02T10:00:00Z,,who am I"
    lines[9] = "c4,2026-01-02T10:00:00Z,customer,"
    report = desk.imports(desk.file("log.csv", "\n".join(lines)))
    rows = [json.loads(line) for line in report.quarantine.read_text().splitlines()]
    assert [row["line"] for row in rows] == [4, 6, 8, 10]
    assert [row["reason"].split(";")[0] for row in rows] == [
        "3 fields where the header has 4",
        "the time 'yesterday' is not written like the others of its column",
        "column 'speaker' is empty",
        "column 'text' is empty",
    ]
    assert rows[1]["raw"].endswith("call me at <PHONE>")
    assert report.new == 12


def test_a_quote_that_is_never_closed_costs_one_row(desk: Any, table: Any) -> None:
    lines = table(8).splitlines()
    lines[5] = 'c2,2026-01-03T10:00:00Z,customer,"I said no'
    report = desk.imports(desk.file("log.csv", "\n".join(lines)))
    assert [(r.line, r.reason.split(";")[0]) for r in report.rejected] == [
        (6, "a quote opened in this row is never closed")
    ]
    assert sum(map(len, turns(desk))) == 15


def test_a_message_may_hold_line_breaks_delimiters_and_quotes(desk: Any, table: Any) -> None:
    text = (
        table() + 'c9,2026-02-01T10:00:00Z,customer,"one, two\n""three"""\nc9,2026-02-01T10:01:00Z,agent,fine with me\n'
    )
    desk.imports(desk.file("log.csv", text))
    assert turns(desk)[-1][0] == ("customer", 'one, two\n"three"')


def test_a_message_of_a_megabyte_is_refused_and_the_rest_goes_in(desk: Any, table: Any) -> None:
    text = table() + f"c9,2026-02-01T10:00:00Z,customer,{'x' * 1_000_000}\n"
    report = desk.imports(desk.file("log.csv", text))
    assert report.new == 4
    assert "1000000 characters" in report.rejected[0].reason
    assert report.quarantine.stat().st_size < 20_000


def test_single_broken_bytes_cost_their_row_only(desk: Any, table: Any) -> None:
    data = table(8).replace("way", "wäy").encode().replace(b"number 3", b"number \xff")
    report = desk.imports(desk.file("log.csv", data))
    assert [rejected.line for rejected in report.rejected] == [8]
    assert turns(desk)[0][1][1] == "It is on its wäy to you."


def test_ids_do_not_show_the_key_and_are_the_same_in_every_export(desk: Any, table: Any) -> None:
    text = table().replace("c0", "+14155550142")
    desk.imports(desk.file("log.csv", text), Options(source="shop"))
    ids = {t.id for t in desk.folder.read()}
    assert not any("415" in id for id in ids)
    again = desk.imports(desk.file("newer.csv", text), Options(source="shop"))
    assert (again.new, again.unchanged) == (0, 4)


def test_a_shared_help_desk_table_goes_in_whole(desk: Any, shared: Path) -> None:
    path = shared / "data" / "helpdesk_fixtures" / "derived_generic.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    report = desk.imports(path)
    assert (report.new, report.one_sided, report.rejected) == (60, 0, [])
    assert report.layout.columns == {"conversation": "conversation_id", "by": "speaker", "text": "text", "at": "time"}
