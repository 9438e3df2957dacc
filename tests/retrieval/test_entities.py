from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.entities import Recogniser
from retrieval.errors import BadInput

PLAIN = Recogniser()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("write to ann.lee+shop@mail.example.co please", [("email", "ann.lee+shop@mail.example.co")]),
        ("it is AB-123456, thanks", [("order", "AB-123456")]),
        ("see https://shop.example/a?b=1 and call +44 20 7946 0958",
         [("url", "https://shop.example/a?b=1"), ("phone", "+44 20 7946 0958")]),
        ("I waited 14 days for 2 parcels", []),
        ("<EMAIL> and <ORDER_2>", []),
        ("", []),
    ],
)  # fmt: skip
def test_typed_spans_are_found_where_they_stand(text: str, found: list[tuple[str, str]]) -> None:
    spans = PLAIN.find(text)
    assert [(e.name, e.value) for e in spans] == found
    assert all(text[e.start : e.end] == e.value for e in spans)


def test_an_address_inside_a_link_belongs_to_whoever_is_named_first() -> None:
    (first, *_) = PLAIN.find("https://shop.example/u/me@mail.example/x")
    assert (first.name, first.value) == ("email", "me@mail.example")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("my order AB-123456 from me@x.example", "my order <ORDER> from <EMAIL>"),
        ("my order <ORDER_2> from <EMAIL>", "my order <ORDER> from <EMAIL>"),
        ("nothing special", "nothing special"),
    ],
)
def test_a_live_message_is_masked_like_a_redacted_transcript(text: str, masked: str) -> None:
    assert PLAIN.mask(text) == masked


def test_patterns_of_the_desk_are_found_in_any_case() -> None:
    own = Recogniser({"booking": r"BK\d{6}"})
    assert own.mask("it is bk123456") == "it is <BOOKING>"
    assert [(e.name, e.value) for e in own.find("BK654321")] == [("booking", "BK654321")]


def test_a_pattern_of_the_desk_may_replace_a_built_in_one() -> None:
    assert Recogniser({"order": r"#\d+"}).mask("#12 and AB-123456") == "<ORDER> and AB-123456"


def test_a_pattern_that_is_none_is_named() -> None:
    with pytest.raises(BadInput, match=r"entity pattern 'booking' is not a regular expression: '\(BK'"):
        Recogniser({"booking": "(BK"})


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("aB1@.-+:/ <>_https") | st.characters(codec="utf-8"), max_size=200))
def test_spans_never_overlap_and_masking_twice_changes_nothing(text: str) -> None:
    spans = PLAIN.find(text)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    masked = PLAIN.mask(text)
    assert PLAIN.mask(masked) == masked


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["a" * 200_000, "1 " * 30_000, "a@" * 100_000, "a." * 100_000, "https://" * 20_000])
def test_a_hostile_message_is_masked_in_no_time(text: str) -> None:
    PLAIN.mask(text)
