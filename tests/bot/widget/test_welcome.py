from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.config import BusinessHours, Config
from bot.widget.bodies import Opened
from bot.widget.tokens import Session
from bot.widget.welcome import welcome

MONDAY_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
HOUR = 3600


def opened(locale: str = "en", at: float = MONDAY_NOON, **widget: object) -> Opened:
    config = Config.model_validate(
        {
            "channels": {"widget": {"sites": {"shop": {"name": "The shop"}}, **widget}},
            "business_hours": {"timezone": "Europe/Berlin", "days": {"mon": "09:00-17:00", "wed": "10:00-12:00"}},
        }
    )
    site = config.channels.widget.sites["shop"]
    return welcome(config, site, Session("shop", "v", 1.0), "token", locale=locale, at=at)


def test_words_of_the_language_come_before_those_of_the_site_and_the_desk() -> None:
    texts = {
        "de": {"name": "Der Laden", "greeting": "Hallo! Ich bin ein Bot.", "strings": {"askPerson": "Mensch!"}},
        "zh-CN": {"starters": ["订单"], "prechat": []},
    }
    ask = [{"name": "email", "label": "E-mail", "type": "email"}]
    german = opened("de-AT", texts=texts, starters=["Hi"], prechat=ask)
    assert (german.name, german.greeting, german.starters) == ("Der Laden", "Hallo! Ich bin ein Bot.", ("Hi",))
    assert (german.strings, [field.name for field in german.prechat]) == ({"askPerson": "Mensch!"}, ["email"])
    chinese = opened("zh-CN", texts=texts, prechat=ask)
    assert (chinese.name, chinese.greeting, chinese.starters, chinese.prechat) == ("The shop", None, ("订单",), ())


@pytest.mark.parametrize(
    ("hours", "away", "back"),
    [
        (0, False, None),
        (5, True, 45),  # Monday 18:00 in Berlin: back on Wednesday at 10:00
        (-5, True, -4),  # Monday 08:00: back at 09:00
        (48, True, 164),  # Wednesday 13:00: back on Monday
    ],
)
def test_outside_business_hours_it_says_when_people_are_back(hours: int, away: bool, back: int | None) -> None:
    found = opened(at=MONDAY_NOON + hours * HOUR)
    assert found.away is away
    assert found.back_at == (None if back is None else MONDAY_NOON + back * HOUR)


def test_a_desk_without_hours_is_never_away_and_one_without_days_never_back() -> None:
    assert BusinessHours().opens_at(MONDAY_NOON) is None
    assert BusinessHours(days={}).opens_at(MONDAY_NOON) is None


def test_files_are_offered_as_the_team_allows() -> None:
    files = opened(files={"types": ["png", "pdf"], "megabytes": 2}).files
    assert files is not None
    assert (files.accept, files.bytes) == (".png,.pdf", 2_000_000)
    assert opened(files={"enabled": False}).files is None


def test_an_ending_that_cannot_be_checked_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ValueError, match="'exe' is no ending"):
        opened(files={"types": ["exe"]})
