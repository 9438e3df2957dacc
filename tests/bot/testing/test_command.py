"""`deskhand test`: its report and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.commands.test import FailedTests, app
from retrieval.errors import BadInput

DOMAIN = """
intents: [greet, bye]
responses:
  utter_greet: [{text: Hi there}]
  utter_bye: [{text: Bye}]
rules:
- {rule: greet, steps: [{intent: greet}, {action: utter_greet}]}
- {rule: bye, steps: [{intent: bye}, {action: utter_bye}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "domain.yml").write_text(DOMAIN)
    (tmp_path / "test_talk.yml").write_text(
        "- conversation: greeting\n  turns:\n    - {user: /greet, says: [Hi there]}\n"
        "- conversation: goodbye\n  turns:\n    - {user: see you, intent: bye, says: [Bye]}\n"
    )
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(folder), "--data", str(folder / "data"), *arguments])


def test_passing_tests_end_with_their_number_and_the_coverage(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 0, result.output
    assert "2 of 2 tests passed" in result.output
    assert "2 of 2 rules" in result.output
    assert "coverage 100%" in result.output


def test_a_failure_shows_the_first_difference_and_fails(folder: Path) -> None:
    with (folder / "test_talk.yml").open("a") as file:
        file.write("- conversation: broken\n  turns:\n    - {user: /bye, says: [Hi there]}\n    - {user: /nope}\n")
    result = run(folder)
    assert isinstance(result.exception, FailedTests)
    assert "FAILED broken" in result.output
    assert "test_talk.yml:9: wanted says ['Hi there'], got ['Bye'] after '/bye'" in result.output
    assert "2 of 3 tests passed" in result.output


def test_programs_get_json(folder: Path) -> None:
    (folder / "test_story.yml").write_text("stories: [{story: s, steps: [{intent: greet}, {action: utter_bye}]}]\n")
    found = json.loads(run(folder, "--json").output.splitlines()[0])
    assert (found["tests"], found["passed"]) == (3, 2)
    assert found["failures"][0] | {"file": ""} == {
        "test": "s", "file": "", "line": 1, "wanted": "utter_bye", "got": "utter_greet", "said": "/greet",
    }  # fmt: skip
    assert found["parts"]["intents"] == {"total": 2, "missing": []}


def test_no_test_at_all_is_bad_input(folder: Path) -> None:
    (folder / "test_talk.yml").unlink()
    assert isinstance(run(folder).exception, BadInput)


def test_slots_forms_and_who_has_the_conversation_are_compared(folder: Path) -> None:
    (folder / "test_talk.yml").write_text(
        "- conversation: person\n  turns:\n    - {user: /talk_to_person, mode: bot, says: [Hi]}\n"
        "- conversation: slots\n  turns:\n    - {user: /greet, says: [Hi there], slots: {name: Bo}}\n"
        "- conversation: event\n  turns:\n    - {user: /greet, says: [Hi there], event: HandedOff}\n"
    )
    output = run(folder).output
    assert "wanted says ['Hi'], got ['I am passing you on to one of my colleagues.']" in output
    assert "wanted slot name='Bo', got None" in output
    assert "wanted event HandedOff, got SessionStarted, UserSaid, ActionRan, BotSaid" in output
