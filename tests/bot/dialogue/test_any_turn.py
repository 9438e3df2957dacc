"""Whatever is said, learned, or returned by an action: every turn ends, and its log folds to the state it led to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.conversation import fold
from bot.domain import Domain
from bot.events import ActionRan, decode, encode
from bot.learned import story_dialogues
from bot.steps import Candidates
from bot.tracker import from_rasa, to_tracker
from retrieval.policy import LearnedPolicy
from training.policy import fit

sdk = pytest.importorskip("rasa_sdk.events")

INTENTS = ["greet", "order_status", "return_item", "inform", "affirm", "deny", "nothing_known"]
TEXTS = ["hi", "what?", "broken", "AB-1001", "/restart", "/back", "/handoff", '/inform{"reason": "late"}', "start over"]
SLOTS = st.sampled_from(["order_number", "reason", "requested_slot", "unknown_slot"])
VALUES = st.sampled_from([None, True, "x", 3, ["a"], {"k": "v"}])

RETURNED = st.one_of(
    st.builds(sdk.SlotSet, SLOTS, VALUES),
    st.builds(sdk.ActiveLoop, st.sampled_from([None, "order_status_form", "return_form", "lost_form"])),
    st.builds(sdk.FollowupAction, st.sampled_from(["action_listen", "utter_greet", "return_form", "action_restart"])),
    st.builds(sdk.ActionExecuted, st.sampled_from(["action_listen", "utter_greet", "return_form"])),
    st.builds(sdk.ActionExecutionRejected, st.sampled_from(["return_form", "utter_greet"])),
    st.builds(sdk.UserUttered, st.sampled_from(TEXTS), st.just({"intent": {"name": "greet", "confidence": 0.9}})),
    st.builds(sdk.BotUttered, st.sampled_from(["Hello", None])),
    st.builds(sdk.ReminderScheduled, st.sampled_from(["greet", "inform"]), st.just(datetime(2040, 1, 1, tzinfo=UTC))),
    *(
        st.builds(make)
        for make in (
            sdk.AllSlotsReset, sdk.Restarted, sdk.SessionStarted, sdk.UserUtteranceReverted, sdk.ActionReverted,
            sdk.ConversationPaused, sdk.ConversationResumed, sdk.ReminderCancelled, sdk.StoryExported, sdk.AgentUttered,
        )
    ),
)  # fmt: skip

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def policy(shop: Domain) -> LearnedPolicy:
    """Learned from the stories, and sure of whatever it says."""
    learned = fit(story_dialogues(shop), lambda texts: np.zeros((len(texts), 1), np.float32), seed=1, steps=150)
    return replace(learned, threshold=0.0)


@pytest.fixture
def talk(shop: Domain, new_desk: Any) -> Any:
    """A desk whose forms are not validated by an action server."""
    kept = {name: place for name, place in shop.actions.items() if not name.startswith("validate_")}
    return lambda: new_desk(replace(shop, actions=kept))


@quick
@given(turns=st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(INTENTS)), max_size=8))
def test_with_a_learned_policy_that_always_acts(turns: list[tuple[str, str]], talk: Any, policy: LearnedPolicy) -> None:
    desk = talk()
    for text, intent in turns:
        heard = {} if text.startswith("/") else {"intent": intent}
        desk.say(text, candidates=Candidates(policy=policy), **heard)
        assert len(desk.steps) <= 10
    same_after_a_restart(desk)


@quick
@given(
    turns=st.lists(
        st.tuples(st.sampled_from(TEXTS), st.sampled_from(INTENTS), st.lists(RETURNED, max_size=5)), max_size=5
    )
)
def test_with_any_events_that_an_action_of_the_sdk_can_return(turns: list[Any], talk: Any) -> None:
    desk = talk()
    for text, intent, returned in turns:
        desk.add(ActionRan(name="action_of_anybody"), *(from_rasa(json.loads(json.dumps(one))) for one in returned))
        heard = {} if text.startswith("/") else {"intent": intent}
        desk.say(text, **heard)
        assert len(desk.steps) <= 10
    same_after_a_restart(desk)


def same_after_a_restart(desk: Any) -> None:
    """The log as it is stored says all: the state, and the tracker that an action server would get."""
    stored = json.loads(json.dumps([encode(event) for event in desk.conversation.events]))
    again = fold(desk.conversation.id, map(decode, stored))
    assert again == desk.conversation
    assert json.loads(json.dumps(to_tracker(again, desk.domain)))["sender_id"] == desk.conversation.id


@pytest.mark.parametrize(("carries", "after"), [(True, "Ada"), (False, None)])
def test_a_session_that_expired_carries_its_slots_over_or_not(carries: bool, after: str | None, talk: Any) -> None:
    desk = talk()
    desk.domain = replace(desk.domain, session=replace(desk.domain.session, minutes=60, carries_slots=carries))
    desk.say("/greet", at=0.0)
    desk.add(from_rasa({"event": "slot", "name": "customer", "value": "Ada"}))
    desk.say("/start_return", at=30.0)
    assert desk.conversation.loop
    assert desk.conversation.slots["customer"] == "Ada"
    desk.say("/greet", at=3000.0)
    assert desk.conversation.slots.get("customer") == "Ada", "the session lasts as long as somebody writes"
    desk.say("/greet", at=3000.0 + 3601)
    assert desk.conversation.slots.get("customer") == after
    assert desk.conversation.loop is None, "a form is never carried over"


def test_a_session_without_an_end_keeps_everything(talk: Any) -> None:
    desk = talk()
    desk.domain = replace(desk.domain, session=replace(desk.domain.session, minutes=0, carries_slots=False))
    desk.say("/greet", at=0.0)
    desk.add(from_rasa({"event": "slot", "name": "customer", "value": "Ada"}))
    desk.say("/greet", at=1e8)
    assert desk.conversation.slots["customer"] == "Ada"
