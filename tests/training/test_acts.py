from __future__ import annotations

import pytest

from training.acts import PHATIC, SEEDS, Acts, joined, sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("So be it! Where is it? I wait.", ["So be it!", "Where is it?", "I wait."]),
        ("Dear Anna, you can return it.", ["you can return it."]),
        ("Hi there! Where is it?", ["Where is it?"]),
        ("Hi there!", ["Hi there!"]),
        ("Good morning dear Mrs Smith, it is here", ["it is here"]),
        ("hello <NAME>: my zip broke", ["my zip broke"]),
        ("Hi I need a refund, please", ["Hi I need a refund, please"]),
        ("hey you have 30 days, the label is online", ["hey you have 30 days, the label is online"]),
        ("Hello it's broken, can you help?", ["Hello it's broken, can you help?"]),
        ("one line\nanother line", ["one line", "another line"]),
        ("You can return it. - Anna", ["You can return it."]),
        ("You can return it. ^TM", ["You can return it."]),
        ("You can return it.\n<NAME>", ["You can return it."]),
        ("we are open Mon-Fri", ["we are open Mon-Fri"]),
        ("we are open Monday - Friday", ["we are open Monday - Friday"]),
        ("it comes in S/M and M/L", ["it comes in S/M and M/L"]),
        ("no end mark", ["no end mark"]),
        ("costs 3.50 euro a day", ["costs 3.50 euro a day"]),
        ("  ", []),
        ("", []),
    ],
)
def test_a_text_is_cut_at_end_marks_and_lines_without_its_signature(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.fixture(scope="session")
def acts(words) -> Acts:
    return Acts(words)


def test_every_seed_is_what_it_stands_for(acts: Acts) -> None:
    for act in ("hold", "close", "greet", "content"):
        assert set(acts.of(SEEDS[act])) == {act}


def test_what_is_like_no_seed_is_content(acts: Acts) -> None:
    assert acts.of(["the blue kayak leaks near its stern", "", "???"]) == ["content"] * 3


def test_a_long_text_is_never_small_talk(acts: Acts) -> None:
    assert acts.of(["thank you so much " * 5]) == ["content"]
    assert acts.of(["thank you so much"])[0] in PHATIC


def test_each_text_gets_its_own_act_however_often_it_stands_there(acts: Acts) -> None:
    assert acts.of(["goodbye", "where is my order?", "goodbye"]) == ["close", "content", "close"]
    assert acts.of([]) == []


def test_sentences_that_stay_keep_their_lines_and_paragraphs() -> None:
    text = "Hi Anna,\nTo return it. Do this:\n1. Print the label.\n2. Drop it off.\n\nBye!\n\nShoes must be unworn."
    kept = [part for part in sentences(text) if part not in ("Bye!", "To return it.")]
    assert joined(kept, text) == "Do this:\n1. Print the label.\n2. Drop it off.\n\nShoes must be unworn."
