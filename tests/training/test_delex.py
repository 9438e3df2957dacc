from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.delex import delexicalise, facts, slots


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("it arrives on 3rd of May", "it arrives on <DATE>"),
        ("it arrives on May 3, 2026", "it arrives on <DATE>"),
        ("sent 2026-05-03, due 3.5.2026", "sent <DATE>, due <DATE>"),
        ("open from 9am to 17:30", "open from <TIME> to <TIME>"),
        ("that is $12.50 or 12 euro", "that is <MONEY> or <MONEY>"),
        ("20% off and 5 per cent more", "<PERCENT> off and <PERCENT> more"),
        ("within 30 days or 5-7 business days", "within <SPAN> or <SPAN>"),
        ("come on Monday", "come on <DAY>"),
        ("only $12.50 or 3.99 euro, so 10.50% off", "only <MONEY> or <MONEY>, so <PERCENT> off"),
        ("it takes 1.5 hours, until 17:30 or so", "it takes <SPAN>, until <TIME> or so"),
        ("use SAVE-2026X at the till", "use <CODE> at the till"),
        ("2 of 1,500 parcels", "<NUMBER> of <NUMBER> parcels"),
        ("see https://shop.example/returns now", "see <URL> now"),
        ("hi <NAME_2>, order <ORDER> is here", "hi <NAME>, order <ORDER> is here"),
        ("  two   spaces\nand a line ", "two spaces and a line"),
        ("in 2 separate parcels, 3 decent ones", "in <NUMBER> separate parcels, <NUMBER> decent ones"),
        ("1 jan, sept 5th and 12 december", "<DATE>, <DATE> and <DATE>"),
        ("nothing in particular", "nothing in particular"),
        ("may I ask why", "may I ask why"),
        ("", ""),
    ],
)
def test_particulars_become_typed_placeholders(text: str, template: str) -> None:
    assert delexicalise(text) == template


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["30 days", "$5", "may 3", "<NAME_2>", "AB-123456", "4%", "the tent", "10am", "7"]), max_size=6
    )
)
def test_delexicalising_twice_changes_nothing(parts: list[str]) -> None:
    once = delexicalise(" and ".join(parts))
    assert delexicalise(once) == once


def test_slots_come_in_order_with_type_and_value() -> None:
    found = slots("hi <NAME_2>, 20% off until may 3 for $5")
    assert found == [("NAME", "<NAME_2>"), ("PERCENT", "20%"), ("DATE", "may 3"), ("MONEY", "$5")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("within 30 days", "you have 30 Days to return it"),
        ("takes 5-7 business days", "takes 5 to 7 working days"),
        ("takes 5–7 days", "takes 5-7 days"),
        ("a 30-day return", "within 30 days"),
        ("costs 12 euro", "costs 12 Euros"),
        ("20 % off", "20% off"),
        ("20 per cent", "20%"),
        ("within sixty days", "within 60 days"),
        ("twenty-one days", "21 days"),
        ("five to seven working days", "5-7 days"),
        ("ten euros", "10 euro"),
        ("1 week", "1 weeks"),
        ("in 20 minutes", "in 20 minute"),
    ],
)
def test_the_same_promise_in_other_words_is_the_same_fact(one: str, other: str) -> None:
    assert facts(one) == facts(other) != frozenset()


@pytest.mark.parametrize(
    ("one", "other"),
    [("within 30 days", "within 14 days"), ("30 days", "30 weeks"), ("$5", "$15"), ("5%", "50%"),
     ("1-2 days", "12 days"), ("5-7 days", "57 days"), ("3 days", "3 d of May"),
     ("$5", "£5"), ("$1.50", "$150"), ("2 hours", "2 days"), ("1.5 hours", "2.5 hours"), ("$12.50", "$4.50")],
)  # fmt: skip
def test_another_promise_is_another_fact(one: str, other: str) -> None:
    assert facts(one) != facts(other)


def test_only_what_can_be_promised_to_everybody_is_a_fact() -> None:
    assert facts("on monday the 3rd of may at 10am, order AB-12345, 3 parcels for <NAME>") == frozenset()
    assert facts("ships in 2 days for 5 euro, 10% off") == {"SPAN 2day", "MONEY 5euro", "PERCENT 10%"}
