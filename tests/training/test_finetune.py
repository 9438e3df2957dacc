from __future__ import annotations

import numpy as np
import pytest

from training.encoder import SentenceEncoder
from training.finetune import Labelled, finetune, recipe_for
from training.intent_head import plain_head

ASKED = {
    "ship": (
        "do you ship to norway",
        "can you deliver to sweden",
        "shipping abroad possible",
        "do you deliver outside",
    ),
    "password": (
        "I forgot my password",
        "cannot log in any more",
        "reset my login please",
        "my password does not work",
    ),
    "status": ("where is my order", "my parcel has not arrived", "track my parcel please", "when will my order come"),
}
TEXTS = [text for asked in ASKED.values() for text in asked]
OWNER = np.repeat(np.arange(3), 4)


def tuned(tiny_encoder, recipe: Labelled, seed: int = 1) -> tuple[SentenceEncoder, list[float]]:
    encoder = SentenceEncoder.load(str(tiny_encoder))
    tables = plain_head(encoder.encode(TEXTS), OWNER, list(ASKED), strength=10.0).tables
    return encoder, finetune(encoder, TEXTS, OWNER, (tables.weight, tables.bias), recipe=recipe, seed=seed)


def together(encoder: SentenceEncoder) -> float:
    """How much more alike texts of one intent are than those of others."""
    rows = encoder.encode(TEXTS)
    same = OWNER[:, None] == OWNER[None, :]
    similar = rows @ rows.T
    return float(similar[same].mean() - similar[~same].mean())


def test_messages_of_one_intent_come_together(tiny_encoder) -> None:
    before = together(SentenceEncoder.load(str(tiny_encoder)))
    encoder, losses = tuned(tiny_encoder, Labelled(epochs=12, batch=6, learning_rate=1e-3))
    assert len(losses) == 24
    assert losses[-1] < losses[0]
    assert together(encoder) > before + 0.05


def test_words_keep_their_vectors(tiny_encoder) -> None:
    before = SentenceEncoder.load(str(tiny_encoder)).transformer.embeddings.word_embeddings.weight
    after = tuned(tiny_encoder, Labelled(epochs=2, batch=6))[0].transformer.embeddings.word_embeddings.weight
    np.testing.assert_array_equal(before.detach().numpy(), after.detach().numpy())


def test_the_same_seed_tunes_the_same_encoder(tiny_encoder) -> None:
    one, two = (tuned(tiny_encoder, Labelled(epochs=2, batch=6))[0].encode(TEXTS) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("rows", "classes", "epochs"), [(770, 77, 8), (2000, 77, 6), (8600, 77, 3), (0, 0, 8)])
def test_few_rows_are_passed_over_more_often(rows: int, classes: int, epochs: int) -> None:
    assert recipe_for(rows, classes, batch=32, thorough=False).epochs == epochs
    assert recipe_for(rows, classes, batch=32, thorough=True).epochs == 2 * epochs
