"""Where one message may hold several requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.requests import MOST, parts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "Hi! Where is my order AB-1? And how long do refunds take?",
            ["Where is my order AB-1?", "And how long do refunds take?"],
        ),
        ("where is my order and also can I change the address", ["where is my order", "can I change the address"]),
        ("How long do refunds take, and do you ship abroad", ["How long do refunds take", "do you ship abroad"]),
        ("退款要多久？ 你们 送货 到 上海 吗？", ["退款要多久？ 你们 送货 到 上海 吗？"]),
        ("Where is it? Thanks!", ["Where is it? Thanks!"]),
        ("hi, where is my order and can I return shoes?", ["where is my order", "can I return shoes?"]),
        (
            "what is the return window & who pays return shipping?",
            ["what is the return window", "who pays return shipping?"],
        ),
        ("Thank you so much! Where is my order? Do you ship abroad?", ["Where is my order?", "Do you ship abroad?"]),
        ("I know what I want and where I want it", ["I know what I want", "where I want it"]),
        ("pick and choose whatever you like", ["pick and choose whatever you like"]),
        ("shoes and socks please", ["shoes and socks please"]),
        ('/inform{"a": "b. c d e? f g h?"}', ['/inform{"a": "b. c d e? f g h?"}']),
        ("", [""]),
    ],
)
def test_sentences_and_what_is_joined_by_also_may_be_requests(text: str, found: list[str]) -> None:
    assert parts(text) == found


@given(st.text(max_size=200))
def test_there_is_always_one_part_and_never_too_many(text: str) -> None:
    assert 1 <= len(parts(text)) <= MOST
