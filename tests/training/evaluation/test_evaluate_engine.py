"""Intents, induction and document search, measured on what was really trained."""

from __future__ import annotations

import random

import pytest

from retrieval.engine import Engine
from retrieval.errors import BadInput
from training.base import base_encoder
from training.config import IntentConfig
from training.diff import differences, latest_requests
from training.evaluate import (
    document_search,
    evaluate_induced,
    evaluate_induction,
    evaluate_intents,
    evaluate_knowledge,
)
from training.labelled import train_intents
from training.mine import induce
from training.rows import Document, Question, TurnRow

from .conftest import TOPICS

FAR = ["zebra 7 quantum", "xylophone 9 9", "my dog eats 4 moons", "0 0 0 1 2", "who won the cup 3 times", "jjj kkk qqq"]
KEYS = {
    "accuracy", "in_scope_accuracy", "oos_recall", "oos_auroc", "oos_recall_at_95_in_scope", "best_accuracy",
    "coverage_at_2pct_error", "coverage_at_5pct_error", "encode_p50_ms", "n_test",
}  # fmt: skip


def phrased(rng: random.Random) -> list[tuple[str, str | None]]:
    """Every wording of every topic, five times, each time with other words around it."""
    around = ("hello", "please", "thank you", "hi there", "a question")
    return [
        (f"{rng.choice(around)} {text}", topic)
        for topic, (asked, _) in TOPICS.items()
        for text in asked
        for _ in range(5)
    ]


@pytest.fixture(scope="module")
def intents(recipe, tmp_path_factory) -> Engine:
    return Engine.load(train_intents(phrased(random.Random(1)), config=recipe, work=tmp_path_factory.mktemp("intents")))


def test_learned_intents_are_recognised_and_the_json_has_the_keys_of_the_contract(intents):
    test = [*phrased(random.Random(2)), *((text, None) for text in FAR)]
    found = evaluate_intents(intents, test)
    assert set(found) >= KEYS
    assert found["in_scope_accuracy"] > 0.9
    assert found["oos_auroc"] > 0.7
    assert found["best_accuracy"] >= found["accuracy"]
    assert found["coverage_at_5pct_error"] >= found["coverage_at_2pct_error"]
    assert (found["n_test"], found["n_out_of_scope"]) == (126, 6)


def test_an_intent_that_was_never_learned_is_never_right(intents):
    found = evaluate_intents(intents, [("is shipping free", "weather")] * 3)
    assert (found["in_scope_accuracy"], found["oos_auroc"], found["oos_recall"]) == (0.0, None, None)


def test_only_out_of_scope_rows_have_no_in_scope_accuracy(intents):
    found = evaluate_intents(intents, [(text, None) for text in FAR])
    assert found["in_scope_accuracy"] is None
    assert found["accuracy"] == found["oos_recall"] == found["best_accuracy"] or found["best_accuracy"] == 1.0


def test_induced_kinds_of_request_agree_with_the_real_ones_far_better_than_chance(recipe, tmp_path):
    asked = [(text, topic) for topic, (texts, _) in TOPICS.items() for text in texts] * 4
    rows = [TurnRow(text, str(i), None, topic) for i, (text, topic) in enumerate(asked)]
    few = recipe.model_copy(update={"intents": IntentConfig(least=6, most=10)})
    labels = induce([row.text for row in rows], base_encoder(few, tmp_path).encode, few)
    found = evaluate_induction(rows, labels)
    chance = evaluate_induction(rows, random.Random(0).sample(labels, len(labels)))
    assert found["precision"] > chance["precision"] + 0.2
    assert found["nmi"] > chance["nmi"] + 0.3
    assert found["k"] == len(set(labels))
    labelled = [(row.text, label) for row, label in zip(rows, labels, strict=True)]
    engine = Engine.load(train_intents(labelled, config=few, work=tmp_path))
    scored = evaluate_induced(engine, phrased(random.Random(4)))
    assert scored["test_acc"] > 0.3
    assert scored["n_test"] == 120


def test_without_gold_intents_induction_has_no_score_and_a_test_is_refused(intents):
    rows = [TurnRow("a", "1", None, None), TurnRow("b", "2", None, None)]
    assert evaluate_induction(rows, ["x", "y"])["acc"] is None
    with pytest.raises(BadInput, match="no row of --test has an intent"):
        evaluate_induced(intents, [("a", None)])


def test_the_document_that_answers_is_found_also_by_a_follow_up(recipe, tmp_path):
    documents = [Document(name, "", " ".join(answered)) for name, (_, answered) in TOPICS.items()]
    search = document_search(documents, base_encoder(recipe, tmp_path).encode)
    questions = [
        Question("1", "is delivery free for large baskets", (), frozenset({"shipping_cost"})),
        Question("2", "and on sunday", ("hi", "is the store open every day"), frozenset({"opening_hours"})),
        Question("3", "zebra", (), frozenset({"gift_card", "return_policy"})),
    ]
    found = evaluate_knowledge(questions, search)
    assert search(questions[0])[0] == "shipping_cost"
    assert search(questions[1])[0] == "opening_hours"
    assert len(search(questions[2])) == len(set(search(questions[2]))) == len(documents)
    assert found["recall_at_5"] >= found["recall_at_1"] >= 2 / 3
    assert found["n"] == 3
    assert found["p50_ms"] > 0


def test_two_bundles_differ_in_the_requests_that_only_one_answers(bundles, engine, talks):
    old = Engine.load(bundles.path(bundles.ids()[0]))
    requests = latest_requests(talks, 50)
    assert len({pair.text for pair in requests}) == len(requests)
    assert differences(engine, engine, requests) == ([], len(requests))
    changes, n = differences(old, engine, requests)
    assert n == len(requests)
    assert all(change.before != change.after for change in changes)
    back, _ = differences(engine, old, requests)
    assert {(c.text, c.before, c.after) for c in changes} == {(c.text, c.after, c.before) for c in back}
