from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from retrieval.encoder import Encoder
from training.encoder import BUNDLED, SentenceEncoder, Tuning, tune
from training.export import export, int8_similarity, load_state

TEXTS = ["do you ship to norway", "where is my order", "hello", "how do I return a jacket, I want to send it back"]


@pytest.fixture(scope="module")
def full(tiny_encoder) -> SentenceEncoder:
    return SentenceEncoder.load(str(tiny_encoder))


def test_the_export_says_what_the_encoder_says(full, tiny_base) -> None:
    exported = Encoder(tiny_base)
    assert int8_similarity(full, exported, TEXTS) > 0.99
    assert exported.dimension == 32


def test_pooling_ignores_padding(full, tiny_base) -> None:
    together = Encoder(tiny_base).encode([*TEXTS, "where is my order " * 12])[:4]
    assert ((full.encode(TEXTS) * together).sum(1) > 0.99).all()


def test_an_export_holds_nothing_but_what_is_needed(full, tmp_path) -> None:
    exported = export(full, tmp_path / "encoder")
    assert sorted(p.name for p in (tmp_path / "encoder").iterdir()) == [
        "model.onnx", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    assert exported.encode(TEXTS).shape == (4, 32)
    export(full, tmp_path / "light", weights=False)
    assert not (tmp_path / "light" / "model.safetensors").exists()


def test_weights_survive_the_export(full, tiny_encoder, tmp_path) -> None:
    tuned = SentenceEncoder.load(str(tiny_encoder))
    pairs = [(TEXTS[0], "shipping costs 12 euro"), (TEXTS[1], "it arrives on monday")] * 10
    tune(tuned, pairs, np.tile([0, 1], 10), tuning=Tuning(batch=4, learning_rate=1e-2), seed=1)
    exported = export(tuned, tmp_path / "tuned")
    assert not np.allclose(tuned.encode(TEXTS), full.encode(TEXTS), atol=0.02)
    assert int8_similarity(tuned, exported, TEXTS) > 0.99
    again = SentenceEncoder.load(str(tiny_encoder))
    load_state(again, tmp_path / "tuned" / "model.safetensors")
    np.testing.assert_allclose(again.encode(TEXTS), tuned.encode(TEXTS), atol=2e-3)


def test_encoding_with_an_export_needs_no_torch(tiny_base) -> None:
    code = (
        "import sys, pathlib; from retrieval.encoder import Encoder\n"
        "assert Encoder(pathlib.Path(sys.argv[1])).encode(['hello']).shape == (1, 32)\n"
        "assert not {'torch', 'transformers', 'onnx'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tiny_base)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SAME = [
    ("where is my parcel", "my package has not arrived yet", "I forgot my password"),
    ("I want to return a jacket", "how do I send back a coat that I bought", "what are your opening hours"),
    ("do you deliver abroad", "can you ship to another country", "the zip of my tent is broken"),
]


@pytest.mark.slow
def test_the_bundled_encoder_knows_a_paraphrase_from_a_stranger(tmp_path) -> None:
    full = SentenceEncoder.load(BUNDLED)
    exported = export(full, tmp_path / "bundled", weights=False)
    texts = [text for row in SAME for text in row]
    exact, rows = full.encode(texts), exported.encode(texts)
    assert ((exact * rows).sum(1) > 0.97).all()
    for vectors in (exact, rows):
        for said, paraphrase, stranger in vectors.reshape(3, 3, -1):
            assert said @ paraphrase > said @ stranger + 0.2
    assert exported.dimension == 384
    alone = np.stack([Encoder(tmp_path / "bundled", cache=0).encode([text])[0] for text in texts])
    np.testing.assert_allclose(alone, rows, atol=1e-5)
