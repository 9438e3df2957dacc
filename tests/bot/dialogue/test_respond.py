"""From events to replies, from response names to what is said, and to and from Rasa's tracker JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.conversation import Conversation, fold
from bot.domain import Domain, load_domain
from bot.events import ActionRan, BotSaid, HandedOff, LoopChanged, Noted, SessionStarted, SlotSet, UserSaid
from bot.respond import fill_in, render, respond
from bot.session import open_session
from bot.tracker import from_rasa, to_rasa, to_tracker
from retrieval.errors import BadInput, NotFound

RASA = Path(__file__).parents[4] / "shared" / "rasa"

DOMAIN = """
slots:
  name: {type: text, initial_value: friend}
  vip: {type: bool}
responses:
  utter_hi:
    - text: Hi {name}
    - text: Hello {name}
    - text: Hey {name}
  utter_channel:
    - text: anywhere
    - text: only here
      channel: widget
  utter_vip:
    - text: for you
      condition: [{type: slot, name: vip, value: true}]
    - text: for everybody
  utter_nobody:
    - text: never
      condition: [{type: slot, name: vip, value: true}]
  utter_rich:
    - text: "Look, {name}:"
      image: https://example.com/{name}.png
      buttons: [{title: "I am {name}", payload: '/inform{"name": "{name}"}'}]
      custom: {data: {greeting: "for {name}", n: 3}}
      attachment: {type: file}
  utter_faq/ask_name:
    - text: I am the bot.
  utter_faq/ask_age:
    - text: I am young.
