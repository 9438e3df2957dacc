"""Slot filling by every kind of mapping, and rules and stories where the conversations do not reach."""
# ruff: noqa: E501 - tables read best unbroken

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.conversation import fold
from bot.domain import Domain, load_domain
from bot.events import LoopChanged, SlotSet, UserSaid
from bot.forms import extract
from bot.slots import Slot

DOMAIN = """
intents: [inform, ask, book, chat, {quiet: {use_entities: []}}, {loud: {ignore_entities: [city]}}]
entities: [city, {date: {roles: [from, to]}}, {noise: {influence_conversation: false}}, colour]
slots:
  home: {type: text, mappings: [{type: from_entity, entity: city, conditions: [{active_loop: trip}]}]}
  away: {type: text, mappings: [{type: from_entity, entity: city, conditions: [{active_loop: trip}]}]}
  start: {type: text, mappings: [{type: from_entity, entity: date, role: from}]}
  end: {type: text, mappings: [{type: from_entity, entity: date, role: to}]}
  colours: {type: list, mappings: [{type: from_entity, entity: colour}]}
  kind: {type: text, mappings: [{type: from_trigger_intent, intent: book, value: booking, conditions: [{active_loop: trip}]}]}
  mood: {type: bool, mappings: [{type: from_intent, intent: [inform, ask], value: true}, {type: from_intent, value: false, not_intent: chat}]}
  note: {type: text, mappings: [{type: from_text, conditions: [{active_loop: trip, requested_slot: note}]}]}
  outside: {type: text, mappings: [{type: from_text, intent: chat, conditions: [{active_loop: null}]}]}
  loose: {type: text, mappings: [{type: from_text}]}
forms:
  trip: {required_slots: [home, away, kind, note, loose], ignored_intents: chat}
responses:
  utter_ask_home: [{text: From where?}]
  utter_ask_away: [{text: Where to?}]
  utter_ask_note: [{text: Anything else?}]
  utter_ask_loose: [{text: And?}]
"""


