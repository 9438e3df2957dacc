from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from training.base import base_directory, no_tuning
from training.config import EncoderConfig, TrainingConfig
from training.encoder import SentenceEncoder
from training.shorten import shorten

TEXTS = [f"{verb} my {thing}" for verb in ("where is", "track", "I want to return", "reset", "cancel") for thing in
         ("order", "parcel", "jacket", "password", "tent", "login")]  # fmt: skip


@pytest.fixture
def deep(tiny_encoder) -> SentenceEncoder:
    """Four layers on the tiny encoder's words."""
    encoder = SentenceEncoder.load(str(tiny_encoder))
    torch.manual_seed(3)
    config = BertConfig(**{**encoder.transformer.config.to_dict(), "num_hidden_layers": 4})
    model = BertModel(config, add_pooling_layer=False).eval()
    model.embeddings = encoder.transformer.embeddings
    return SentenceEncoder(model, encoder.tokenizer)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other).sum(1).mean())


def test_what_stays_learns_to_say_what_the_whole_said(deep: SentenceEncoder) -> None:
    whole = deep.encode(TEXTS)
    only_cut = SentenceEncoder(deep.transformer, deep.tokenizer)
    shorten(deep, 2, TEXTS, seed=1)
    assert len(only_cut.transformer.encoder.layer) == 2
    assert likeness(deep.encode(TEXTS), whole) > 0.9


def test_without_texts_layers_are_only_left_out(deep: SentenceEncoder) -> None:
    first = deep.transformer.encoder.layer[0]
    shorten(deep, 2, [], seed=1)
    assert len(deep.transformer.encoder.layer) == 2
    assert deep.transformer.encoder.layer[0] is first


def test_a_recipe_with_fewer_layers_exports_them_and_does_not_tune(tiny_encoder, tmp_path) -> None:
    config = TrainingConfig(encoder=EncoderConfig(base=str(tiny_encoder), layers=1))
    whole = TrainingConfig(encoder=EncoderConfig(base=str(tiny_encoder)))
    assert base_directory(config, tmp_path, TEXTS) != base_directory(whole, tmp_path)
    assert no_tuning(config.encoder) == "an encoder of 1 layers is not tuned"
    assert no_tuning(whole.encoder) is None
