"""Rasa's test stories, as `rasa test` judges them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain import Domain, load_domain
from bot.events import UserSaid
from bot.steps import Candidates, Limits
from bot.testing.files import StoryTest, read_tests
from bot.testing.outcome import coverage, share
from bot.testing.stories import run_story
from retrieval.errors import BadInput, NotFound

RASA = Path(__file__).parents[4] / "shared" / "rasa"
PROJECTS = ("moodbot", "formbot", "responseselectorbot", "e2ebot")

DOMAIN = """
intents: [greet, order, inform, chat, faq, bye]
entities: [size]
slots:
  size: {type: text, influence_conversation: false, mappings: [{type: from_entity, entity: size}]}
forms: {order_form: {required_slots: [size]}}
actions: [action_pay]
responses:
  utter_greet: [{text: Hi}]
  utter_chat: [{text: Nice day}]
  utter_bye: [{text: Bye}]
  utter_ask_size: [{text: Which size?}]
  utter_faq/price: [{text: 5 euro}]
rules:
- {rule: greet, steps: [{intent: greet}, {action: utter_greet}]}
- {rule: chat, steps: [{intent: chat}, {action: utter_chat}]}
- {rule: faq, steps: [{intent: faq}, {action: utter_faq}]}
- {rule: order, steps: [{intent: order}, {action: order_form}, {active_loop: order_form}]}
- rule: pay
  condition: [{active_loop: order_form}]
  steps: [{action: order_form}, {active_loop: null}, {action: action_pay}]
"""


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    (tmp_path / "domain.yml").write_text(DOMAIN)
    return load_domain(tmp_path)


def story(steps: str, folder: Path) -> StoryTest:
    file = folder / "test_one.yml"
    file.write_text(f"stories:\n- story: one\n  steps:\n{steps}")
    (found,) = read_tests([file])
    assert isinstance(found, StoryTest)
    return found


def difference(steps: str, domain: Domain, folder: Path) -> str:
    outcome = run_story(story(steps, folder), domain, Limits(), None)
    return str(outcome.difference).removeprefix(f"{folder}/")


def test_a_story_that_goes_as_written_passes(domain: Domain, tmp_path: Path) -> None:
    steps = "  - {user: hello, intent: greet}\n  - action: utter_greet\n"
    assert run_story(story(steps, tmp_path), domain, Limits(), None).passed


def test_the_first_difference_has_its_line_what_was_wanted_and_what_came(domain: Domain, tmp_path: Path) -> None:
    steps = "  - {user: hello, intent: greet}\n  - action: utter_bye\n"
    assert difference(steps, domain, tmp_path) == "test_one.yml:5: wanted utter_bye, got utter_greet after 'hello'"


def test_a_story_that_stops_too_early_or_goes_on_is_a_difference(domain: Domain, tmp_path: Path) -> None:
    early = "  - {user: hello, intent: greet}\n  - action: action_listen\n"
    late = "  - {user: hello, intent: greet}\n  - action: utter_greet\n  - action: utter_bye\n"
    assert "wanted to wait for the customer, got utter_greet" in difference(early, domain, tmp_path)
    assert "wanted utter_bye, got action_listen" in difference(late, domain, tmp_path)


def test_a_form_is_filled_left_for_a_chat_and_comes_back(domain: Domain, tmp_path: Path) -> None:
    steps = """  - {user: one please, intent: order}
  - action: order_form
  - active_loop: order_form
  - {user: nice day, intent: chat}
  - action: utter_chat
  - action: order_form
  - active_loop: order_form
  - {user: "[large](size)", intent: inform}
  - action: order_form
  - active_loop: null
  - action: action_pay
