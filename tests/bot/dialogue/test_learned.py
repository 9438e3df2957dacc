"""Where no rule and no story speaks, the policy that was learned from the stories does, when it is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.domain import Domain, load_domain
from bot.events import ActionRan
from bot.learned import action_names, story_dialogues
from bot.steps import Candidates
from bot.tracker import to_tracker
from retrieval.policy import LearnedPolicy
from retrieval.types import AnswerHit, Matrix
from training.policy import fit

STORIES = """
version: "3.1"
intents: [greet, concerts, venues, reviews, thanks, help, loud]
slots: {likes_music: {type: bool, mappings: [{type: custom}]}}
responses:
  utter_greet: [{text: Hello.}]
  utter_concerts: [{text: Two concerts.}]
  utter_venues: [{text: Two venues.}]
  utter_reviews: [{text: Both are good.}]
  utter_welcome: [{text: You are welcome.}]
  utter_help: [{text: Ask for concerts.}]
  utter_more: [{text: Anything else?}]
rules:
  - {rule: help, steps: [{intent: help}, {action: utter_help}]}
stories:
"""
FLOWS = {"greet": "utter_greet", "concerts": "utter_concerts", "venues": "utter_venues", "thanks": "utter_welcome"}


def encode(texts: Sequence[str]) -> Matrix:
    return np.zeros((len(texts), 1), np.float32)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    """Every two of the four requests in a story; no story has three."""
    stories = "".join(
        f"  - story: {a} {b}\n    steps: [{{intent: {a}}}, {{action: {FLOWS[a]}}}, {{action: utter_more}}, "
        f"{{intent: {b}}}, {{action: {FLOWS[b]}}}, {{action: utter_more}}]\n"
        for a in FLOWS
        for b in FLOWS
        if a != b
    )
    path: Path = tmp_path_factory.mktemp("project") / "domain.yml"
    path.write_text(STORIES + stories)
    return load_domain(path)


@pytest.fixture(scope="module")
def policy(project: Domain) -> LearnedPolicy:
    return replace(fit(story_dialogues(project), encode, seed=1, steps=400), threshold=0.6)


@pytest.fixture
def talk(project: Domain, policy: LearnedPolicy, new_desk: Any) -> Any:
    desk = new_desk(project)

    def say(intent: str, *answers: AnswerHit, policy: LearnedPolicy | None = policy, **more: Any) -> list[str]:
        heard = {"intent": intent, **more}
        said: list[str] = desk.texts(intent, candidates=Candidates(answers, policy=policy), **heard)
        return said

    desk.ask = say
    return desk


def policies(talk: Any) -> list[str]:
    return [event.policy for event in talk.conversation.events if isinstance(event, ActionRan)]


def test_its_actions_are_marked_and_rules_and_stories_come_first(talk: Any) -> None:
    assert talk.ask("help") == ["Ask for concerts."]
    assert policies(talk) == ["rule"]
    assert talk.ask("concerts") == ["Two concerts.", "Anything else?"]
    assert set(policies(talk)[1:]) == {"story"}, "remembered word for word"
    names = [event.get("policy") for event in to_tracker(talk.conversation, talk.domain)["events"]]
    assert "MemoizationPolicy" in names


def test_it_acts_where_no_story_fits(talk: Any) -> None:
    talk.domain = replace(talk.domain, stories=())
    assert talk.ask("concerts") == ["Two concerts.", "Anything else?"]
    assert talk.ask("venues") == ["Two venues.", "Anything else?"]
    assert talk.ask("thanks") == ["You are welcome.", "Anything else?"]
    assert set(policies(talk)) == {"learned"}
    names = [event.get("policy") for event in to_tracker(talk.conversation, talk.domain)["events"]]
    assert "TEDPolicy" in names


def test_it_is_silent_about_what_it_is_not_sure_of(talk: Any, policy: LearnedPolicy) -> None:
    talk.domain = replace(talk.domain, stories=())
    unsure = replace(policy, threshold=1.0)
    assert talk.ask("concerts", policy=unsure)[0].startswith("I do not know")


def test_an_intent_that_is_not_sure_is_not_acted_on(talk: Any) -> None:
    talk.domain = replace(talk.domain, stories=())
    assert talk.ask("concerts", confidence=0.3)[0].startswith("I do not know")


def test_an_answer_that_is_surer_comes_first(talk: Any) -> None:
    talk.domain = replace(talk.domain, stories=())
    assert talk.ask("concerts", AnswerHit("a1", "Ask at the door.", 0.999, 0.999)) == ["Ask at the door."]
    assert talk.ask("venues", AnswerHit("a1", "Ask at the door.", 0.5, 0.5)) == ["Two venues.", "Anything else?"]


def test_an_action_that_the_project_no_longer_has_is_not_run(talk: Any) -> None:
    responses = {name: said for name, said in talk.domain.responses.items() if name != "utter_venues"}
    talk.domain = replace(talk.domain, stories=(), responses=responses)
    assert talk.ask("venues")[0].startswith("I do not know")


def test_validations_are_nothing_to_learn(shop: Domain) -> None:
    names = action_names(shop)
    assert {"utter_greet", "order_status_form", "action_order_status"} <= names
    assert "validate_order_status_form" not in names
