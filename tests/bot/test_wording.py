from __future__ import annotations

import pytest

from bot.wording import asks, without_greeting


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
