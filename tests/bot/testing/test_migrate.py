"""`deskhand migrate`: what becomes of a Rasa project, line by line, and a desk that runs its test stories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.commands.migrate import app
from bot.commands.test import FailedTests
from bot.config import load_config
from bot.rasa_project.endpoints import ActionEndpoint, action_endpoint
from bot.rasa_project.project import read_settings
from retrieval.errors import BadInput, NotFound

CONFIG = """recipe: default.v1
language: de
pipeline:
- name: WhitespaceTokenizer
- name: DIETClassifier
- name: addons.sentiment.Analyser
- name: SpacyEntityExtractor
policies:
- name: RulePolicy
  core_fallback_threshold: 0.4
- name: UnexpecTEDIntentPolicy
"""
ENDPOINTS = """action_endpoint:
  url: http://actions:5055/webhook
tracker_store:
  type: redis
  url: cache
  password: ${NOT_SET_ANYWHERE}
event_broker:
  type: kafka
"""
CREDENTIALS = """rest:
callback:
  url: http://shop/bot
socketio:
  user_message_evt: ask
  session_persistence: true
  jwt_key: secret
slack:
  slack_token: ${NOT_SET_ANYWHERE}
"""
DOMAIN = """intents: [greet, bye]
responses:
  utter_greet: [{text: Hi}]
  utter_bye: [{text: Bye}]
"""
DATA = """nlu:
- {intent: greet, examples: [hello, hi there, good morning]}
- {intent: bye, examples: [bye, see you, good bye]}
rules:
- {rule: greet, steps: [{intent: greet}, {action: utter_greet}]}
- {rule: bye, steps: [{intent: bye}, {action: utter_bye}]}
"""
TESTS = """stories:
- story: greeting
  steps: [{user: hello, intent: greet}, {action: utter_greet}, {user: see you, intent: bye}, {action: utter_bye}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {"config": CONFIG, "endpoints": ENDPOINTS, "credentials": CREDENTIALS, "domain": DOMAIN}
    for name, text in {**files, "data/all": DATA, "tests/test_stories": TESTS}.items():
        path = tmp_path / "bot" / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "bot"


def migrate(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_line_of_the_files_is_judged(project: Path) -> None:
    found = read_settings(project)
    judged = {(Path(one.place.file).stem, one.place.line): one.verdict for one in found.all}
    assert judged == {
        ("config", 2): "differs", ("config", 4): "works", ("config", 5): "differs", ("config", 6): "unsupported",
        ("config", 7): "unsupported", ("config", 9): "works", ("config", 10): "differs", ("config", 11): "unsupported",
        ("endpoints", 1): "works", ("endpoints", 3): "differs", ("endpoints", 7): "unsupported",
        ("credentials", 1): "works", ("credentials", 2): "works", ("credentials", 4): "works",
        ("credentials", 7): "differs", ("credentials", 8): "differs",
    }  # fmt: skip
    assert found.counted() == {"works": 6, "differs": 6, "unsupported": 4}
    assert found.environment["DESKHAND_SLACK_BOT_TOKEN"] == "<the value of slack_token>"


def test_the_report_has_it_with_line_numbers_and_checking_writes_nothing(project: Path) -> None:
    result = migrate(project, "--check-only")
    assert result.exit_code == 0, result.output
    assert "2 intents, 6 examples, 0 slots, 0 forms, 2 responses, 0 actions, 2 rules, 0 stories, 1 test stories" in (
        result.output
    )
    assert f"{project}/config.yml:6: addons.sentiment.Analyser: components of your own are not loaded" in result.output
    assert f"{project}/credentials.yml:8: slack: set DESKHAND_SLACK_BOT_TOKEN" in result.output
    assert not (project / "deskhand.yml").exists()


@pytest.mark.slow
def test_a_project_is_trained_and_its_own_test_stories_run(project: Path) -> None:
    before = {path: path.read_text() for path in project.rglob("*.yml")}
    result = migrate(project)
    assert result.exit_code == 0, result.output
    assert "1 of 1 tests passed" in result.output
    assert "export DESKHAND_ACTIONS_URL=http://actions:5055/webhook" in result.output
    assert f"deskhand serve --config {project} --data {project}/deskhand-data" in result.output
    assert {path: path.read_text() for path in before} == before
    channels = load_config(project).channels
    assert channels.callback.url == "http://shop/bot"
    assert (channels.socketio.user_event, channels.socketio.session_persistence) == ("ask", True)
    assert channels.rasa_api.enabled
    assert action_endpoint(project) == ActionEndpoint("http://actions:5055/webhook")
    (project / "tests" / "test_stories.yml").write_text(TESTS.replace("utter_bye", "utter_greet"))
    again = migrate(project, "--json")
    assert isinstance(again.exception, FailedTests)
    found = json.loads(next(line for line in again.output.splitlines() if line.startswith("{")))
    assert found["tests"]["failures"][0]["wanted"] == "utter_greet"


def test_mistakes_in_the_test_stories_stop_it(project: Path) -> None:
    (project / "tests" / "test_more.yml").write_text("stories:\n- story: s\n  steps: [{user: a: b}]\n")
    result = migrate(project)
    assert isinstance(result.exception, BadInput)
    assert "error: the project's test stories:" in result.output
    assert "test_more.yml:3: not YAML" in result.output


def test_what_the_action_endpoint_asks_to_send_is_sent(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = "  headers: {X-Shop: '${SHOP_KEY}'}\n  token: abc\n"
    (project / "endpoints.yml").write_text("action_endpoint:\n  url: http://actions:5055/webhook\n" + headers)
    with pytest.raises(BadInput, match=r"endpoints\.yml:3: \$\{SHOP_KEY\} names a variable that is not set"):
        action_endpoint(project)
    monkeypatch.setenv("SHOP_KEY", "k")
    endpoint = ActionEndpoint("http://actions:5055/webhook", {"X-Shop": "k"}, {"token": "abc"})
    assert action_endpoint(project) == endpoint


def test_errors_in_the_dialogue_stop_it(project: Path) -> None:
    (project / "data" / "rules.yml").write_text("rules:\n- {rule: r, steps: [{intent: gret}]}\n")
    result = migrate(project)
    assert isinstance(result.exception, BadInput)
    assert "data/rules.yml:2: error: intent 'gret' is not in the domain" in result.output


def test_what_is_no_project_is_said(tmp_path: Path) -> None:
    assert isinstance(migrate(tmp_path / "nowhere").exception, NotFound)
    found = migrate(tmp_path).exception
    assert isinstance(found, BadInput)
    assert "has no domain.yml (or domain/) with intents and responses" in str(found)