"""
    assert difference(steps, domain, tmp_path) == "None"


def test_a_retrieval_response_may_be_named_in_full_or_by_its_group(domain: Domain, tmp_path: Path) -> None:
    for action in ("utter_faq/price", "utter_faq"):
        steps = f"  - {{user: how much, intent: faq/price}}\n  - action: {action}\n"
        assert difference(steps, domain, tmp_path) == "None"
    steps = "  - {user: how much, intent: faq/price}\n  - action: utter_faq/other\n"
    assert "wanted utter_faq/other, got utter_faq" in difference(steps, domain, tmp_path)


def test_what_was_understood_is_compared_with_intent_and_entities(domain: Domain, tmp_path: Path) -> None:
    def hear(text: str, context: tuple[str, ...]) -> tuple[UserSaid, Candidates]:
        assert text == "a large one"
        return UserSaid(text=text, message_id="", intent="order", confidence=0.9), Candidates()

    wrong = story('  - {user: "a [large](size) one", intent: inform}\n', tmp_path)
    found = str(run_story(wrong, domain, Limits(), hear).difference)
    assert "wanted intent inform, got intent order (0.90, in scope 1.00) after 'a large one'" in found
    lost = story('  - {user: "a [large](size) one", intent: order}\n', tmp_path)
    assert "wanted entity size=large, got entities none" in str(run_story(lost, domain, Limits(), hear).difference)


def test_an_intent_that_nobody_can_be_sure_of_is_said_so(domain: Domain, tmp_path: Path) -> None:
    def hear(text: str, context: tuple[str, ...]) -> tuple[UserSaid, Candidates]:
        return UserSaid(text=text, message_id="", intent="greet", confidence=0.2), Candidates()

    unsure = story("  - {user: hm hm hm, intent: greet}\n  - action: utter_greet\n", tmp_path)
    found = str(run_story(unsure, domain, Limits(), hear).difference)
    assert "got a hand-off (unknown) (not sure of intent greet (0.20, in scope 1.00))" in found


def test_coverage_counts_what_the_tests_went_through(domain: Domain, tmp_path: Path) -> None:
    outcome = run_story(story("  - {intent: greet}\n  - action: utter_greet\n", tmp_path), domain, Limits(), None)
    intents, actions, rules, stories = coverage(domain, [outcome])
    assert (intents.reached, intents.total) == (1, 6)
    assert "action_pay" in actions.missing
    assert rules.missing == ("chat", "faq", "order", "pay")
    assert stories.total == 0
    assert 0 < share([intents, actions, rules, stories]) < 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- conversation: a\n", r"test_a\.yml:1: conversation 'a' has no turns; add `turns:`"),
        ("- conversation: a\n  turns: [{says: [hi]}]\n", r"test_a\.yml:2: a turn of 'a' begins with `- user:"),
        ("- conversation: a\n  turns: [{user: a, sais: [hi]}]\n", r"unknown key 'sais' .*did you mean 'says'\?"),
        ("stories:\n- steps: []\n", r"test_a\.yml:2: an item of `stories` begins with `- story: name`"),
        ("stories: []\n", r"no test in .*test_a\.yml; Rasa's test stories are in files named test_\*\.yml"),
    ],
)
def test_mistakes_in_tests_are_named_with_their_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "test_a.yml").write_text(text)
    with pytest.raises(BadInput, match=message):
        read_tests([tmp_path / "test_a.yml"])


def test_training_stories_are_no_tests(tmp_path: Path) -> None:
    (tmp_path / "stories.yml").write_text("stories: [{story: a, steps: [{intent: a}]}]\n")
    with pytest.raises(BadInput, match="no test in"):
        read_tests([tmp_path])
    with pytest.raises(NotFound, match="no such file or folder"):
        read_tests([tmp_path / "nowhere"])


@pytest.mark.skipif(not RASA.is_dir(), reason="the projects of ../shared/rasa are not here")
@pytest.mark.parametrize("project", PROJECTS)
def test_the_dialogue_of_rasas_projects_passes_their_own_test_stories(project: str) -> None:
    folder = RASA / "projects" / project
    domain = load_domain(folder)
    outcomes = [run_story(one, domain, Limits(), None) for one in read_tests([folder]) if isinstance(one, StoryTest)]
    assert outcomes
    assert [str(outcome.difference) for outcome in outcomes if not outcome.passed] == []
