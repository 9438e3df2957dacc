"""Replay on a bundle that was really trained: who is right, who is left out, and that it repeats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.transcript import Outcome, Transcript, Turn
from training.evaluate import answer_actions, evaluate_replay, would_send
from training.mine import assign
from training.promote import replay
from training.split import by_time


def run(engine, transcripts, training=(), **more):
    return evaluate_replay(
        engine,
        transcripts,
        actions=answer_actions({row["answer"]: row["turns"] for row in engine.table}, training),
        assign=lambda replies: assign(replies, engine),
        error_budget=0.05,
        **more,
    )


@pytest.fixture(scope="module")
def later(talks):
    return by_time(talks, test_share=0.1).test


@pytest.fixture(scope="module")
def by_action(engine, talks, later):
    return run(engine, later, talks)


def plain(transcript):
    """The same conversation without scoring labels."""
    return replace(transcript, turns=tuple(replace(turn, action=None) for turn in transcript.turns))


def test_a_bundle_that_learned_the_desk_finds_what_the_agents_did_later(by_action):
    assert by_action.scored_by == "action"
    assert by_action.n == 15
    assert by_action.summary()["answer_recall_at_5"] >= by_action.recall_at_1 >= 0.6


def test_labels_are_not_needed_for_the_answers_that_are_found(by_action, engine, later):
    without = run(engine, [plain(t) for t in later])
    assert without.scored_by == "answer group"
    assert without.recall_at_1 >= 0.6
    assert [case.sent for case in without.cases] == [case.sent for case in by_action.cases]


def test_a_gold_label_that_no_answer_carries_is_never_right(engine, talks, later):
    odd = [replace(t, turns=(t.turns[0], replace(t.turns[1], action="dance"))) for t in later]
    scores = run(engine, odd, talks)
    assert scores.recall_at_1 == 0
    assert all(case.wrong == (case.sent is not None) for case in scores.cases)


def test_turns_without_a_label_among_labelled_ones_are_left_out(engine, talks, later):
    mixed = [plain(later[0]), *later[1:]]
    scores = run(engine, mixed, talks)
    assert (scores.n, scores.left_out) == (len(later) - 1, 1)


def test_unresolved_conversations_are_no_measure_of_what_is_right(engine, later):
    sad = [replace(plain(t), outcome=Outcome(resolved=False)) for t in later[:4]]
    scores = run(engine, [*sad, *(plain(t) for t in later[4:])])
    assert (scores.n, scores.left_out) == (len(later) - 4, 4)


def test_a_reply_that_no_answer_amounts_to_makes_every_answer_wrong(engine):
    strange = Transcript("s", turns=(Turn("customer", "when are you open"), Turn("agent", "qqq xxx zzz 0 0 0 jjj kkk")))
    scores = run(engine, [strange])
    assert scores.cases[0].gold is None
    assert scores.cases[0].rank is None


def test_the_same_replay_gives_the_same_json(engine, talks, later, by_action):
    assert run(engine, later, talks).summary() == by_action.summary()


def test_the_json_has_the_keys_of_the_contract(by_action):
    keys = {"answer_recall_at_1", "answer_recall_at_5", "mrr", "coverage", "wrong_answer_rate", "handoff_rate"}
    found = by_action.summary()
    assert keys <= set(found)
    assert found["coverage"] + found["handoff_rate"] == pytest.approx(1)
    assert found["answered"] + found["handed_over"] == found["n"]
    assert set(found["intervals_95"]) == keys
    assert sum(row["n"] for row in found["by_intent"]) == found["n"]


def test_every_rate_lies_in_its_interval(by_action):
    found = by_action.summary()
    for key, between in found["intervals_95"].items():
        if between is not None:
            assert between[0] - 1e-9 <= found[key] <= between[1] + 1e-9


def test_progress_reaches_its_end(engine, talks, later):
    seen = []
    run(engine, later, talks, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, len(later)) for n in range(1, len(later) + 1)]


def test_a_bundle_directory_is_replayed_as_its_engine_is(bundles, talks, later, by_action):
    path = bundles.path(bundles.ids()[-1])
    assert replay(path, later, training=talks, error_budget=0.05).summary() == by_action.summary()


def test_an_answer_carries_the_commonest_label_of_its_turns_ties_by_name(talks):
    say = lambda id, action: Transcript(id, turns=(Turn("customer", "a"), Turn("agent", "b", action=action)))  # noqa: E731
    training = [say("1", "x"), say("2", "y"), say("3", "y"), say("4", "x"), say("5", None)]
    sources = {"a": [["1", 1], ["2", 1], ["3", 1]], "tie": [["2", 1], ["1", 1]], "none": [["5", 1], ["9", 1]]}
    assert answer_actions(sources, training) == {"a": "y", "tie": "x"}


def test_only_the_first_candidate_is_ever_sent(engine):
    hits = engine.answer(engine.understand("when are you open"))
    best = hits[0]
    assert would_send([replace(best, servable=True, p_correct=0.9)], 0.9).answer == best.answer
    assert would_send([replace(best, servable=True, p_correct=0.89)], 0.9) is None
    asks = replace(best, servable=False, p_correct=0.99)
    assert would_send([asks, replace(best, servable=True, p_correct=0.98)], 0.9) is None
    assert would_send([], 0.9) is None
