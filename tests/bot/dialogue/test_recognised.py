"""What is found by itself: numbers, money, days and times in the customer's zone; entries of lists with typos."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.amounts import money, numbers
from bot.dates import days, times, zone
from bot.domain import load_domain
from bot.entities import Finder
from bot.near_words import NearWords

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tomorrow", [("tomorrow", "2026-11-25")]),
        ("send it next friday, not in 3 days", [("next friday", "2026-11-27"), ("in 3 days", "2026-11-27")]),
        ("it came 2 weeks ago", [("2 weeks ago", "2026-11-10")]),
        ("since last monday", [("last monday", "2026-11-23")]),
        ("on 3/14/2026", [("3/14/2026", "2026-03-14")]),
        ("on 14/3/2026", [("14/3/2026", "2026-03-14")]),
        ("am 5.3.2026", [("5.3.2026", "2026-03-05")]),
        ("by March 5th please", [("March 5th", "2027-03-05")]),
        ("the 22nd of Apr", [("the 22nd of Apr", "2027-04-22")]),
        ("the day after tomorrow", [("the day after tomorrow", "2026-11-26")]),
        ("monday next week", [("monday next week", "2026-11-30")]),
        ("this weekend", [("this weekend", "2026-11-28")]),
        ("2026-12-01", [("2026-12-01", "2026-12-01")]),
        ("TOMORROW!!!", [("TOMORROW", "2026-11-25")]),
        ("29 february 2027", []),
        ("may I ask what version 2.4.10 is", []),
        ("order 12/13/14/15", []),
        ("I waited 2 days", []),
        ("", []),
    ],
)
def test_days_are_told_as_dates(text: str, found: list[tuple[str, str]]) -> None:
    assert [(text[one["start"] : one["end"]], one["value"]) for one in days(text, NOW)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tomorrow at 3pm", [("tomorrow at 3pm", "2026-11-25T15:00:00.000+01:00", "minute")]),
        ("3 p.m. on friday", [("3 p.m. on friday", "2026-11-27T15:00:00.000+01:00", "minute")]),
        ("5 March at 10:30", [("5 March at 10:30", "2027-03-05T10:30:00.000+01:00", "minute")]),
        ("friday at half past three", [("friday at half past three", "2026-11-27T03:30:00.000+01:00", "minute")]),
        ("25 to 7 p.m.", [("25 to 7 p.m.", "2026-11-24T18:35:00.000+01:00", "minute")]),
        ("8am", [("8am", "2026-11-25T08:00:00.000+01:00", "minute")]),
        ("at noon", [("noon", "2026-11-24T12:00:00.000+01:00", "minute")]),
        ("in 2 hours", [("in 2 hours", "2026-11-24T11:00:00.000+01:00", "minute")]),
        ("this friday morning", [("this friday morning", "2026-11-27T09:00:00.000+01:00", "hour")]),
        ("next month", [("next month", "2026-12-24T00:00:00.000+01:00", "month")]),
        ("the 22nd of Apr", [("the 22nd of Apr", "2027-04-22T00:00:00.000+02:00", "day")]),
        ("call 10:99", []),
    ],
)
def test_times_are_told_as_moments(text: str, found: list[tuple[str, str, str]]) -> None:
    told = [
        (text[one["start"] : one["end"]], one["value"], one["additional_info"]["grain"]) for one in times(text, NOW)
    ]
    assert told == found


def test_tomorrow_is_another_day_on_the_other_side_of_the_world() -> None:
    late = datetime(2026, 11, 24, 23, 30, tzinfo=ZoneInfo("America/Los_Angeles"))
    there = late.astimezone(ZoneInfo("Asia/Shanghai"))
    assert [days("tomorrow", at)[0]["value"] for at in (late, there)] == ["2026-11-25", "2026-11-26"]
    assert times("tomorrow at 3pm", there)[0]["value"] == "2026-11-26T15:00:00.000+08:00"


def test_the_month_comes_first_in_the_americas() -> None:
    at = {name: NOW.astimezone(ZoneInfo(name)) for name in ("America/New_York", "Europe/London")}
    assert [days("on 3/4/2026", now)[0]["value"] for now in at.values()] == ["2026-03-04", "2026-04-03"]


@pytest.mark.parametrize("name", ["", None, 7, "Nowhere/Atlantis", "../../etc/passwd", "\0", "x" * 500])
def test_a_client_that_names_no_zone_has_that_of_the_desk(name: object) -> None:
    assert zone(name, "Europe/Berlin").key == "Europe/Berlin"
    assert zone("Asia/Tokyo", "Europe/Berlin").key == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I paid $12.50", [("$12.50", 12.5, "USD")]),
        ("1.200,50 € zurück", [("1.200,50 €", 1200.5, "EUR")]),
        ("1.200 € or 1,200 EUR", [("1.200 €", 1200, "EUR"), ("1,200 EUR", 1200, "EUR")]),
        ("20 dollars, twenty pounds", [("20 dollars", 20, "USD"), ("twenty pounds", 20, "GBP")]),
        ("£2k", [("£2k", 2000, "GBP")]),
        ("EUR 15 and CHF 1'200.50", [("EUR 15", 15, "EUR"), ("CHF 1'200.50", 1200.5, "CHF")]),
        ("order 12-34 of v2", []),
        ("no money at all", []),
    ],
)
def test_sums_of_money_have_an_amount_and_a_currency(text: str, found: list[tuple[str, float, str]]) -> None:
    told = [(text[one["start"] : one["end"]], one["value"], one["additional_info"]["unit"]) for one in money(text)]
    assert told == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("thirty-five", [35]), ("1,200 or 1.200,50", [1200, 1200.5]), ("3.5 or 2,5", [3.5, 2.5]), ("v2 often", [])],
)
def test_numbers_in_words_and_digits(text: str, found: list[float]) -> None:
    assert [one["value"] for one in numbers(text)] == found


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,:/-'k€$ apmthndofyweriu", max_size=30))
def test_no_text_is_too_odd(text: str) -> None:
    for one in (*days(text, NOW), *times(text, NOW), *money(text), *numbers(text)):
        assert 0 <= one["start"] < one["end"] <= len(text)


DOMAIN = """
intents: [ask]
entities: [number, amount-of-money, time, date, phone-number, product]
nlu:
- intent: ask
  examples: |
    - do you have boats in short sizes
