"""The report in plain words: its figures are those of the scores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from training.gate import GateConfig, decide
from training.report import cell, report
from training.scores import Case, Scores


def make(n=200, wrong=4, handed=50, budget=0.05):
    cases = []
    for i in range(n):
        sent = None if i < handed else "Your order is on its way."
        right = sent is not None and i >= handed + wrong
        cases.append(
            Case(f"c{i // 2}", i, f"where is | order {i}?", "It left\nyesterday <b>", "a1" if i % 2 else "a2",
                 "where is my order" if i % 3 else "refund", 1 if right or i < 20 else None, 0.5 + i / 400, sent, right)
        )  # fmt: skip
    return Scores("b1", tuple(cases), 0.8, budget, "answer group", left_out=3)


def test_the_three_outcomes_add_up_with_their_ranges():
    text = report(make(), facts=["Learned from 90 conversations."])
    assert text.startswith("# What bundle b1 would do\n- Learned from 90 conversations.\n")
    assert "200 customer messages from 100 later conversations" in text
    assert "| answered, rightly | 146 | 73.0% |" in text
    assert "| answered, wrongly | 4 | 2.0% |" in text
    assert "| handed to a person | 50 | 25.0% |" in text
    assert "3 more messages could not be judged" in text


@pytest.mark.parametrize(
    ("wrong", "word"),
    [(4, "The promise was kept."), (9, "chance may explain it"), (60, "That is more than promised.")],
)
def test_the_promise_is_compared_with_what_happened(wrong, word):
    assert word in report(make(wrong=wrong))


def test_other_budgets_are_judged_on_the_same_messages():
    scores = replace(make(), promises={"0.1": 0.5, "0.02": 0.8, "0.05": 1.01})
    kept = [(one.budget, one.answered, one.wrong) for one in scores.kept()]
    assert kept == [(0.02, 80, 0), (0.05, 0, 0), (0.1, 200, 34)]
    assert scores.summary()["promises"][2]["wrong_answer_rate"] == pytest.approx(0.17)
    text = report(scores)
    assert "| 2% | 80% | 80 | 0.0% |" in text
    assert "| 5% | none keeps it | 0 | 0.0% |" in text
    assert "| 10% | 50% | 200 | 17.0% |" in text


def test_what_may_never_be_sent_answers_nothing_at_any_budget():
    scores = make()
    cases = tuple(replace(case, servable=False) for case in scores.cases)
    assert replace(scores, cases=cases, promises={"0.1": 0.5}).kept()[0].answered == 0


def test_a_kind_that_breaks_the_promise_on_its_own_is_named():
    text = report(make(wrong=9))
    assert "Over the budget on its own: refund, where 3 of 50 answers were wrong (6.0%)." in text
    assert "Over the budget" not in report(make(wrong=4))


def test_kinds_of_request_and_wrong_answers_are_tables_that_odd_text_cannot_break():
    text = report(make())
    assert "| where is my order | 133 |" in text
    assert "where is \\| order 53?" in text
    assert "It left yesterday &lt;b>" in text
    rows = [line for line in text.splitlines() if line.startswith("| where is \\|")]
    assert len(rows) == 4
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


def test_the_next_steps_name_the_request_that_costs_most():
    text = report(make())
    assert "Look at the answers to" in text
    assert "it would save the most hand-overs" in text
    assert "Lower the error budget" not in text
    assert "Lower the error budget" in report(make(wrong=60))


def test_nobody_is_asked_to_write_an_answer_for_what_the_dialogue_deals_with():
    advice = "Write or review an answer for {!r}"
    assert advice.format("where is my order") in report(make())
    rest = report(make(), dialogue={"where is my order"})
    assert advice.format("where is my order") not in rest
    assert advice.format("refund") in rest
    assert "Write or review" not in report(make(), dialogue={"where is my order", "refund"})


def test_the_gate_gives_its_reasons():
    scores = make(wrong=60)
    text = report(scores, verdict=decide(scores, None, GateConfig()))
    assert "It must not go into service as it is." in text
    assert "60 of 150 answers were wrong" in text


def test_a_bundle_that_never_answers_or_was_never_tested_gets_a_report_too():
    silent = report(make(wrong=0, handed=200))
    assert "never sure enough to answer" in silent
    assert "Promised and kept" not in silent
    assert "nothing could be measured" in report(Scores("b", (), 0.5, 0.05, "action"))


def test_the_same_scores_give_the_same_text():
    assert report(make()) == report(make())


def test_a_cell_is_short_and_on_one_line():
    assert cell("a\n\tb") == "a b"
    assert len(cell("x" * 500)) == 160


def test_a_threshold_that_nothing_reaches_is_explained():
    assert "at least 80% sure" in report(make())
    unreachable = Scores("b", make(wrong=0, handed=200).cases, 1.01, 0.05, "action")
    assert "the bot never answers by itself" in report(unreachable)
