from __future__ import annotations

import numpy as np
import pytest
import torch

from retrieval.answers import softmax
from retrieval.errors import BadInput
from training.encoder import MAX_TOKENS, SentenceEncoder, Tuning, contrastive_loss, fit_softmax, tune

rng = np.random.default_rng(4)


def unit_rows(count: int, dimension: int = 8) -> torch.Tensor:
    rows = torch.from_numpy(rng.normal(size=(count, dimension)).astype(np.float32))
    return torch.nn.functional.normalize(rows, dim=1)


def test_the_loss_is_cross_entropy_in_both_directions() -> None:
    left, right = unit_rows(5), unit_rows(5)
    loss = contrastive_loss(torch.cat([left, right]), torch.arange(5), 0.05)
    scores = (left @ right.T / 0.05).numpy()
    forth = -np.log(softmax(scores).diagonal()).mean()
    back = -np.log(softmax(scores.T).diagonal()).mean()
    assert float(loss) == pytest.approx((forth + back) / 2, rel=1e-4)


def test_pairs_of_the_same_answer_do_not_push_each_other_away() -> None:
    left = unit_rows(1).repeat(4, 1)
    vectors = torch.cat([left, left])
    assert float(contrastive_loss(vectors, torch.zeros(4, dtype=torch.int64), 0.05)) == pytest.approx(0, abs=1e-5)
    assert float(contrastive_loss(vectors, torch.arange(4), 0.05)) == pytest.approx(np.log(4), abs=1e-4)


def test_only_rows_of_other_answers_are_negatives() -> None:
    left, right = unit_rows(4), unit_rows(4)
    groups = torch.tensor([0, 0, 1, 2])
    moved = right.clone()
    moved[1] = left[0]  # pair 1 shares the answer of pair 0, so row 0 must not mind how close it comes
    scores = left @ right.T / 0.05

    def row_0(vectors: torch.Tensor) -> float:
        some = (left @ vectors.T / 0.05)[0]
        return float(torch.logsumexp(some[[0, 2, 3]], 0) - some[0])

    assert row_0(right) == pytest.approx(row_0(moved))
    kept = [float(torch.logsumexp(scores[i, [i, *others]], 0) - scores[i, i])
            for i, others in enumerate([[2, 3], [2, 3], [0, 1, 3], [0, 1, 2]])]  # fmt: skip
    back = scores.T
    kept += [float(torch.logsumexp(back[i, [i, *others]], 0) - back[i, i])
             for i, others in enumerate([[2, 3], [2, 3], [0, 1, 3], [0, 1, 2]])]  # fmt: skip
    assert float(contrastive_loss(torch.cat([left, right]), groups, 0.05)) == pytest.approx(np.mean(kept), rel=1e-4)


def test_a_softmax_learns_what_can_be_separated() -> None:
    owner = np.tile(np.arange(7), 60)
    rows = np.eye(16)[owner] + 0.1 * rng.normal(size=(420, 16))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    weight, bias = fit_softmax(rows, owner, 7, seed=1)
    assert (weight.shape, bias.shape, weight.dtype, bias.dtype) == ((16, 7), (7,), np.float32, np.float32)
    assert ((rows @ weight + bias).argmax(1) == owner).mean() > 0.99


def test_a_class_that_was_never_seen_is_never_chosen() -> None:
    rows = np.eye(8, dtype=np.float32)[np.tile(np.arange(3), 40)]
    weight, bias = fit_softmax(rows, np.tile(np.arange(3), 40), 5, seed=1, epochs=20)
    assert softmax(rows @ weight + bias)[:, 3:].max() < 0.05


def test_rows_of_length_one_come_in_the_order_given(tiny_encoder) -> None:
    encoder = SentenceEncoder.load(str(tiny_encoder))
    texts = ["where is my order", "hello", "do you deliver outside of europe, and for how much", "hello"]
    rows = encoder.encode(texts, batch=2)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[1], rows[3], atol=1e-6)
    np.testing.assert_allclose(rows[::-1], encoder.encode(texts[::-1]), atol=1e-5)
    assert encoder.encode([]).shape == (0, 32)


def test_long_texts_are_cut_for_training(tiny_encoder) -> None:
    assert SentenceEncoder.load(str(tiny_encoder)).tokens(["where " * 500])["input_ids"].shape == (1, MAX_TOKENS)


@pytest.mark.parametrize("base", ["no/such/place", ""])
def test_an_encoder_that_is_not_there_is_named_with_the_cure(base: str, tmp_path) -> None:
    place = str(tmp_path / base) if base else str(tmp_path)
    with pytest.raises(BadInput, match=r"(?s)cannot be loaded: .*use `support`, .*, a directory or a hub id"):
        SentenceEncoder.load(place)


def requests_of_two_answers(sides: dict[str, tuple[str, ...]]) -> tuple[list[tuple[str, str]], np.ndarray]:
    pairs = [(a, b) for asked in sides.values() for a in asked for b in asked if a != b]
    owner = [n for n, asked in enumerate(sides.values()) for a in asked for b in asked if a != b]
    return pairs, np.array(owner, np.int64)


SIDES = {
    "ship": ("do you ship to norway", "can you deliver to sweden", "shipping abroad possible"),
    "password": ("I forgot my password", "cannot log in any more", "reset my login please"),
    "status": ("where is my order", "my parcel has not arrived", "track my parcel please"),
    "return": ("how do I return a jacket", "I want to send it back", "return a tent please"),
}


@pytest.mark.parametrize("with_hard", [False, True])
def test_tuning_lowers_the_loss_and_brings_requests_of_one_answer_together(tiny_encoder, with_hard) -> None:
    pairs, groups = requests_of_two_answers(SIDES)
    encoder = SentenceEncoder.load(str(tiny_encoder))
    texts = [text for asked in SIDES.values() for text in asked]
    owner = np.repeat(np.arange(4), 3)

    def gap() -> float:
        similar = encoder.encode(texts) @ encoder.encode(texts).T
        same = owner[:, None] == owner[None, :]
        return float(similar[same].mean() - similar[~same].mean())

    before = gap()
    hard = (np.arange(len(pairs)) + 6) % len(pairs) if with_hard else None
    seen: list[tuple[int, int, float]] = []
    tuning = Tuning(epochs=30, pairs=600, batch=12, learning_rate=2e-3)
    losses = tune(encoder, pairs, groups, tuning=tuning, seed=1, hard=hard, progress=lambda *step: seen.append(step))
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    assert gap() > before + 0.1
    assert [step for step, _, _ in seen] == list(range(1, len(losses) + 1))
    assert {total for _, total, _ in seen} == {len(losses)}


def test_tuning_twice_from_the_same_seed_gives_the_same_losses(tiny_encoder) -> None:
    pairs, groups = requests_of_two_answers(SIDES)
    tuning = Tuning(epochs=2, pairs=200, batch=8)
    one, two = (tune(SentenceEncoder.load(str(tiny_encoder)), pairs, groups, tuning=tuning, seed=5) for _ in range(2))
    assert one == two


def test_no_more_pairs_are_seen_than_were_agreed(tiny_encoder) -> None:
    pairs, groups = requests_of_two_answers(SIDES)
    losses = tune(
        SentenceEncoder.load(str(tiny_encoder)), pairs, groups, seed=1, tuning=Tuning(epochs=20, pairs=40, batch=8)
    )
    assert len(losses) == 5
