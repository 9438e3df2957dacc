from __future__ import annotations

import pytest

from bot.wording import asks, correction, starts_over, wants_person, without_greeting


@pytest.mark.parametrize(
    "text",
    [
        "really?",
        "你们几点开门？",
        "Whats the return period",
        "what's the return period",
        "how long does that take",
        "ok so how long does that take",
        "hi, can I pay with a card",
        "is there a shop in Leeds",
        "where do I send it",
        "does it come in blue",
    ],
)
def test_a_question_is_one_with_or_without_its_mark(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize(
    "text",
    [
        "AB-1001",
        "broken",
        "is broken",
        "when it came the zip was torn",
        "what I ordered was blue",
        "it does not fit",
        "however you like",
        "unworn, with all labels",
        "",
    ],
)
def test_what_a_customer_tells_is_no_question(text: str) -> None:
    assert not asks(text)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("good morning how can I pay", "how can I pay"),
        ("Hi there! Good evening, where is my parcel", "where is my parcel"),
        ("hello", "hello"),
        ("  how can I pay ", "how can I pay"),
        ("hiking boots, are they waterproof", "hiking boots, are they waterproof"),
    ],
)
def test_a_greeting_goes_and_the_request_stays(text: str, rest: str) -> None:
    assert without_greeting(text) == rest


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("no, I meant tomorrow", "tomorrow"),
        ("Oops, make that 5", "5"),
        ("actually I meant exchanges, not refunds", "exchanges, not refunds"),
        ("I mean it", None),
        ("what did you mean", None),
        ("no", None),
    ],
)
def test_a_correction_is_told_by_how_it_begins(text: str, meant: str | None) -> None:
    assert correction(text) == meant


@pytest.mark.parametrize("text", ["start over", "Let's start again please", "restart", "can we start from scratch?"])
def test_starting_over_is_said_in_few_words(text: str) -> None:
    assert starts_over(text)


@pytest.mark.parametrize("text", ["restart my router", "start over with the red one", "how do I restart it", ""])
def test_to_restart_something_is_not_to_start_over(text: str) -> None:
    assert not starts_over(text)


@pytest.mark.parametrize(
    "text",
    ["talk to a person", "I want to speak to a human please", "human", "agent!", "get me an agent", "a real person",
     "no, I want to talk to somebody", "can I please talk to one of your colleagues"],
)  # fmt: skip
def test_asking_for_a_person_takes_no_example(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize(
    "text",
    ["is this a person", "are you a human", "somebody stole my bike", "can somebody help me with AB-1001",
     "do you have a human size chart", "talk to an agent about returns", ""],
)  # fmt: skip
def test_naming_a_person_is_not_asking_for_one(text: str) -> None:
    assert not wants_person(text)
