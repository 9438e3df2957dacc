from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.commands.transcripts import app
from retrieval.errors import BadInput, NotFound

LOG = (
    "thread,who,body\n"
    "1,kim,my name is Anna and my parcel is late\n1,lee,I am sorry to hear that Anna\n"
    "2,pat,can I return a shirt please\n2,lee,yes you can within 30 days\n"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return path


def run(*args: object) -> str:
    result = CliRunner().invoke(app, list(map(str, args)), catch_exceptions=False)
    if result.exception:
        raise result.exception
    return result.stdout


def imported(log: Path, *more: str) -> str:
    return run(
        "import",
        log,
        "--agent",
        "lee",
        "--column",
        "conversation=thread,text=body",
        "--data",
        log.parent / "data",
        *more,
    )


def test_import_shows_how_the_table_was_read(log: Path) -> None:
    said = imported(log)
    assert "2 conversations, 2 new, 0 already there" in said
    assert "conversation=thread, text=body, by=who" in said
    assert "2 customer, 1 agent" in said
    assert "0 new, 2 already there" in imported(log)


def test_import_reports_in_json(log: Path) -> None:
    (facts,) = json.loads(imported(log, "--json"))
    assert (facts["read"], facts["new"], facts["rejected"], facts["format"]) == (2, 2, 0, "table")


def test_a_dry_run_shows_a_masked_conversation_and_makes_no_directory(log: Path) -> None:
    said = imported(log, "--dry-run")
    assert "customer: my name is <NAME> and my parcel is late" in said
    assert not (log.parent / "data").exists()


def test_an_import_masks_what_the_configuration_of_the_desk_says(log: Path, tmp_path: Path) -> None:
    more = "3,kim,club 4711 here and my number is 07700 900123\n3,lee,hello Priya told me about you\n"
    log.write_text(LOG + more)
    config = tmp_path / "config"
    config.mkdir()
    rules = "redaction: {region: GB, patterns: {LOYALTY: 'club (\\d{4})'}, agents: [Priya]}"
    (config / "deskhand.yml").write_text(rules)
    imported(log, "--config", str(config))
    texts = run("export", "-", "--data", log.parent / "data")
    assert "club <LOYALTY> here and my number is <PHONE>" in texts
    assert "hello <NAME> told me" in texts
    with pytest.raises(BadInput, match="region 'XX' is no country"):
        imported(log, "--region", "XX")


def test_list_counts_by_source_language_and_week(log: Path) -> None:
    imported(log)
    facts = json.loads(run("list", "--json", "--data", log.parent / "data"))
    assert (facts["conversations"], facts["turns"], facts["source"]) == (2, 4, {"log": 2})
    assert facts["week"] == {"?": 2}
    assert "2 conversations, 4 turns" in run("list", "--data", log.parent / "data")


def test_show_prints_one_conversation_by_the_beginning_of_its_id(log: Path) -> None:
    imported(log)
    data = log.parent / "data"
    ids = [json.loads(line)["id"] for line in run("export", "-", "--data", data).splitlines()]
    assert "agent: I am sorry" in "".join(run("show", id, "--data", data) for id in ids)
    assert json.loads(run("show", ids[0][:-2], "--json", "--data", data))["id"] == ids[0]
    with pytest.raises(BadInput, match="2 transcripts begin with 'log'"):
        run("show", "log", "--data", data)
    with pytest.raises(NotFound, match="no transcript 'nope'"):
        run("show", "nope", "--data", data)


def test_what_is_exported_can_be_imported_elsewhere(log: Path, tmp_path: Path) -> None:
    imported(log)
    out = tmp_path / "out.jsonl"
    assert "2 conversations written" in run("export", out, "--data", log.parent / "data")
    assert "2 new" in run("import", out, "--data", tmp_path / "other")
    again = run("export", "-", "--data", tmp_path / "other").splitlines()
    assert [json.loads(line) for line in again] == [json.loads(line) for line in out.read_text().splitlines()]


def test_a_column_option_that_is_no_pair_is_refused(log: Path) -> None:
    with pytest.raises(BadInput, match="write ROLE=COLUMN"):
        run("import", log, "--column", "body", "--data", log.parent / "data")
