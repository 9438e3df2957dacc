from __future__ import annotations

import numpy as np
import pytest

from training.config import ContextConfig, TrainingConfig
from training.search import search
from training.split import rounds

rng = np.random.default_rng(5)


def rows(owner: np.ndarray, noise: float) -> np.ndarray:
    found = np.eye(12)[owner] + noise * rng.normal(size=(len(owner), 12))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


OWNER = np.tile(np.arange(6), 40)
KEYS = np.eye(12, dtype=np.float32)[OWNER]
NOTHING = rows(rng.permutation(OWNER), 0.1)


def test_a_desk_that_leads_by_questions_is_heard() -> None:
    """The message says little, the desk's turn before it all."""
    config = TrainingConfig(context=ContextConfig(desk=0.0, customer=0.0))
    parts = (rows(OWNER, 1.2), rows(OWNER, 0.1), NOTHING)
    found = search(config, parts, OWNER, keys=KEYS, trials=8, cuts=rounds(len(OWNER)))
    assert found.before < 0.8
    assert found.right > found.before + 0.1
    assert found.config.context.desk > 0.2
    assert found.config.context.message == config.context.message


def test_the_best_is_never_behind_the_recipe_as_it_was() -> None:
    parts = (rows(OWNER, 0.1), NOTHING, NOTHING)
    config = TrainingConfig(context=ContextConfig(desk=0.0, customer=0.0))
    found = search(config, parts, OWNER, keys=KEYS, trials=2, cuts=rounds(len(OWNER)))
    assert found.right >= found.before > 0.8  # one answer in six is hidden


def test_every_trial_is_reported_and_the_same_seed_finds_the_same() -> None:
    parts = (rows(OWNER, 0.6), rows(OWNER, 0.6), NOTHING)
    told: list[tuple[int, int]] = []
    one, two = (
        search(
            TrainingConfig(), parts, OWNER, keys=KEYS, trials=6, cuts=rounds(len(OWNER)),
            progress=lambda stage, done, total, note: told.append((done, total)),
        )
        for _ in range(2)
    )  # fmt: skip
    assert told[:6] == [(n, 6) for n in range(1, 7)]
    assert one == two
    assert 0 <= one.pruned < 6


@pytest.mark.parametrize("desk", [0.5, 1.5])
def test_what_is_found_is_within_what_a_recipe_allows(desk: float) -> None:
    config = TrainingConfig(context=ContextConfig(desk=desk))
    found = search(config, (NOTHING, NOTHING, NOTHING), OWNER, keys=KEYS, trials=1, cuts=rounds(len(OWNER))).config
    assert found.context.desk == desk
