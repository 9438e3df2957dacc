"""The two-stage fallback: did you mean it, say it in other words, did you mean it, a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.domain import Domain, load_domain
from bot.events import HandedOff, UserSaid
from bot.tracker import to_tracker
from bot.widget.view import frame

DOMAIN = """
version: "3.1"
intents: [greet, ask_hours, affirm, deny, out_of_scope, nlu_fallback]
responses:
  utter_greet: [{text: Hello.}]
  utter_hours: [{text: We are here from 9 to 5.}]
  utter_no: [{text: All right.}]
rules:
  - {rule: greet, steps: [{intent: greet}, {action: utter_greet}]}
  - {rule: hours, steps: [{intent: ask_hours}, {action: utter_hours}]}
  - {rule: deny, steps: [{intent: deny}, {action: utter_no}]}
  - rule: two stages
    steps: [{intent: nlu_fallback}, {action: action_two_stage_fallback}, {active_loop: action_two_stage_fallback}]
"""
MEAN = "Did you mean 'ask hours'?"
AGAIN = "I am sorry, I did not understand that. Could you rephrase it?"
PERSON = "I do not know the answer to that. I am passing your question on to one of my colleagues."
UNSURE: dict[str, Any] = {
    "intent": "ask_hours",
    "confidence": 0.3,
    "ranking": ({"name": "ask_hours", "confidence": 0.3},),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    path: Path = tmp_path_factory.mktemp("two-stage") / "domain.yml"
    path.write_text(DOMAIN)
    return load_domain(path)


@pytest.fixture
def talk(project: Domain, new_desk: Any) -> Any:
    return new_desk(project)


def test_a_guess_is_asked_about_and_yes_is_as_good_as_saying_it(talk: Any) -> None:
    (asked,) = talk.say("are you there on Sunday or what", **UNSURE)
    assert asked["text"] == MEAN
    assert [button["payload"] for button in asked["buttons"]] == ["/ask_hours", "/out_of_scope"]
    assert talk.conversation.loop == "action_two_stage_fallback"
    assert talk.texts("/ask_hours") == ["We are here from 9 to 5."]
    assert talk.conversation.loop is None


def test_a_yes_in_words_counts_as_the_button(talk: Any) -> None:
    talk.say("are you there on Sunday or what", **UNSURE)
    assert talk.texts("yes", intent="affirm") == ["We are here from 9 to 5."]
    assert talk.conversation.latest.intent == "ask_hours"


def test_no_leads_to_other_words_and_those_are_understood(talk: Any) -> None:
    talk.say("are you there on Sunday or what", **UNSURE)
    assert talk.texts("/out_of_scope") == [AGAIN]
    assert talk.texts("hello then", intent="greet") == ["Hello."]
    assert talk.conversation.loop is None
    assert talk.texts("hello", intent="greet") == ["Hello."]


def test_after_the_second_no_a_person_takes_over(talk: Any) -> None:
    talk.say("are you there on Sunday or what", **UNSURE)
    assert talk.texts("no", intent="deny") == [AGAIN]
    assert talk.texts("well you know", **UNSURE) == [MEAN]
    assert talk.texts("/out_of_scope") == [PERSON]
    assert talk.conversation.mode == "waiting"
    assert [event.reason for event in talk.conversation.events if isinstance(event, HandedOff)] == ["unknown"]


def test_two_messages_in_a_row_that_nobody_understands_go_to_a_person(talk: Any) -> None:
    assert talk.texts("are you there on Sunday or what", **UNSURE) == [MEAN]
    assert talk.texts("I mean the day after Saturday", **UNSURE) == [PERSON]
    assert talk.conversation.loop is None


def test_without_a_guess_other_words_are_asked_for_at_once(talk: Any) -> None:
    assert talk.texts("gfdsa hjkl gfdsa") == [AGAIN]
    assert talk.texts("hello", intent="greet") == ["Hello."]


def test_a_person_can_be_asked_for_at_every_stage(talk: Any) -> None:
    talk.say("are you there on Sunday or what", **UNSURE)
    talk.say("/talk_to_person")
    assert talk.conversation.mode == "waiting"


def test_what_was_understood_stands_in_place_of_what_was_not(talk: Any) -> None:
    talk.say("are you there on Sunday or what", **UNSURE)
    talk.say("/ask_hours")
    heard = [mark.event.intent for mark in talk.conversation.marks if isinstance(mark.event, UserSaid)]
    assert heard == ["ask_hours"], "no rule or story sees the detour"
    kinds = [event["event"] for event in to_tracker(talk.conversation, talk.domain)["events"]]
    assert kinds[-6:] == ["rewind", "rewind", "action", "user", "action", "bot"], "as Rasa writes it"
    shown = [one["text"] for one in frame(0, talk.conversation.events)["events"] if one["kind"] == "customer"]
    assert shown == ["are you there on Sunday or what", "/ask_hours"], "the customer sees it once"
