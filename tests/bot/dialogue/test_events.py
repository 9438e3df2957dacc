"""Facts and their fold: JSON round trip, replay, rewinds, and cost that does not grow."""

from __future__ import annotations

import gc
import json
import time
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import events
from bot.conversation import Conversation, fold
from bot.events import (
    ActionRan,
    ActionRejected,
    BotSaid,
    Closed,
    Event,
    HandedOff,
    LoopChanged,
    Paused,
    PersonJoined,
    PersonSaid,
    Released,
    ReminderCancelled,
    ReminderFired,
    ReminderSet,
    Restarted,
    Resumed,
    Rewound,
    SessionStarted,
    SlotSet,
    SlotsReset,
    Undone,
    UserSaid,
    decode,
    encode,
)
from retrieval.errors import BadInput

KINDS = sorted(Event.__subclasses__(), key=lambda cls: cls.__name__)
words = st.text(max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(words, values, max_size=3)


def field_values(annotation: str) -> st.SearchStrategy[Any]:
    return {
        "str": words,
        "str | None": st.none() | words,
        "float": st.floats(0, 1e10),
        "float | None": st.none() | st.floats(0, 1),
        "bool": st.booleans(),
        "bool | None": st.none() | st.booleans(),
        "int": st.integers(-5, 5),
        "int | None": st.none() | st.integers(1, 5),
        "Any": values,
        "dict[str, Any]": objects,
        "tuple[dict[str, Any], ...]": st.lists(objects, max_size=3).map(tuple),
    }[annotation]


any_event = st.one_of(
    *(st.builds(cls, **{field.name: field_values(str(field.type)) for field in fields(cls)}) for cls in KINDS)
)


@given(any_event)
def test_every_event_survives_json(event: Event) -> None:
    assert decode(json.loads(json.dumps(encode(event)))) == event


@given(st.lists(any_event, max_size=30), st.integers(0, 30))
def test_any_list_of_events_folds_and_folding_in_two_parts_is_the_same(log: list[Event], cut: int) -> None:
    whole = fold("c", log)
    assert whole.events == tuple(log)
    assert fold("c", log[:cut]).apply(*log[cut:]) == whole


@given(st.lists(any_event, max_size=20))
def test_folding_changes_nothing_that_was_folded_before(log: list[Event]) -> None:
    before = fold("c", log)
    copy = fold("c", log)
    before.apply(UserSaid(text="hi", message_id="1"), SlotSet(name="a", value=1), ActionRan(name="x"), Rewound())
    assert before == copy


@pytest.mark.parametrize("data", [{"event": "Nonsense"}, {"event": "SlotSet", "colour": 1}, {}, {"event": ["SlotSet"]}])
def test_what_the_fold_does_not_understand_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="event"):
        decode(data)


def said(text: str = "hi", number: int = 1) -> UserSaid:
    return UserSaid(text=text, message_id=str(number))


def test_a_rewind_forgets_the_last_message_and_what_followed() -> None:
    log = [
        said("one"),
        SlotSet(name="a", value=1),
        ActionRan(name="x"),
        said("two", 2),
        SlotSet(name="a", value=2),
        Rewound(),
    ]
    conversation = fold("c", log)
    assert conversation.slots == {"a": 1}
    assert conversation.latest == log[0]
    assert conversation.actions == ("x",)
    assert len(conversation.events) == 6


def test_undoing_forgets_the_last_action_and_what_followed() -> None:
    log = [
        said(),
        ActionRan(name="x"),
        SlotSet(name="a", value=1),
        ActionRan(name="y"),
        LoopChanged(name="f"),
        Undone(),
    ]
    conversation = fold("c", log)
    assert (conversation.actions, conversation.loop, conversation.slots) == (("x",), None, {"a": 1})


def test_a_rewind_does_not_take_the_conversation_from_a_person() -> None:
    assert fold("c", [said(), HandedOff(reason="asked"), PersonJoined(person="ann"), Rewound()]).mode == "person"


@pytest.mark.parametrize(
    ("log", "mode"),
    [
        ([said()], "bot"),
        ([said(), HandedOff(reason="asked")], "waiting"),
        ([said(), HandedOff(reason="asked"), PersonSaid(text="hello", person="ann")], "person"),
        ([said(), PersonJoined(person="ann"), Released(person="ann")], "bot"),
        ([said(), Closed()], "closed"),
        ([said(), Closed(), said("again", 2)], "bot"),
        ([said(), PersonJoined(person="ann"), SessionStarted()], "person"),
        ([said(), PersonJoined(person="ann"), Restarted()], "bot"),
    ],
)
def test_who_has_the_conversation(log: list[Event], mode: str) -> None:
    assert fold("c", log).mode == mode