"""


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    folder = tmp_path_factory.mktemp("domain")
    (folder / "domain.yml").write_text(DOMAIN)
    return load_domain(folder)


def talk(number: int = 1, *, id: str = "c", channel: str = "", intent: str | None = None, **slots: Any) -> Conversation:
    said = [UserSaid(text="x", message_id=str(n), channel=channel, intent=intent) for n in range(number)]
    return fold(id, [*said, *(SlotSet(name=name, value=value) for name, value in slots.items())])


def test_the_same_turn_says_the_same_and_other_turns_say_something_else(domain: Domain) -> None:
    said = [render("utter_hi", talk(number), domain).text for number in range(1, 30)]
    assert said == [render("utter_hi", talk(number), domain).text for number in range(1, 30)]
    assert set(said) == {"Hi friend", "Hello friend", "Hey friend"}
    assert len({render("utter_hi", talk(id=f"c{n}"), domain).text for n in range(30)}) == 3


def test_slots_and_what_an_action_adds_are_filled_in(domain: Domain) -> None:
    assert str(render("utter_hi", talk(name="Ann"), domain).text).endswith(" Ann")
    assert str(render("utter_hi", talk(name="Ann"), domain, extra={"name": "Bob"}).text).endswith(" Bob")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{a}", "1"),
        ("{b}", "{b}"),
        ("{a", "{a"),
        ('{"a": 1}', '{"a": 1}'),
        ("{{a}}", "{a}"),
        ('/i{{"s": {{"t": "{a}"}}}}', '/i{"s": {"t": "1"}}'),
        ('{"s": {"t": "{a}"}}', '{"s": {"t": "1"}}'),
        ("", ""),
        (None, None),
        ("{n}", "None"),
    ],
)
def test_filling_in_leaves_what_it_does_not_know(text: str | None, filled: str | None) -> None:
    assert fill_in(text, {"a": 1, "n": None}) == filled


def test_the_channel_and_the_slots_choose_the_variation(domain: Domain) -> None:
    assert render("utter_channel", talk(channel="widget"), domain).text == "only here"
    assert render("utter_channel", talk(channel="rest"), domain).text == "anywhere"
    assert render("utter_vip", talk(vip=True), domain).text == "for you"
    assert render("utter_vip", talk(), domain).text == "for everybody"


def test_a_response_that_is_not_there_or_does_not_fit_is_named(domain: Domain) -> None:
    with pytest.raises(NotFound, match="'utter_x' is not in the domain"):
        render("utter_x", talk(), domain)
    with pytest.raises(NotFound, match="no variation of 'utter_nobody' fits"):
        render("utter_nobody", talk(), domain)


def test_a_retrieval_intent_chooses_its_response(domain: Domain) -> None:
    assert render("utter_faq", talk(intent="faq/ask_age"), domain).text == "I am young."
    assert render("utter_faq", talk(intent="faq/ask_name"), domain).text == "I am the bot."


def test_a_rich_response_is_one_message_for_each_part(domain: Domain) -> None:
    replies = respond([render("utter_rich", talk(name="ann"), domain)], "u1")
    assert replies == [
        {
            "recipient_id": "u1",
            "text": "Look, ann:",
            "buttons": [{"title": "I am ann", "payload": '/inform{"name": "ann"}'}],
        },
        {"recipient_id": "u1", "custom": {"data": {"greeting": "for ann", "n": 3}}},
        {"recipient_id": "u1", "image": "https://example.com/ann.png"},
        {"recipient_id": "u1", "attachment": {"type": "file"}},
    ]


def test_only_what_the_bot_says_is_a_reply() -> None:
    assert respond(
        [UserSaid(text="x", message_id="1"), BotSaid(), BotSaid(text="a\n\nb"), HandedOff(reason="asked")], "u"
    ) == [{"recipient_id": "u", "text": "a\n\nb"}]


def test_a_session_begins_with_the_conversation_and_after_its_silence(domain: Domain) -> None:
    first = open_session(Conversation("c"), domain, channel="rest", metadata={"page": "home"}, at=1000)
    assert first == (SessionStarted(channel="rest", metadata={"page": "home"}, at=1000),)
    talked = fold(
        "c", [*first, UserSaid(text="x", message_id="1", at=1000), SlotSet(name="name", value="Ann", at=1000)]
    )
    assert open_session(talked, domain, at=1000 + 3600) == ()
    assert open_session(talked, domain, at=1001 + 3600) == (
        SessionStarted(at=4601),
        SlotSet(name="name", value="Ann", at=4601),
    )
    assert open_session(talked.apply(HandedOff(reason="asked")), domain, at=99999) == ()


def test_a_form_shows_in_the_tracker_with_the_message_that_opened_it(domain: Domain) -> None:
    opening = UserSaid(text="table please", message_id="1", intent="book", confidence=0.9)
    opened = fold("c", [opening, ActionRan(name="f"), LoopChanged(name="f"), UserSaid(text="two", message_id="2")])
    tracker = to_tracker(opened, domain)
    assert tracker["active_loop"]["name"] == "f"
    assert tracker["active_loop"]["trigger_message"]["text"] == "table please"
    assert tracker["latest_message"]["text"] == "two"
    assert tracker["slots"] == {
        "name": "friend", "vip": None, "requested_slot": None, "session_started_metadata": None,
    }  # fmt: skip
    assert json.loads(json.dumps(tracker)) == tracker


@pytest.mark.skipif(not RASA.is_dir(), reason="the captures of ../shared/rasa are not here")
def test_the_tracker_has_the_fields_that_rasa_sends() -> None:
    capture = json.loads((RASA / "captures/formbot/action_03_validate_restaurant_form.json").read_text())["request"]
    theirs = capture["tracker"]
    domain = load_domain(RASA / "projects" / "formbot")
    events = [event for event in map(from_rasa, theirs["events"]) if event is not None and not _listening(event)]
    ours = to_tracker(fold("u1", events), domain)
    assert ours.keys() == theirs.keys()
    assert ours["slots"].keys() == theirs["slots"].keys()
    assert ours["active_loop"].keys() == theirs["active_loop"].keys()
    assert ours["active_loop"]["trigger_message"]["text"] == theirs["active_loop"]["trigger_message"]["text"]
    assert ours["latest_action_name"] == theirs["latest_action_name"]
    assert _kinds(ours["events"]) == _kinds(theirs["events"])
    assert domain.raw == {key: value for key, value in capture["domain"].items() if key in domain.raw} | {
        "intents": domain.raw["intents"]
    }
    for event in theirs["events"]:
        mine = next((one for one in ours["events"] if one["event"] == event["event"]), None)
        if mine:
            assert mine.keys() == event.keys() | {"metadata"}, event["event"]


def _listening(event: Any) -> bool:
    return isinstance(event, ActionRan) and event.name in ("action_listen", "action_session_start")


def _kinds(events: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    kinds = [(one["event"], one.get("name")) for one in events if one["event"] != "user_featurization"]
    return [kind for kind in kinds if kind != ("slot", "session_started_metadata")]


@pytest.mark.parametrize("kind", ["reset_slots", "restart", "rewind", "undo", "pause", "resume", "session_started"])
def test_events_without_fields_go_both_ways(kind: str) -> None:
    event = from_rasa({"event": kind, "timestamp": None})
    assert event is not None
    assert to_rasa(event)[-1]["event"] == kind


def test_an_event_of_an_action_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(BadInput, match="unknown event 'levitate'"):
        from_rasa({"event": "levitate"})
    assert isinstance(from_rasa({"event": "user_featurization", "use_text_for_featurization": False}), Noted)
