"""Articles that contradict each other are found, and only these."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retrieval.articles import Article
from retrieval.compose import compose
from retrieval.conflicts import conflicts
from retrieval.knowledge import KnowledgeIndex
from retrieval.shelves import passages

OLD = Article("old", "Returns", "You may return unworn boots within thirty days.", updated="2025-01-01")
NEW = Article("new", "Returns", "Note: you may return unworn boots within 60 days.", updated="2026-01-01")


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("The parcel costs £4.95 in Leeds.", "The parcel costs £5.95 in Leeds.", "4.95 / 5.95"),
        ("The summer sale ends on Friday evening.", "The summer sale ends on Sunday evening.", "frida / sunda"),
        ("Boots can be washed in the machine.", "Boots cannot be washed in the machine.", "yes / no"),
        ("The shop in Leeds is open on holidays.", "The shop in Leeds is closed on holidays.", "clos / open"),
    ],
)
def test_other_numbers_dates_and_a_no_are_found(one: str, other: str, what: str) -> None:
    (found,) = conflicts([Article("a", "Shop", one), Article("b", "Shop", other)])
    assert sorted(found.what.split(" / ")) == sorted(what.split(" / "))
    assert not found.elsewhere


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The trail tent weighs 2 kilos packed.", "The summit tent weighs 3 kilos packed."),
        ("You may return boots within thirty days.", "You may return boots within 30 days."),
        ("Standard delivery takes 3 working days.", "Standard delivery takes 3 working days and costs 5 euro."),
        ("Read about licences for drivers here [2].", "Read about licences for drivers here [5]."),
        ("Send it back.", "Do not send it back."),
    ],
)
def test_what_says_something_else_or_more_is_no_contradiction(one: str, other: str) -> None:
    assert conflicts([Article("a", "Shop", one), Article("b", "Shop", other)]) == []


def test_the_newer_comes_first_and_subjects_languages_and_days_are_kept_apart() -> None:
    (found,) = conflicts([OLD, NEW])
    assert (found.newer.article, found.older.article, found.what) == ("new", "old", "60 / 30")
    assert conflicts([replace(OLD, language="en"), replace(NEW, language="de")]) == []
    assert conflicts([replace(OLD, subject="Boots"), replace(NEW, subject="Tents")]) == []
    assert conflicts([replace(OLD, valid_until="2025-12-31"), replace(NEW, valid_from="2026-01-01")]) == []
    (apart,) = conflicts([replace(OLD, title="Delivery Italy"), replace(NEW, title="Delivery Norway")])
    assert apart.elsewhere


def test_a_reply_gives_both_newest_first_and_cites_both() -> None:
    old, new = (replace(passages(article)[0], p_relevant=p) for article, p in ((OLD, 0.9), (NEW, 0.8)))
    reply = compose("how long can i return boots", [old, new])
    assert reply is not None
    assert reply.text.splitlines() == [NEW.markdown, OLD.markdown]
    assert [passage.article for passage in reply.passages] == ["new", "old"]
    assert [conflict.what for conflict in reply.conflicts] == ["60 / 30"]


def test_near_copies_that_contradict_each_other_are_both_found() -> None:
    import numpy as np

    text = "Unworn boots may be returned to any of our shops or by post in their box within {} days of the delivery."
    articles = [Article(f"a{days}", "Returns", text.format(days)) for days in (30, 60)]
    index = KnowledgeIndex.build(articles, lambda texts: np.ones((len(texts), 1), np.float32), encoder_id="e")
    hits = index.search(np.ones(1, np.float32), "how long can i return boots")
    assert {hit.article for hit in hits} == {"a30", "a60"}