- lookup: product
  examples: |
    - Fern Rain Jacket
    - Boots
    - Thermos 500
    - Umbrella
"""


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    folder: Path = tmp_path_factory.mktemp("domain")
    (folder / "domain.yml").write_text(DOMAIN)
    return Finder(load_domain(folder), zone="Europe/Berlin")


def found(finder: Finder, text: str, heard: tuple[dict[str, Any], ...] = ()) -> list[tuple[str, Any]]:
    return [(one["entity"], one["value"]) for one in finder.merged(heard, text, now=NOW)]


def test_the_entities_of_duckling_are_found_under_its_names(finder: Finder) -> None:
    assert found(finder, "2 of them for 15 € tomorrow at 3pm") == [
        ("number", 2),
        ("amount-of-money", 15),
        ("time", "2026-11-25T15:00:00.000+01:00"),
        ("date", "2026-11-25"),
    ]
    phone = {"entity": "phone", "value": "+44 20 7946 0958", "start": 5, "end": 21, "confidence": 1.0}
    assert ("phone-number", "+44 20 7946 0958") in found(finder, "call +44 20 7946 0958", (phone,))


def test_the_clock_counts_in_the_zone_that_the_client_names(finder: Finder) -> None:
    assert str(finder.now({"timezone": "Asia/Tokyo"}).tzinfo) == "Asia/Tokyo"
    assert str(finder.now({}).tzinfo) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("is the fern rian jacket waterproof", "Fern Rain Jacket"),
        ("FERN RAIN JACKT", "Fern Rain Jacket"),
        ("an umbrela please", "Umbrella"),
        ("an umbrrlla", "Umbrella"),
        ("my bootss are wet", "Boots"),
        ("do you have boats", None),
        ("the thermos 501", None),
        ("the thermso 500", "Thermos 500"),
        ("roots", None),
        ("umbelievable", None),
    ],
)
def test_a_mistyped_product_is_the_product(text: str, product: str | None, finder: Finder) -> None:
    told = [one for one in finder.find(text, now=NOW) if one["entity"] == "product"]
    assert [one["value"] for one in told] == ([product] if product else [])
    assert all(0.7 < one["confidence"] < 1 for one in told)


def test_what_is_written_right_is_sure(finder: Finder) -> None:
    assert [(o["value"], o["confidence"]) for o in finder.find("rain boots", now=NOW)] == [("boots", 1.0)]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_near_words_stand_in_the_text(text: str) -> None:
    near = NearWords({"product": ["Fern Rain Jacket", "Boots", "退款 单"]}, ["boats"])
    assert all(0 <= start < end <= len(text) for _, _, start, end, _ in near.find(text))
