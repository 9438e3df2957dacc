from __future__ import annotations

import pytest

from retrieval.articles import Article, parse_article
from retrieval.blocks import count_words, units
from retrieval.errors import BadInput
from retrieval.passages import MOST, drafts

RETURNS = """---
title: Returns
url: https://shop.example/returns
tags: [returns, refund]
updated: 2026-03-01
---
You may return it.
"""


def test_an_article_has_its_front_matter() -> None:
    found = parse_article("returns.md", RETURNS, "orders/returns")
    expected = Article(
        "orders/returns", "Returns", "You may return it.\n", "https://shop.example/returns", ("returns", "refund"),
        "2026-03-01",
    )  # fmt: skip
    assert found == expected


def test_an_article_says_for_whom_when_and_on_what_question_it_is() -> None:
    head = (
        "title: Q?\nlanguage: de\nsubject: Tents\nvalid_from: 2026-01-01\nvalid_until: 2026-12-31\nquestions: [a b, c]"
    )
    found = parse_article("a.md", f"---\n{head}\n---\nBody", "a")
    assert (found.language, found.subject, found.questions) == ("de", "Tents", ("a b", "c"))
    assert (found.valid_from, found.valid_until) == ("2026-01-01", "2026-12-31")


def test_an_article_without_front_matter_is_called_after_its_first_heading() -> None:
    assert parse_article("a.md", "# Gift cards\n\nThey never expire.", "a").title == "Gift cards"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("---\ntitle: x\nBody", "never ends"),
        ("---\ntitel: x\n---\nBody", "did you mean 'title'"),
        ("---\ntitle: a: b\n---\nBody", "not YAML"),
        ("---\n- x\n---\nBody", "one 'key: value' a line"),
        ("---\ntitle: x\nupdated: soon\n---\nBody", "write a date as"),
        ("---\ntitle: x\nvalid_until: soon\n---\nBody", "write a date as"),
        ("---\ntitle: x\n---\n# Only a heading\n", "no text below"),
        ("", "has no title"),
    ],
)
def test_a_bad_article_is_named_with_its_fault(content: str, says: str) -> None:
    with pytest.raises(BadInput, match=r"bad\.md.*" + says):
        parse_article("bad.md", content, "bad")


@pytest.mark.parametrize(
    ("title", "topic"), [("Sunrise: Is it open?", "Sunrise"), ("Benefits: Retirement", ""), ("A?", "")]
)
def test_a_subject_stands_before_the_question_of_a_title(title: str, topic: str) -> None:
    assert Article("a", title, "Text").topic == topic


def sentence(number: int) -> str:
    return f"Sentence {number} says what it has to say in ten words."


def test_a_long_section_is_cut_between_sentences_into_even_passages() -> None:
    text = " ".join(sentence(number) for number in range(40))
    made = drafts(Article("a", "T", text))
    assert " ".join(draft.text for draft in made) == text
    assert all(60 <= count_words(draft.text) <= MOST for draft in made)


def test_a_passage_keeps_the_path_of_its_headings_and_never_mixes_two() -> None:
    made = drafts(Article("a", "T", "# T\nIntro.\n\n## Fees\nNone.\n\n### Abroad\nTwo.\n\n## Time\nTen days.\n"))
    assert [(draft.heading, draft.text) for draft in made] == [
        ("", "Intro."),
        ("Fees", "None."),
        ("Fees > Abroad", "Two."),
        ("Time", "Ten days."),
    ]


@pytest.mark.parametrize("mark", ["1. ", "- ", "| "])
def test_lists_and_tables_longer_than_a_passage_are_never_cut(mark: str) -> None:
    lines = [f"{mark}{sentence(number)}" for number in range(30)]
    if mark == "| ":
        lines.insert(1, "| --- |")
    made = drafts(Article("a", "T", "Before it. The list:\n\n" + "\n".join(lines) + "\n\nAfter it."))
    whole = next(draft for draft in made if "Sentence 7 " in draft.text)
    assert all(f"Sentence {number} " in whole.text for number in range(30))
    assert "The list:\n" in whole.text


def test_the_units_of_a_passage_make_up_its_text() -> None:
    article = Article("a", "T", "One is here. Two is here.\n\nYou need:\n\n- a box\n- a label\n\nThree.")
    (draft,) = drafts(article)
    assert units(draft.text) == ["One is here.", "Two is here.", "You need:\n- a box\n- a label", "Three."]


def test_an_article_without_text_is_found_by_its_title() -> None:
    assert [draft.text for draft in drafts(Article("a", "Opening hours", ""))] == ["Opening hours"]
