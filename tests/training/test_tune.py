from __future__ import annotations

import numpy as np
import pytest

from retrieval.encoder import Encoder
from training.config import EncoderConfig, TrainingConfig
from training.tune import Choice, choose_encoder, right_at_1, training_pairs

ASKED = {0: ["return a jacket", "return a tent", "return boots"],
         1: ["forgot password", "reset password", "my password"],
         2: ["ship to norway", "ship to sweden", "ship to spain"]}  # fmt: skip
TEXTS = [ASKED[n % 3][n // 3 % 3] for n in range(60)]
OWNER = np.array([n % 3 for n in range(60)], np.int64)
REPLIES = [("use the label", "click the link", "we ship for 12 euro")[n % 3] for n in range(60)]


def test_the_nearest_earlier_requests_vote(words) -> None:
    assert right_at_1(words, TEXTS, OWNER, 40) == 1.0
    shuffled = np.random.default_rng(1).permutation(OWNER)
    assert right_at_1(words, TEXTS, shuffled, 40) < 0.8


@pytest.mark.parametrize("cut", [0, 60, 70])
def test_with_nothing_before_or_nothing_after_nothing_is_right(words, cut) -> None:
    assert right_at_1(words, TEXTS, OWNER, cut) == 0.0


def test_later_rows_do_not_vote(words) -> None:
    owner = OWNER.copy()
    owner[40:] = 7
    assert right_at_1(words, TEXTS, owner, 40) == 0.0


def test_pairs_share_their_answer_and_hard_negatives_do_not(words) -> None:
    pairs, groups, hard = training_pairs(TEXTS, REPLIES, OWNER, words, 1)
    known = {text: kind for kind, texts in ASKED.items() for text in texts}
    known |= {reply: kind for kind, reply in enumerate(REPLIES[:3])}
    assert len(pairs) == len(groups) == len(hard) == 60
    assert [known[left] for left, _ in pairs] == [known[right] for _, right in pairs] == groups.tolist()
    assert all(left != right for left, right in pairs)
    assert any(right in REPLIES for _, right in pairs)
    assert any(right not in REPLIES for _, right in pairs)
    assert all(groups[number] != groups[row] for row, number in enumerate(hard) if number >= 0)


def test_a_hard_negative_is_the_most_similar_request_of_another_answer(words) -> None:
    texts = [
        "return a red jacket",
        "return a jacket",
        "buy a red jacket",
        "buy a jacket",
        "forgot password",
        "password",
    ]
    owner = np.array([0, 0, 1, 1, 2, 2])
    pairs, _, hard = training_pairs(texts, ["x"] * 6, owner, words, 1)
    assert pairs[hard[0]][0] == "buy a red jacket"


def test_answers_given_once_make_no_pairs(words) -> None:
    pairs, groups, hard = training_pairs(["a b", "c d"], ["x", "y"], np.array([0, 1]), words, 1)
    assert (pairs, len(groups), len(hard)) == ([], 0, 0)


def recipe(base, **encoder) -> TrainingConfig:
    return TrainingConfig(encoder=EncoderConfig(base=str(base), **encoder))


def test_the_recipe_may_forbid_tuning(tiny_encoder, tiny_base, tmp_path) -> None:
    choice = choose_encoder(TEXTS, REPLIES, OWNER, Encoder(tiny_base), recipe(tiny_encoder, tune="never"), tmp_path)
    assert (choice.tuned, choice.tuned_right) == (False, None)
    assert "never" in choice.why
    assert list(tmp_path.iterdir()) == []


def test_too_few_pairs_leave_the_encoder_as_it_is_and_say_so(tiny_encoder, tiny_base, tmp_path) -> None:
    choice = choose_encoder(TEXTS, REPLIES, OWNER, Encoder(tiny_base), recipe(tiny_encoder), tmp_path)
    assert not choice.tuned
    assert choice.why.startswith("only 42 pairs")


@pytest.mark.parametrize(("least_gain", "kept"), [(0.0, True), (1.0, False)])
def test_a_tuned_encoder_serves_only_when_it_gains_enough(tiny_encoder, tiny_base, tmp_path, least_gain, kept) -> None:
    texts, replies, owner = TEXTS * 6, REPLIES * 6, np.tile(OWNER, 6)
    config = recipe(tiny_encoder, least_gain=least_gain, pairs=128, batch=16)
    seen: list[tuple[int, float]] = []
    choice = choose_encoder(
        texts,
        replies,
        owner,
        Encoder(tiny_base),
        config,
        tmp_path,
        on_loss=lambda step, loss: seen.append((step, loss)),
    )
    assert choice.tuned is kept
    assert choice.tuned_right is not None
    assert [step for step, _ in seen] == list(range(1, len(seen) + 1))
    assert seen
    choice.save(tmp_path)
    assert Choice.load(tmp_path) == choice
    if kept:
        assert Encoder(tmp_path / "encoder").dimension == 32
