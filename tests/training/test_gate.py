"""The gate on replays made to measure: what it must let through and what it must stop."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from retrieval.errors import BadInput
from training.gate import GateConfig, decide
from training.scores import Case, Scores, commonest_share

CONFIG = GateConfig()


def case(n, *, first=True, sent=None, right=True, intent=None, p=0.9):
    return Case(
        conversation=f"c{n // 2}", turn=n, text="where is my order", reply="on its way", gold=f"a{n % 7}",
        intent=intent or f"kind {n % 10}", rank=1 if first else None, p_correct=p, sent=sent, right=right,
    )  # fmt: skip


def scores(cases, *, name="new", budget=0.05, ms=(5.0,) * 10):
    return Scores(name, tuple(cases), threshold=0.8, error_budget=budget, scored_by="action", ms=ms)


def with_recall(n, hits, **more):
    """n cases of which the first `hits`, spread evenly by a fixed shuffle, have the right answer first."""
    right = np.random.default_rng(1).permutation(n) < hits
    return scores([case(i, first=bool(right[i]), p=0.5 + right[i] / 3) for i in range(n)], **more)


def refusals(verdict):
    return {check.name for check in verdict.checks if check.ok is False}


def test_the_first_bundle_passes_on_its_floors_alone():
    verdict = decide(with_recall(200, 120), None, CONFIG)
    assert verdict.promote
    assert any("nothing to compare with" in reason for reason in verdict.reasons)


def test_the_same_bundle_again_is_no_worse_whatever_the_size():
    for n in (4, 40, 1000):
        assert decide(with_recall(n, n // 2 + 1), with_recall(n, n // 2 + 1), CONFIG).promote


def test_nothing_to_judge_is_refused():
    verdict = decide(scores([]), None, CONFIG)
    assert not verdict.promote
    assert "nothing can be shown" in verdict.reasons[0]


def test_a_bundle_that_loses_to_one_fixed_answer_is_refused_even_as_the_first():
    lazy = [case(i, first=i % 4 == 0) for i in range(100)]
    same = scores([Case(**{**{f: getattr(c, f) for f in c.__slots__}, "gold": "a1"}) for c in lazy])
    assert commonest_share(same.cases) == 1.0
    assert refusals(decide(same, None, CONFIG)) == {"floor"}


def test_a_clear_loss_at_a_thousand_turns_is_refused_with_its_numbers():
    verdict = decide(with_recall(1000, 560), with_recall(1000, 600), CONFIG)
    assert "no worse" in refusals(verdict)
    assert "4.0 points less often" in verdict.reasons[0]


def test_a_gain_is_promoted():
    assert decide(with_recall(1000, 640), with_recall(1000, 600), CONFIG).promote


def test_a_loss_of_one_turn_among_sixty_is_not_evidence():
    verdict = decide(with_recall(60, 39), with_recall(60, 40), CONFIG)
    assert verdict.promote
    assert any("cannot show a change below about" in reason for reason in verdict.reasons)


def test_one_kind_of_request_that_breaks_is_refused_although_the_whole_gains():
    old = [case(i, first=i % 10 == 3 or i % 2 == 0, intent=f"kind {i % 10}") for i in range(1000)]
    new = [case(i, first=i % 10 != 3, intent=f"kind {i % 10}") for i in range(1000)]
    verdict = decide(scores(new), scores(old), CONFIG)
    assert refusals(verdict) == {"intents"}
    assert "'kind 3': 100 of 100 right before, 0 now" in verdict.reasons[0]


def test_a_drop_of_one_kind_that_chance_explains_is_only_a_remark():
    old = [case(i, intent="rare" if i < 20 else "usual") for i in range(600)]
    new = [case(i, intent="rare" if i < 20 else "usual", first=i >= 3) for i in range(600)]
    verdict = decide(scores(new), scores(old), CONFIG)
    assert verdict.promote
    assert any("'rare': 20 of 20 right before, 17 now (p = 0.250)" in reason for reason in verdict.reasons)


def answering(n, wrong, **more):
    return scores([case(i, sent="text", right=i >= wrong, first=i >= wrong) for i in range(n)], **more)


def test_errors_within_the_budget_pass_and_far_over_it_are_refused():
    assert decide(answering(400, 20), None, CONFIG).promote
    verdict = decide(answering(400, 60), None, CONFIG)
    assert refusals(verdict) == {"errors"}
    assert "60 of 400 answers were wrong (15.0%); the budget is 5.0%" in verdict.reasons[0]


def test_a_little_over_the_budget_is_refused_only_when_wrong_answers_rose():
    tight = answering(400, 26)
    assert decide(tight, None, CONFIG).promote
    assert decide(tight, answering(400, 26), CONFIG).promote
    assert "errors" in refusals(decide(tight, answering(400, 2), CONFIG))


def test_a_bundle_that_never_answers_is_harmless_and_that_is_said():
    verdict = decide(with_recall(200, 150), with_recall(200, 150), CONFIG)
    assert verdict.promote
    assert any("handed every turn to a person" in reason for reason in verdict.reasons)


def test_a_bundle_that_falls_silent_is_refused_although_it_makes_no_mistake():
    old = [case(i, sent="text", right=i % 50 != 0, first=i % 50 != 0) for i in range(400)]
    silent = [case(i, first=i % 50 != 0) for i in range(400)]
    verdict = decide(scores(silent), scores(old), CONFIG)
    assert refusals(verdict) == {"help"}
    assert "answers rightly by itself changes by -98.0 points" in verdict.reasons[0]


def test_lost_confidence_is_refused_although_the_ranking_is_the_same():
    right = np.random.default_rng(2).random(1000) < 0.8
    sure = [case(i, first=bool(right[i]), p=0.9 if right[i] else 0.2) for i in range(1000)]
    unsure = [case(i, first=bool(right[i]), p=0.5) for i in range(1000)]
    assert refusals(decide(scores(unsure), scores(sure), CONFIG)) == {"coverage"}


def test_slower_is_refused_only_beyond_factor_and_grace():
    base = with_recall(100, 80, ms=(20.0,) * 50)
    assert decide(with_recall(100, 80, ms=(29.0,) * 50), base, CONFIG).promote
    assert refusals(decide(with_recall(100, 80, ms=(31.0,) * 50), base, CONFIG)) == {"latency"}
    slow = with_recall(100, 80, ms=(100.0,) * 50)
    assert decide(with_recall(100, 80, ms=(119.0,) * 50), slow, CONFIG).promote
    assert refusals(decide(with_recall(100, 80, ms=(121.0,) * 50), slow, CONFIG)) == {"latency"}


def test_replays_of_different_conversations_cannot_be_compared():
    other = scores([case(i + 1000) for i in range(10)])
    with pytest.raises(BadInput, match="same conversations"):
        decide(with_recall(20, 18), other, CONFIG)


def test_the_verdict_repeats():
    first, second = (decide(with_recall(300, 200), with_recall(300, 204), CONFIG) for _ in range(2))
    assert first == second


def test_an_unknown_key_of_the_configuration_is_an_error():
    with pytest.raises(ValidationError, match="max_los"):
        GateConfig(max_los=1)