def test_a_hand_off_leaves_the_form() -> None:
    conversation = fold("c", [said(), LoopChanged(name="f"), HandedOff(reason="asked")])
    assert conversation.loop is None


def test_a_form_that_rejected_stays_so_until_it_runs() -> None:
    rejected = fold("c", [LoopChanged(name="f"), said(), ActionRejected(name="f"), said("again", 2)])
    assert rejected.loop_rejected
    assert not rejected.apply(ActionRan(name="f")).loop_rejected


def test_resetting_and_restarting_empty_the_slots() -> None:
    assert fold("c", [SlotSet(name="a", value=1), SlotsReset()]).slots == {}
    assert fold("c", [SlotSet(name="a", value=1), Restarted()]).slots == {}


def test_pausing_lasts_until_resumed() -> None:
    paused = fold("c", [said(), Paused()])
    assert paused.paused
    assert not paused.apply(Resumed()).paused


def test_the_context_is_what_was_said_last_on_both_sides() -> None:
    log: list[Event] = [said("old"), BotSaid(text="x", source="answer"), said("new", 2)]
    log += [BotSaid(text="answer", source="passage"), BotSaid(text="Which order?"), BotSaid(image="x.png")]
    assert fold("c", log).context == ("answer", "new")
    assert fold("c", [said("hi"), BotSaid(text="Hello!")]).context == ("", "hi"), "a greeting says nothing"
    assert fold("c", [said("hi"), PersonSaid(text="Hi, it is Ann", person="Ann")]).context == ("Hi, it is Ann", "hi")
    assert fold("c", [*log, SessionStarted()]).context == ("", "")
    assert Conversation("c").context == ("", "")


def test_a_repeated_message_finds_its_replies() -> None:
    conversation = fold("c", [said("a", 1), BotSaid(text="x", in_reply_to="1"), said("b", 2)])
    assert [reply.text for reply in conversation.replies_to("1") or ()] == ["x"]
    assert conversation.replies_to("2") == ()
    assert conversation.replies_to("3") is None


def turns(count: int) -> list[Event]:
    one = [
        said(),
        SlotSet(name="a", value=1),
        ActionRan(name="x"),
        BotSaid(text="y"),
        LoopChanged(),
        ActionRan(name="z"),
    ]
    return [event for _ in range(count) for event in one]


def seconds(count: int) -> float:
    """Of processor time, the best of several, so that a busy machine does not count."""
    log = turns(count)
    best = 9.0
    gc.disable()
    try:
        for _ in range(7):
            start = time.process_time()
            fold("c", log)
            best = min(best, time.process_time() - start)
    finally:
        gc.enable()
    return best


def test_folding_a_long_conversation_costs_little_and_grows_with_its_length_only() -> None:
    assert seconds(200) < 0.02
    # Eight times as much; quadratic cost would be 64 times.
    assert seconds(1600) < 24 * seconds(200)


def test_every_event_is_exported_by_name() -> None:
    assert {cls.__name__ for cls in KINDS} <= set(dir(events))


def reminder(name: str, due: str = "2030-01-01T00:00:00+00:00", **more: Any) -> ReminderSet:
    return ReminderSet(name=name, intent="call", due=due, **more)


def test_a_reminder_stands_until_it_fires_or_is_taken_back() -> None:
    log: list[Event] = [said(), reminder("a"), reminder("b", "2031-01-01T00:00:00"), Rewound(), SessionStarted()]
    conversation = fold("c", log)
    assert [one.name for one in conversation.reminders] == ["a", "b"], "a rewind does not take it back"
    assert conversation.due == 1893456000.0
    assert [one.name for one in conversation.apply(ReminderFired(name="a")).reminders] == ["b"]
    assert [one.due for one in conversation.apply(reminder("a", "2040-01-01")).reminders][-1] == "2040-01-01"
    assert conversation.apply(said("hi", 2)).reminders == ()
    kept = fold("c", [reminder("a", cancelled_by_message=False), said()])
    assert [one.name for one in kept.reminders] == ["a"]
    assert kept.apply(Restarted()).reminders == ()


@pytest.mark.parametrize(
    ("cancelled", "left"),
    [
        (ReminderCancelled(), []),
        (ReminderCancelled(name="a"), ["b"]),
        (ReminderCancelled(intent="call"), []),
        (ReminderCancelled(intent="write"), ["a", "b"]),
        (ReminderCancelled(name="b", entities={"to": "Ada"}), ["a", "b"]),
    ],
)
def test_reminders_are_cancelled_by_what_is_said_of_them(cancelled: ReminderCancelled, left: list[str]) -> None:
    assert [one.name for one in fold("c", [reminder("a"), reminder("b"), cancelled]).reminders] == left
