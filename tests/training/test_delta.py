from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from retrieval.errors import BadInput
from training import delta
from training.encoder import GENERAL, SentenceEncoder

BASE = {"layer.weight": torch.zeros(6, 4), "layer.bias": torch.zeros(6), "same.weight": torch.ones(3, 3)}
CHANGE = torch.outer(torch.arange(6.0), torch.arange(4.0)) / 8


def changed() -> delta.State:
    return {**BASE, "layer.weight": CHANGE, "layer.bias": torch.full((6,), 0.5)}


def layer() -> torch.nn.Module:
    module = torch.nn.ModuleDict({"layer": torch.nn.Linear(4, 6)})
    torch.nn.init.zeros_(module["layer"].weight)
    torch.nn.init.zeros_(module["layer"].bias)
    return module


def test_a_change_of_low_rank_survives_whole() -> None:
    module = layer()
    delta.apply(module, delta.compress(BASE, changed(), rank=1))
    assert torch.allclose(module["layer"].weight, CHANGE, atol=1e-2)
    assert torch.allclose(module["layer"].bias, torch.full((6,), 0.5))


def test_what_did_not_change_takes_no_room() -> None:
    assert set(delta.compress(BASE, changed(), rank=2)) == {"layer.weight.left", "layer.weight.right", "layer.bias"}


def test_a_part_of_a_change_can_be_applied() -> None:
    module = layer()
    delta.apply(module, delta.compress(BASE, changed(), rank=1), share=0.5)
    assert torch.allclose(module["layer"].weight, CHANGE / 2, atol=1e-2)


def test_a_delta_of_another_base_is_refused() -> None:
    with pytest.raises(BadInput, match=r"changes 'layer\.(bias|weight)', which the base has not in that shape"):
        delta.apply(torch.nn.ModuleDict({"layer": torch.nn.Linear(2, 2)}), delta.compress(BASE, changed(), rank=1))


def test_what_is_no_delta_is_named(tmp_path) -> None:
    (tmp_path / "odd.safetensors").write_bytes(b"no tensors")
    for path in (tmp_path / "odd.safetensors", tmp_path / "missing.safetensors"):
        with pytest.raises(BadInput, match=f"delta {path} cannot be read"):
            SentenceEncoder.load(str(path))


def test_the_general_encoder_is_small_and_changes_the_bundled_one(tmp_path) -> None:
    assert GENERAL.stat().st_size < 4_000_000
    texts = ["My card was stolen!", "Someone took my debit card", "What's the exchange rate?"]
    base, general = SentenceEncoder.load("bundled").encode(texts), SentenceEncoder.load("support").encode(texts)
    assert (general[0] @ general[1]) - (general[0] @ general[2]) > (base[0] @ base[1]) - (base[0] @ base[2])


def test_a_delta_is_a_base_of_its_own(tmp_path) -> None:
    save_file(delta.load(GENERAL), str(tmp_path / "copy.safetensors"))
    rows = [SentenceEncoder.load(base).encode(["hello"]) for base in ("support", str(tmp_path / "copy.safetensors"))]
    assert torch.allclose(torch.from_numpy(rows[0]), torch.from_numpy(rows[1]), atol=1e-5)
