from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.texts import attachment, counted, pressed, reference, shorten, split, utf16, with_numbers, words
from bot.conversation import fold
from bot.events import BotSaid, UserSaid

BUTTONS = ({"title": "Yes", "payload": "/affirm"}, {"title": "No", "payload": "/deny"})
MENU = BotSaid(text="Sure?", message_id="b1", buttons=BUTTONS)


@given(st.text(), st.integers(5, 60))
def test_parts_fit_and_lose_no_word_however_the_platform_counts(text: str, most: int) -> None:
    for size in (len, utf16):
        parts = split(text, most, size=size)
        assert all(0 < size(part) <= most for part in parts)
        assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_text_is_cut_where_a_paragraph_or_a_sentence_ends() -> None:
    assert split("One. Two three four.\n\nFive.", 24) == ["One. Two three four.", "Five."]
    assert split("One two three. Four five", 16) == ["One two three.", "Four five"]


def test_a_label_is_shortened_with_an_ellipsis() -> None:
    assert shorten("a  long\nlabel", 9) == "a long l…"


def test_sources_and_files_are_text_where_nothing_else_goes() -> None:
    said = BotSaid(
        text="30 days.", citations=({"title": "Returns", "url": "https://s.example/r"},), attachment="https://f"
    )
    assert words(said) == "30 days.\n\nReturns https://s.example/r\nhttps://f"
    assert attachment(BotSaid(attachment={"type": "template", "payload": {"src": "https://v"}})) == "https://v"


def test_choices_are_numbered_and_a_number_is_the_choice() -> None:
    assert with_numbers(MENU) == "Sure?\n\n1. Yes\n2. No"
    asked = fold("c", [UserSaid(text="x", message_id="1"), MENU])
    assert counted(asked, " 2. ") == BUTTONS[1]


@pytest.mark.parametrize("text", ["3", "0", "yes", "2 of them", "99"])
def test_what_is_no_number_of_a_choice_is_text(text: str) -> None:
    assert counted(fold("c", [MENU]), text) is None


def test_a_number_after_the_choice_was_made_is_just_a_number() -> None:
    assert counted(fold("c", [MENU, UserSaid(text="/affirm", message_id="2")]), "1") is None


@pytest.mark.parametrize(
    ("ref", "button"), [(reference(MENU, 1), BUTTONS[1]), ("b1:7", None), ("b1:x", None), ("", None)]
)
def test_a_reference_is_the_button_that_it_was_made_of(ref: str, button: object) -> None:
    assert pressed(fold("c", [MENU]), ref) == button
