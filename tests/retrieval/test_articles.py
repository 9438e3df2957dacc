from __future__ import annotations

import os
from pathlib import Path

import pytest

from retrieval.articles import Article, fingerprint, load_articles
from retrieval.blocks import count_words, units
from retrieval.errors import BadInput, NotFound
from retrieval.passages import MOST, drafts

RETURNS = """---
title: Returns
url: https://shop.example/returns
tags: [returns, refund]
updated: 2026-03-01
---
You may return it.
"""


def test_an_article_has_its_front_matter_and_its_path_as_id(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "returns.md").write_text(RETURNS)
    assert load_articles(tmp_path) == [
        Article(
            "orders/returns", "Returns", "You may return it.\n", "https://shop.example/returns", ("returns", "refund"),
            "2026-03-01",
        )
    ]  # fmt: skip


def test_an_article_without_front_matter_is_called_after_its_first_heading(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Gift cards\n\nThey never expire.")
    assert load_articles(tmp_path)[0].title == "Gift cards"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"---\ntitle: x\nBody", "never ends"),
        (b"---\ntitel: x\n---\nBody", "did you mean 'title'"),
        (b"---\ntitle: a: b\n---\nBody", "not YAML"),
        (b"---\n- x\n---\nBody", "one 'key: value' a line"),
        (b"---\ntitle: x\nupdated: soon\n---\nBody", "write a date as"),
        (b"---\ntitle: x\n---\n# Only a heading\n", "no text below"),
        (b"", "has no title"),
        (b"---\ntitle: caf\xe9\n---\nBody", "not UTF-8"),
        (b"\x00\xff\xfe\x80" * 50, "not UTF-8"),
    ],
)
def test_a_bad_article_is_named_with_its_fault(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "bad.md").write_bytes(content)
    with pytest.raises(BadInput, match=r"bad\.md.*" + says):
        load_articles(tmp_path)


def test_all_bad_articles_are_named_at_once(tmp_path: Path) -> None:
    for name in ("one.md", "two.md"):
        (tmp_path / name).write_text("")
    with pytest.raises(BadInput, match=r"(?s)one\.md.*two\.md"):
        load_articles(tmp_path)


def test_a_missing_folder_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    assert load_articles(tmp_path) == []
    with pytest.raises(NotFound, match="create it"):
        load_articles(tmp_path / "nowhere")


def test_the_fingerprint_changes_with_every_change_of_the_folder(tmp_path: Path) -> None:
    seen = {fingerprint(tmp_path)}
    path = tmp_path / "a.md"
    path.write_text(RETURNS)
    seen.add(fingerprint(tmp_path))
    os.utime(path, ns=(0, 0))
    seen.add(fingerprint(tmp_path))
    assert fingerprint(tmp_path) in seen
    path.rename(tmp_path / "b.md")
    seen.add(fingerprint(tmp_path))
    (tmp_path / "b.md").unlink()
    assert len(seen) == 4
    assert fingerprint(tmp_path) in seen


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
