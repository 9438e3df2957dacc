from __future__ import annotations

from retrieval.articles import Article
from retrieval.phrasings import MOST, learned
from tests.retrieval.conftest import Counting

ENTRIES = [
    Article("pay", "How can I pay?", "You can pay with a credit card or an invoice."),
    Article("ship", "Where do you ship?", "We ship to France and Spain within four days."),
    Article("about", "About us", "You can pay with a credit card or an invoice."),
]


def test_requests_lead_to_the_entry_that_says_what_was_answered() -> None:
    answers = ["You can pay with a credit card or an invoice, too.", "We are closed on Sunday."]
    requests = [(0, "is visa ok"), (1, "open on sunday?"), (0, "can i get an invoice"), (0, "is visa ok")]
    assert learned(ENTRIES, answers, requests, Counting()) == {"pay": ["is visa ok", "can i get an invoice"]}


def test_of_many_requests_those_that_differ_are_kept() -> None:
    same = [(0, f"visa {'please ' * n}") for n in range(1, 40)]
    kept = learned(ENTRIES, [ENTRIES[0].markdown], [*same, (0, "bank transfer"), (0, "invoice by mail")], Counting())
    assert len(kept["pay"]) == MOST
    assert {"bank transfer", "invoice by mail"} <= set(kept["pay"])


def test_without_entries_or_answers_nothing_is_learned() -> None:
    assert learned([ENTRIES[2]], ["x"], [(0, "y")], Counting()) == {}
    assert learned(ENTRIES, [], [], Counting()) == {}
