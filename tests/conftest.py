"""A real encoder that is tiny, conversations to learn from, and a bundle that was really trained on them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.transcript import Outcome, Transcript, Turn
from training.config import EncoderConfig, TrainingConfig

if TYPE_CHECKING:
    from retrieval.engine import Engine

TALK = {
    "ship": (
        ("do you ship to norway", "can you deliver to sweden", "shipping abroad possible", "do you deliver outside"),
        ("we ship to all of europe for 12 euro", "yes, shipping to europe costs 12 euro", "we deliver for 12 euro"),
    ),
    "return": (
        ("how do I return a jacket", "I want to send it back", "return a tent please", "how can I give it back"),
        ("print the label in your account and drop the parcel", "you can print a return label in your account"),
    ),
    "password": (
        ("I forgot my password", "cannot log in any more", "reset my login please", "my password does not work"),
        ("use the reset link on the login page", "please click reset on the login page", "there is a reset link"),
    ),
    "status": (
        ("where is my order <ORDER>", "my parcel has not arrived", "when will my order come", "track my parcel please"),
        ("it will arrive on monday the 3rd of may", "your parcel comes on friday the 9th of june"),
    ),
}
SMALL_TALK = ("hello", "hi there", "thanks a lot", "bye", "one moment please", "let me check that for you")


@pytest.fixture(scope="session")
def tiny_encoder_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Iterable[str]], Path]:
    """Makes a BERT of 32 dimensions whose vocabulary is the words of some texts; its weights are random, its mechanics
    real. It knows the words of small talk, too, so that it can tell a greeting from an answer."""
    return lambda texts: _tiny_encoder(texts, tmp_path_factory.mktemp("tiny-encoder"))


@pytest.fixture(scope="session")
def tiny_encoder(tiny_encoder_for: Callable[[Iterable[str]], Path]) -> Path:
    """One that knows the words above."""
    return tiny_encoder_for([text for sides in TALK.values() for side in sides for text in side] + list(SMALL_TALK))


def _tiny_encoder(texts: Iterable[str], directory: Path) -> Path:
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from training.acts import SEEDS

    texts = [*texts, *(text for seeds in SEEDS.values() for text in seeds)]
    words = sorted({word for text in texts for word in re.findall(r"[a-z]+", text.lower())})
    letters = [chr(c) for c in range(33, 127)] + [f"##{chr(c)}" for c in range(33, 127)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *words]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    torch.manual_seed(7)
    model = BertModel(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
        )
    )
    with torch.no_grad():  # nearly a bag of random word vectors: texts that share words are close, others are not
        model.embeddings.word_embeddings.weight.normal_()
        model.embeddings.word_embeddings.weight[:5] *= 1e-9  # marks that stand in every text must not make them alike
        model.embeddings.position_embeddings.weight.zero_()
        model.embeddings.token_type_embeddings.weight.zero_()
    from transformers.utils import logging

    logging.disable_progress_bar()
    model.save_pretrained(directory)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(directory)  # fmt: skip
    return directory


@pytest.fixture(scope="session")
def tiny_base(tiny_config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder as a bundle carries it: tokenizer, weights, int8 ONNX. Read it; copy it before changing it."""
    from training.base import base_directory

    return base_directory(tiny_config, tmp_path_factory.mktemp("tiny-base"))


@pytest.fixture(scope="session")
def tiny_config(tiny_encoder: Path) -> TrainingConfig:
    return TrainingConfig(encoder=EncoderConfig(base=str(tiny_encoder), tune="never"))


def conversations(count: int, *, seed: int = 1, kinds: Sequence[str] = tuple(TALK)) -> list[Transcript]:
    """Two-sided conversations of one request each, a minute apart, with small talk around."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        asked, answered = TALK[kinds[number % len(kinds)]]
        at = 1_750_000_000.0 + 3600 * number
        lines = [("customer", rng.choice(asked)), ("agent", rng.choice(answered))]
        if rng.random() < 0.3:
            lines = [("customer", "hello"), ("agent", "hi there"), *lines]
        if rng.random() < 0.3:
            lines += [("customer", "thanks a lot"), ("agent", "you are welcome")]
        turns = tuple(Turn(by, text, at + 20 * i) for i, (by, text) in enumerate(lines))  # type: ignore[arg-type]
        started = f"2025-{6 + number // 600:02d}-{1 + number // 24 % 28:02d}T{number % 24:02d}:00:00Z"
        made.append(Transcript(f"t-{number:04d}", "test", "chat", "en", started, "c", Outcome(), turns))
    return made


@pytest.fixture(scope="session")
def talk() -> list[Transcript]:
    return conversations(160)


@pytest.fixture(scope="session")
def tiny_bundles(tiny_config: TrainingConfig, talk: list[Transcript], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundles directory with one bundle that is in service. Read it; copy it before changing anything in it."""
    from retrieval.bundle import Bundles
    from training.run import train

    root = tmp_path_factory.mktemp("tiny")
    id = train(tiny_config, talk, bundles=root / "bundles", work=root / "work", error_budget=0.2)
    Bundles(root / "bundles").promote(id)
    return root / "bundles"


@pytest.fixture(scope="session")
def tiny_engine(tiny_bundles: Path) -> Engine:
    from retrieval.bundle import Bundles
    from retrieval.engine import Engine

    bundles = Bundles(tiny_bundles)
    current = bundles.current()
    assert current
    return Engine.load(bundles.path(current))
