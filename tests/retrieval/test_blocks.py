from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.blocks import count_words, parse, sentences, units


def texts(markdown: str) -> list[str]:
    return [block.text for block in parse(markdown)]


def test_inline_markup_becomes_plain_text() -> None:
    assert texts("It is **free** and `fast`,\nsee [our page](https://shop.example/r) or [below](#fees).") == [
        "It is free and fast, see our page (https://shop.example/r) or below."
    ]


def test_a_list_is_one_block_with_its_numbers_and_its_nesting() -> None:
    assert texts("3. Print it.\n4. Fold it\n   twice.\n   - or *roll* it\n") == [
        "3. Print it.\n4. Fold it twice.\n   - or roll it"
    ]


def test_a_table_is_one_block_with_a_line_a_row() -> None:
    assert texts("| Country | Days |\n|---|---|\n| France | 2 |\n") == ["Country | Days\nFrance | 2"]


def test_html_loses_its_tags_and_comments() -> None:
    assert texts("<div>We ship <b>daily</b>.</div>\n\n<!-- later -->\n") == ["We ship daily ."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 3.50 a day. Is that all? Yes!", ["It costs 3.50 a day.", "Is that all?", "Yes!"]),
        ("Shoes, e.g. boots, and Mr. Hill stay.", ["Shoes, e.g. boots, and Mr. Hill stay."]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("三天内发货。可以退吗？可以。", ["三天内发货。", "可以退吗？", "可以。"]),
        ("no full stop", ["no full stop"]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.sampled_from("ab. ?!\n\"'()。e.g1"), max_size=80))
def test_sentences_are_slices_of_the_text_and_lose_nothing_but_white_space(text: str) -> None:
    found = sentences(text)
    assert all(sentence in text for sentence in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_list_stays_with_the_line_that_introduces_it() -> None:
    text = "Bring this with you.\n\nYou need:\n- a box\n- a label\n\nThen go."
    assert units(text) == ["Bring this with you.", "You need:\n- a box\n- a label", "Then go."]


def test_words_of_chinese_text_are_counted_by_its_characters() -> None:
    assert count_words("three little words") == 3
    assert count_words("我们三天内发货到北京") == 6
