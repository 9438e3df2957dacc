"""The dialogue policy: what it learns from stories and logs, and that it does not act on what it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.transcript import Outcome, Transcript, Turn
from retrieval.errors import BadBundle
from retrieval.policy import NEVER, Example, Happened, LearnedPolicy, Moment
from retrieval.types import Matrix
from training.policy import HeldOut, fit, fit_policy, logged, threshold

FLOWS = {"order": "utter_status", "refund": "utter_refund", "hours": "utter_hours", "size": "utter_size"}
WORDS = [*FLOWS, "hello", "thanks"]


def encode(texts: Sequence[str]) -> Matrix:
    return np.array([[word in text for word in WORDS] for text in texts], np.float32)


def dialogue(*kinds: str, words: bool = True) -> list[Example]:
    """Customer asks, desk answers, desk asks whether that is all; once a kind."""
    happened: list[Happened] = []
    found = []
    for kind in kinds:
        happened.append(Happened(True, kind))
        for action in (FLOWS[kind], "utter_more", "action_listen"):
            found.append(Example(Moment(tuple(happened), (), f"about my {kind}" if words else ""), action))
            if action != "action_listen":
                happened.append(Happened(False, action))
    return found


PAIRS = [(a, b) for a in FLOWS for b in FLOWS if a != b]
DIALOGUES = [dialogue(*pair) for pair in PAIRS]


@pytest.fixture(scope="module")
def policy() -> LearnedPolicy:
    return fit(DIALOGUES, encode, seed=1, steps=300)


def asked(*happened: str, text: str = "") -> Moment:
    names = [Happened(not name.startswith("utter"), name) for name in happened]
    return Moment(names, (), text)


def test_it_goes_on_where_no_story_went_before(policy: LearnedPolicy) -> None:
    before = ("order", "utter_status", "utter_more", "refund", "utter_refund", "utter_more")
    assert policy.predict(asked(*before, "hours"), None)[0][0] == "utter_hours"
    assert policy.predict(asked(*before, "hours", "utter_hours"), None)[0][0] == "utter_more"
    assert policy.predict(asked(*before, "hours", "utter_hours", "utter_more"), None)[0][0] == "action_listen"


def test_words_lead_on_where_the_intent_is_not_known(policy: LearnedPolicy) -> None:
    vector = encode(["something about the size"])[0]
    assert policy.predict(asked("", text="something about the size"), vector)[0][0] == "utter_size"


def test_probabilities_are_shares_of_one(policy: LearnedPolicy) -> None:
    ranking = policy.predict(asked("order"), None)
    assert sum(p for _, p in ranking) == pytest.approx(1.0, abs=1e-5)
    assert [p for _, p in ranking] == sorted((p for _, p in ranking), reverse=True)


def test_the_threshold_comes_from_dialogues_that_were_held_out() -> None:
    learned = fit_policy(DIALOGUES, encode, error_budget=0.05, seed=1, steps=200)
    assert learned.threshold < 1
    assert learned.facts["right"] > 0.9
    assert learned.facts["dialogues"] == len(DIALOGUES)


def test_too_little_to_tell_by_means_that_it_does_not_act() -> None:
    assert fit_policy(DIALOGUES[:2], encode, error_budget=0.05, seed=1, steps=20).threshold == NEVER
    assert threshold(HeldOut(np.ones(100), np.zeros(100, np.bool_), 100), 0.05) == NEVER, "always wrong"


def test_the_lowest_probability_that_keeps_the_budget_is_the_threshold() -> None:
    sure = np.linspace(1.0, 0.5, 100)
    right = np.arange(100) < 90
    assert threshold(HeldOut(sure, right, 100), 0.05) == pytest.approx(sure[93])


def test_a_policy_is_kept_in_a_bundle_as_it_was(policy: LearnedPolicy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    again = LearnedPolicy.load(tmp_path)
    assert again is not None
    assert again.predict(asked("order"), None) == policy.predict(asked("order"), None)
    (tmp_path / "policy.json").write_text("{}")
    with pytest.raises(BadBundle, match="train again"):
        LearnedPolicy.load(tmp_path)
    assert LearnedPolicy.load(tmp_path / "nothing") is None


def turn(by: str, text: str, intent: str | None = None, action: str | None = None) -> Turn:
    return Turn(by, text, 1.0, intent=intent, action=action)  # type: ignore[arg-type]


def test_logged_conversations_are_read_as_far_as_the_project_has_the_actions() -> None:
    turns = (
        turn("customer", "hello", "greet"),
        turn("bot", "Hi", action="utter_greet"),
        turn("bot", "By the way", action="utter_gone"),
        turn("customer", "my order", "order"),
        turn("bot", "It is coming", action="utter_status"),
    )
    talk = Transcript("t1", turns=turns)
    (read,) = logged([talk], {"utter_greet", "utter_status"})
    assert [example.action for example in read] == ["utter_greet", "action_listen", "utter_status"]
    assert read[-1].moment.text == "my order"
    assert logged([Transcript("t2", turns=turns, outcome=Outcome(handed_off=True))], {"utter_greet"}) == []