@pytest.fixture(scope="module")
def trip(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    folder = tmp_path_factory.mktemp("trip")
    (folder / "domain.yml").write_text(DOMAIN)
    return load_domain(folder)


def filled(domain: Domain, text: str, intent: str | None, *entities: dict[str, Any], form: bool = False, asked: Any = None,
           confidence: float = 0.9) -> dict[str, Any]:  # fmt: skip
    before = [LoopChanged(name="trip" if form else None), SlotSet(name="requested_slot", value=asked)]
    said = UserSaid(text=text, message_id="1", intent=intent, confidence=confidence, entities=entities)
    found = {event.name: event.value for event in extract(fold("c", [*before, said]), domain)}
    found.pop("mood", None)
    return found


def city(name: str) -> dict[str, Any]:
    return {"entity": "city", "value": name}


def test_an_entity_that_two_slots_share_fills_the_one_that_was_asked_for(trip: Domain) -> None:
    assert filled(trip, "Rome", "inform", city("Rome"), form=True, asked="away") == {"away": "Rome"}
    assert filled(trip, "Rome", "inform", city("Rome"), form=True, asked="home") == {"home": "Rome"}
    assert filled(trip, "Rome", "inform", city("Rome"), form=True, asked="note") == {"note": "Rome"}


def test_a_mapping_for_a_form_fills_nothing_outside_it(trip: Domain) -> None:
    assert filled(trip, "Rome", "inform", city("Rome")) == {}


def test_roles_tell_the_entities_of_one_kind_apart(trip: Domain) -> None:
    dates = [{"entity": "date", "value": "monday", "role": "from"}, {"entity": "date", "value": "friday", "role": "to"}]
    assert filled(trip, "x", "inform", *dates) == {"start": "monday", "end": "friday"}
    assert filled(trip, "x", "inform", {"entity": "date", "value": "monday"}) == {}


def test_a_list_takes_all_values_and_a_text_the_last(trip: Domain) -> None:
    colours = [{"entity": "colour", "value": value} for value in ("red", "blue")]
    assert filled(trip, "x", "inform", *colours) == {"colours": ["red", "blue"]}
    twice = [{"entity": "date", "value": value, "role": "to"} for value in ("monday", "friday")]
    assert filled(trip, "x", "inform", *twice) == {"end": "friday"}


def test_the_intent_that_opened_the_form_fills_its_slot_and_later_ones_do_not(trip: Domain) -> None:
    assert filled(trip, "book it", "book", form=True) == {"kind": "booking"}
    assert filled(trip, "book it", "book", form=True, asked="home") == {}


def test_text_fills_the_slot_that_was_asked_for_only(trip: Domain) -> None:
    assert filled(trip, "window seat", "inform", form=True, asked="note") == {"note": "window seat"}
    assert filled(trip, "window seat", "inform", form=True, asked="loose") == {"loose": "window seat"}
    assert filled(trip, "window seat", "inform", form=True, asked="home") == {}
    assert filled(trip, "window seat", "chat") == {"outside": "window seat"}


def test_an_ignored_intent_fills_nothing_of_the_form(trip: Domain) -> None:
    assert filled(trip, "nice weather", "chat", form=True, asked="note") == {}


def test_an_intent_that_is_a_guess_neither_fills_nor_forbids(trip: Domain) -> None:
    assert filled(trip, "nice weather", "chat", form=True, asked="note", confidence=0.2) == {"note": "nice weather"}
    assert filled(trip, "book it", "book", form=True, confidence=0.2) == {}


@pytest.mark.parametrize(("intent", "mood"), [("inform", True), ("book", False), ("chat", None)])
def test_the_first_mapping_that_applies_fills_the_slot(intent: str, mood: bool | None, trip: Domain) -> None:
    said = UserSaid(text="x", message_id="1", intent=intent, confidence=0.9)
    found = {event.name: event.value for event in extract(fold("c", [said]), trip)}
    assert found.get("mood") == mood


def test_a_form_asks_in_order_and_takes_what_comes(trip: Domain, new_desk: Any) -> None:
    desk = new_desk(trip)
    desk.add(LoopChanged(name="trip"))
    assert desk.texts("go", intent="inform") == ["From where?"]
    assert desk.texts("Rome", intent="inform", entities=(city("Rome"),)) == ["Where to?"]
    assert desk.texts("Oslo", intent="inform", entities=(city("Oslo"),)) == ["Please tell me: kind"]
    assert desk.conversation.slots["home"] == "Rome"


@pytest.mark.parametrize(
    ("intent", "names"),
    [
        ("inform", {"city", "date"}),
        ("quiet", set()),
        ("loud", {"date"}),
        ("unknown", {"city", "date"}),
        (None, {"city", "date"}),
    ],
)
def test_the_entities_that_stories_see(intent: str | None, names: set[str], trip: Domain) -> None:
    entities = [{"entity": name} for name in ("city", "date", "noise", "not_in_the_domain")]
    assert trip.featured(intent, entities) == names


@pytest.mark.parametrize(
    ("kind", "value", "feature"),
    [
        ("text", "x", True), ("text", None, None), ("bool", False, False), ("categorical", "A", "a"), ("float", "0.5", 0.5), ("float", 7, 1.0),
        ("float", "two", None), ("list", [], None), ("list", [1], True), ("any", 0, True), ("my.own.Slot", "x", True),
    ],
)  # fmt: skip
def test_what_rules_and_stories_see_of_a_slot(kind: str, value: Any, feature: Any) -> None:
    assert Slot("s", kind).feature(value) == feature


def test_the_slot_asked_for_is_seen_by_its_name() -> None:
    assert Slot("requested_slot", "text").feature("home") == "home"


def test_a_rule_for_the_start_applies_only_there(tmp_path: Path, new_desk: Any) -> None:
    (tmp_path / "domain.yml").write_text(
        "intents: [hi]\nresponses:\n  utter_first: [{text: Welcome}]\n  utter_again: [{text: Again}]\nrules:\n"
        "  - {rule: a, conversation_start: true, steps: [{intent: hi}, {action: utter_first}]}\n"
        "  - {rule: b, steps: [{intent: hi}, {action: utter_again}]}\n"
    )
    desk = new_desk(load_domain(tmp_path))
    assert [desk.texts("hi", intent="hi") for _ in range(2)] == [["Welcome"], ["Again"]]


def test_a_rule_that_does_not_wait_leaves_the_next_step_to_others(tmp_path: Path, new_desk: Any) -> None:
    (tmp_path / "domain.yml").write_text(
        "intents: [hi]\nresponses:\n  utter_a: [{text: A}]\n  utter_b: [{text: B}]\nrules:\n"
        "  - {rule: a, wait_for_user_input: false, steps: [{intent: hi}, {action: utter_a}]}\n"
        "  - {rule: b, steps: [{action: utter_a}, {action: utter_b}]}\n"
    )
    assert new_desk(load_domain(tmp_path)).texts("hi", intent="hi") == ["A", "B"]


def test_a_story_may_speak_of_entities_and_slots(tmp_path: Path, new_desk: Any) -> None:
    (tmp_path / "domain.yml").write_text(
        "intents: [hi]\nentities: [city]\n"
        "slots:\n  vip: {type: bool, mappings: [{type: from_intent, intent: hi, value: true}]}\n"
        "responses:\n  utter_city: [{text: Nice city}]\n  utter_vip: [{text: Hello vip}]\n"
        "stories:\n"
        "  - {story: a, steps: [{intent: hi, entities: [city]}, {slot_was_set: [{vip: true}]}, {action: utter_city}]}\n"
        "  - {story: b, steps: [{intent: hi}, {slot_was_set: [{vip: true}]}, {action: utter_vip}]}\n"
    )
    domain = load_domain(tmp_path)
    assert new_desk(domain).texts("hi", intent="hi") == ["Hello vip"]
    assert new_desk(domain).texts("hi", intent="hi", entities=(city("Rome"),)) == ["Nice city"]
