"""Entities that the files teach: words, their values, and the role that their place in a sentence speaks for."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain import load_domain
from bot.entities import Finder

DOMAIN = """
intents: [fly, order]
entities:
- city: {roles: [from, to]}
- topping: {groups: ["1", "2"]}
- size
- number
nlu:
- intent: fly
  examples: |
    - fly from [Berlin]{"entity": "city", "role": "from"} to [Rome]{"entity": "city", "role": "to"}
    - I go to [Paris]{"entity": "city", "role": "to"}
    - from [Oslo]{"entity": "city", "role": "from"} please
    - get me to [NYC]{"entity": "city", "role": "to", "value": "New York"} from [Bonn]{"entity": "city", "role": "from"}
- intent: order
  examples: |
    - a [small](size) one with [ham]{"entity": "topping", "group": "1"}
    - and one more with [olives]{"entity": "topping", "group": "2"}
- synonym: large
  examples: [xl, huge]
- lookup: size
  examples: [xl, huge]
"""


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    folder = tmp_path_factory.mktemp("domain")
    (folder / "domain.yml").write_text(DOMAIN)
    return Finder(load_domain(folder))


def found(finder: Finder, text: str, *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(one.get(key) for key in ("entity", "value", *keys)) for one in finder.find(text)]


@pytest.mark.parametrize(
    ("text", "cities"),
    [
        ("from rome to oslo", [("rome", "from"), ("oslo", "to")]),
        ("I want to go to Berlin", [("Berlin", "to")]),
        ("a ticket to Bonn from Paris please", [("Bonn", "to"), ("Paris", "from")]),
    ],
)
def test_the_words_around_an_entity_tell_its_role(text: str, cities: list[tuple[str, str]], finder: Finder) -> None:
    assert found(finder, text, "role") == [("city", *city) for city in cities]


def test_groups_are_told_in_the_same_way(finder: Finder) -> None:
    assert ("topping", "olives", "2") in found(finder, "one more with olives", "group")


def test_a_value_written_in_an_example_stands_for_its_words(finder: Finder) -> None:
    assert found(finder, "to nyc", "role") == [("city", "New York", "to")]


def test_synonyms_give_the_value(finder: Finder) -> None:
    assert found(finder, "a huge one please") == [("size", "large"), ("number", 1)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("for 4 people", [4]),
        ("for four people", [4]),
        ("3.5 or 2,5", [3.5, 2.5]),
        ("order 12-34 of v2", []),
        ("often", []),
    ],
)
def test_numbers_are_found_by_themselves(text: str, numbers: list[float], finder: Finder) -> None:
    assert [value for name, value in found(finder, text) if name == "number"] == numbers


def test_what_the_engine_heard_keeps_its_place_before_what_the_files_teach(finder: Finder) -> None:
    heard = [{"entity": "order", "value": "A-1", "start": 0, "end": 3}]
    assert [one["entity"] for one in finder.merged(heard, "A-1 to Rome")] == ["order", "city"]
