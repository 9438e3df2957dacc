from __future__ import annotations

import numpy as np
import pytest

from training.intent_head import fit_intents, held_out
from training.spread import MOST, Spread, links, worth_spreading_to

KINDS = 6


def moons(each: int, *, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Intents as bows on a sphere, each towards the beginning of the next: examples say where a bow begins, neighbours
    where it goes on."""
    rng = np.random.default_rng(seed)
    along = np.tile(np.linspace(0, 0.9, each), KINDS)
    owner = np.repeat(np.arange(KINDS), each)
    rows = np.zeros((KINDS * each, 2 * KINDS))
    rows[np.arange(len(rows)), owner] = np.cos(along)
    rows[np.arange(len(rows)), (owner + 1) % KINDS] = np.sin(along)
    rows += 0.01 * rng.normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), owner


def few(each: int = 60, shots: int = 2) -> tuple[Spread, np.ndarray]:
    """The first rows of every bow are labelled; also the intents of the others."""
    rows, owner = moons(each)
    known = np.tile(np.arange(each) < shots, KINDS)
    return Spread(rows[known], owner[known], rows[~known], KINDS, 10.0), owner[~known]


def test_intents_spread_to_rows_that_no_example_is_near() -> None:
    spread, gold = few()
    examples = spread.examples()
    assert (examples.intent_of[len(spread.labelled) :] == gold).mean() > 0.98


def test_a_guess_counts_less_than_a_label() -> None:
    spread, _ = few()
    weight = spread.examples().weight
    assert (weight[: len(spread.labelled)] == 1).all()
    assert 0 < weight[len(spread.labelled) :].max() < 0.5


def test_rows_that_are_held_out_get_no_label_and_are_no_example() -> None:
    spread, _ = few(shots=4)
    kept = np.tile([True, True, True, False], KINDS)
    use = np.arange(len(spread.unlabelled)) % 2 == 0
    assert len(spread.examples(kept, use=use).vectors) == kept.sum() + use.sum()
    assert len(spread.examples(kept, rounds=0).vectors) == kept.sum()


def test_labelled_rows_say_whether_it_helps() -> None:
    spread, _ = few(shots=20)
    alone, helped = spread.right()
    assert 0 <= alone <= helped <= len(spread.labelled)
    shuffled = Spread(
        spread.labelled, np.random.default_rng(0).permutation(spread.intent_of), spread.unlabelled, KINDS, 10.0
    )
    assert shuffled.right()[1] < 0.5 * len(spread.labelled)


@pytest.mark.parametrize("unlabelled", [1, 2, 300])
def test_few_rows_and_many_are_linked_and_every_share_sums_to_one(unlabelled: int) -> None:
    rows, _ = moons(60)
    spread = Spread(rows[[0, 60]], np.array([0, 1]), rows[:unlabelled], 2, 10.0)
    examples = spread.examples()
    assert len(examples.vectors) == 2 + unlabelled
    assert np.isfinite(examples.weight).all()


def test_links_go_both_ways() -> None:
    rows, _ = moons(10)
    graph = links(rows)
    assert abs(graph - graph.T).max() < 1e-6


def test_a_head_that_learned_from_texts_without_intents_is_right_more_often() -> None:
    spread, gold = few(shots=6)
    labels = [f"i{n}" for n in range(KINDS)]
    alone, helped = (
        fit_intents(spread.labelled, spread.intent_of, labels, strength=10.0, seed=1, spread=more)
        for more in (None, spread)
    )
    right = [(f.head.judge(spread.unlabelled).probabilities.argmax(1) == gold).mean() for f in (alone, helped)]
    assert right[0] < 0.9 < right[1]
    assert helped.head.intent_of.shape[0] == len(spread.labelled) + len(spread.unlabelled)


def test_what_is_judged_was_not_learned_from() -> None:
    spread, _ = few(shots=6)
    labels = [f"i{n}" for n in range(KINDS)]
    held = held_out(spread.labelled, spread.intent_of, labels, strength=10.0, seed=1, spread=spread)
    nearest = held.signals[:, 4]
    assert (~held.inside).any()
    assert nearest[~held.inside].max() < 0.999


def test_texts_are_taken_once_and_none_that_is_labelled() -> None:
    assert worth_spreading_to(["a", "b", "a", " ", "c"], ["c"], seed=1) == ["a", "b"]
    many = [str(n) for n in range(MOST + 5)]
    assert len(worth_spreading_to(many, [], seed=1)) == MOST
