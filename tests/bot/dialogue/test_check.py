"""`deskhand check`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from bot.commands.check import DialogueErrors, app
from retrieval.errors import NotFound

ROOT = Path(__file__).parents[3]


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_files_without_a_problem_are_counted() -> None:
    result = check(str(ROOT / "config"))
    assert result.exit_code == 0
    assert "5 intents, 60 examples, 0 slots, 0 forms, 7 responses, 0 actions, 5 rules, 0 stories" in result.output
    assert "0 errors, 0 warnings" in result.output


def test_the_demo_shop_has_no_problem() -> None:
    assert check(str(ROOT / "config" / "demo"), "--strict").exit_code == 0


def test_an_error_is_shown_with_file_and_line_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "domain.yml"
    file.write_text("intents: [a]\nrules:\n  - rule: r\n    steps:\n      - intent: a\n      - action: utter_a\n")
    result = check(str(tmp_path))
    assert isinstance(result.exception, DialogueErrors)
    assert f"{file}:6: error: response 'utter_a' is not in the domain" in result.output


def test_warnings_fail_only_when_asked_to(tmp_path: Path) -> None:
    (tmp_path / "domain.yml").write_text("intents: [unused]\n")
    assert check(str(tmp_path)).exit_code == 0
    assert isinstance(check(str(tmp_path), "--strict").exception, DialogueErrors)


def test_programs_get_json(tmp_path: Path) -> None:
    (tmp_path / "domain.yml").write_text("intents: [unused]\n")
    found = json.loads(check(str(tmp_path), "--json").output)
    assert found["intents"] == 1
    assert [(problem["line"], problem["level"]) for problem in found["problems"]] == [(1, "warning")]


def test_a_folder_that_is_not_there_is_named() -> None:
    assert isinstance(check("nowhere").exception, NotFound)
