from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def articles(demo: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """Name -> (front matter, body)."""
    found = {}
    for path in sorted((demo / "knowledge").glob("*.md")):
        _, head, body = path.read_text("utf-8").split("---\n", 2)
        found[path.stem] = (yaml.safe_load(head), body)
    return found


def test_there_are_25_articles_of_150_to_500_words(articles: dict[str, tuple[dict[str, Any], str]]) -> None:
    assert len(articles) == 25
    assert not {name: len(body.split()) for name, (_, body) in articles.items() if not 150 <= len(body.split()) <= 500}


def test_every_article_says_its_title_address_tags_and_date(articles: dict[str, tuple[dict[str, Any], str]]) -> None:
    for name, (head, body) in articles.items():
        assert set(head) == {"title", "url", "tags", "updated"}, name
        assert head["url"] == f"https://fernwood.example.com/help/{name}"
        assert isinstance(head["updated"], date)
        assert head["tags"]
        assert body.startswith(f"\n# {head['title']}\n"), name


def test_the_articles_know_the_new_return_period(articles: dict[str, tuple[dict[str, Any], str]]) -> None:
    assert "within 60 days of delivery" in articles["returns"][1]


def test_some_articles_answer_what_nobody_asked(
    articles: dict[str, tuple[dict[str, Any], str]], transcripts: list[dict[str, Any]]
) -> None:
    said = "\n".join(turn["text"].lower() for t in transcripts for turn in t["turns"])

    for name, word in (("old-gear", "trade-in"), ("tent-care", "condensation"), ("gift-cards", "wrap as a gift")):
        assert word in articles[name][1].lower()
        assert word not in said


def test_the_shops_facts_are_the_same_in_articles_and_answers(
    articles: dict[str, tuple[dict[str, Any], str]], transcripts: list[dict[str, Any]]
) -> None:
    """Every price that agents name often stands in an article."""
    prices = re.findall(
        r"£\d+(?:\.\d\d)?", "\n".join(t["text"] for c in transcripts for t in c["turns"] if t["by"] == "agent")
    )
    common = {price for price in set(prices) if prices.count(price) >= 15}
    written = "\n".join(body for _, body in articles.values())

    assert len(common) >= 8
    assert not {price for price in common if price not in written}
