"""A small desk with six kinds of request, and a bundle that was really trained on it with a tiny BERT of our own."""

from __future__ import annotations

import random

import pytest

from bot.transcript import Outcome, Transcript, Turn, iso
from retrieval.bundle import Bundles
from retrieval.engine import Engine
from training.config import EncoderConfig, TrainingConfig
from training.run import train

DAY = 86_400.0
TOPICS = {
    "shipping_cost": (
        ("how much is shipping", "what does delivery cost", "is shipping free", "what do I pay for delivery"),
        ("Shipping is free for large baskets.", "Delivery is free for large baskets, we pay the shipping."),
    ),
    "return_policy": (
        ("can I return a jacket", "how do I send this jacket back", "I want to return my boots", "return please"),
        ("You can return everything, the label is in your account.", "Return it, the label is in your account."),
    ),
    "opening_hours": (
        ("when are you open", "what are your opening hours", "is the store open on sunday", "opening hours please"),
        ("The store is open every day except sunday.", "We are open every day, only sunday the store is closed."),
    ),
    "password_reset": (
        ("I forgot my password", "how can I reset my password", "my login does not work", "cannot log in"),
        ("Use the reset link on the login page.", "Please use the reset link below the login."),
    ),
    "gift_card": (
        ("do you sell gift cards", "can I buy a gift card", "I need a voucher for a friend", "gift card for my friend"),
        ("Gift cards are sold online, choose the amount you like.", "Yes, gift cards are online, choose an amount."),
    ),
    "repair_tent": (
        ("my tent is torn can you repair it", "do you repair tents", "the zip of my tent is broken", "tent repair"),
        ("Our workshop repairs tents, bring it to the counter.", "Bring it to the counter, the workshop repairs it."),
    ),
}  # fmt: skip


def conversation(n: int, rng: random.Random) -> Transcript:
    action, (asked, answered) = list(TOPICS.items())[n % len(TOPICS)]
    at = n * DAY / 3
    turns = (
        Turn("customer", rng.choice(asked), at),
        Turn("agent", rng.choice(answered), at + 20, action=action),
    )
    return Transcript(f"c{n:03d}", source="test", started_at=iso(at), outcome=Outcome(resolved=True), turns=turns)


@pytest.fixture(scope="session")
def talks() -> list[Transcript]:
    rng = random.Random(4)
    return [conversation(n, rng) for n in range(150)]


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    """A recipe whose encoder is a one-layer BERT over the words of `TOPICS`."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    home = tmp_path_factory.mktemp("tiny-bert")
    texts = " ".join(text for asked, answered in TOPICS.values() for text in (*asked, *answered)).lower()
    words = sorted(set("".join(c if c.isalpha() else " " for c in texts).split()))
    letters = [f"{mark}{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789?.,<>_" for mark in ("", "##")]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(w for w in words if len(w) > 1)]
    (home / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    BertTokenizerFast(vocab=str(home / "vocab.txt")).save_pretrained(home)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    model = BertModel(config)
    with torch.no_grad():  # nearly a bag of random word vectors: texts that share words are close, others are not
        embeddings = model.embeddings
        embeddings.word_embeddings.weight.normal_()
        embeddings.word_embeddings.weight[:5] = 0
        embeddings.position_embeddings.weight.zero_()
        embeddings.token_type_embeddings.weight.zero_()
    model.save_pretrained(home)
    return TrainingConfig(encoder=EncoderConfig(base=str(home), tune="never"))


@pytest.fixture(scope="session")
def bundles(talks, recipe, tmp_path_factory) -> Bundles:
    """Two bundles of the same recipe: one of the first half of the talks, and one of nearly all."""
    place = tmp_path_factory.mktemp("desk")
    for count in (75, 150):
        train(recipe, talks[:count], bundles=place / "bundles", work=place / "work")
    return Bundles(place / "bundles")


@pytest.fixture(scope="session")
def engine(bundles) -> Engine:
    return Engine.load(bundles.path(bundles.ids()[-1]))
