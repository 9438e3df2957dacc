from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from bot.domain import Domain
from bot.domain_check import examine

INTENTS = {
    "greet",
    "goodbye",
    "thank",
    "bot_challenge",
    "talk_to_person",
    "check_order_status",
    "start_return",
    "affirm",
    "deny",
}


@pytest.fixture(scope="module")
def domain(demo: Path) -> Domain:
    found, problems = examine(demo)
    assert not list(problems)
    return found


def test_the_dialogue_files_pass_every_check_without_a_warning(domain: Domain) -> None:
    assert set(domain.forms) == {"order_status_form", "return_form"}
    assert len(domain.rules) >= 9
    assert domain.stories


def test_every_intent_has_12_to_20_examples(domain: Domain) -> None:
    counts = Counter(example.intent for example in domain.nlu.examples)

    assert set(counts) >= INTENTS
    assert not {intent: n for intent, n in counts.items() if not 12 <= n <= 20}


def test_every_response_has_variations_and_the_greeting_says_bot(domain: Domain) -> None:
    spoken = {name: found for name, found in domain.responses.items() if "utter_ask_return_form" not in name}

    assert not [name for name, found in spoken.items() if len(found) < 2]
    assert all("bot" in str(variation.text) for variation in domain.responses["utter_greet"])


def test_the_files_name_their_format(demo: Path) -> None:
    for name in ("domain", "nlu", "rules", "stories"):
        assert yaml.safe_load((demo / f"{name}.yml").read_text("utf-8"))["version"] == "3.1"
