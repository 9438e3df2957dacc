"""A torch encoder -> `encoder/` of a bundle: tokenizer, weights (fp16 safetensors), int8 ONNX with pooling inside."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import save_file

from retrieval.encoder import Encoder
from training.encoder import SentenceEncoder


class _Graph(torch.nn.Module):  # type: ignore[misc]
    """The transformer with mean pooling and normalisation as one graph, so that serving has no Python to get wrong."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=1)


def export(encoder: SentenceEncoder, directory: Path, *, weights: bool = True) -> Encoder:
    """Write `tokenizer.json`, `model.onnx` (int8, per channel) and `model.safetensors`; return the written encoder."""
    directory.mkdir(parents=True, exist_ok=True)
    encoder.tokenizer.backend_tokenizer.save(str(directory / "tokenizer.json"))
    full = directory / "full.onnx"
    _trace(encoder, full)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it warns on the root logger that shapes could be inferred first; nothing to mend
    try:
        quantize_dynamic(str(full), str(directory / "model.onnx"), per_channel=True, weight_type=QuantType.QInt8)
    finally:
        root.setLevel(level)
    full.unlink()
    (directory / "full.onnx.data").unlink(missing_ok=True)
    if weights:
        state = {k: v.detach().to(torch.float16).contiguous() for k, v in encoder.transformer.state_dict().items()}
        save_file(state, str(directory / "model.safetensors"))
    return Encoder(directory)


def _trace(encoder: SentenceEncoder, path: Path) -> None:
    graph = _Graph(encoder.transformer).eval().cpu().float()
    sample = encoder.tokenizer(["one request", "and a second, longer one"], padding=True, return_tensors="pt")
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in sample]
    inputs = tuple(sample[name] for name in names)
    axes = {name: {0: "batch", 1: "tokens"} for name in names}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracing exporter is deprecated; the new one needs onnxscript
        torch.onnx.export(
            graph,
            inputs,
            str(path),
            input_names=list(axes),
            output_names=["vector"],
            dynamic_axes={**axes, "vector": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )


def int8_similarity(full: SentenceEncoder, exported: Encoder, texts: list[str]) -> float:
    """Mean cosine between fp32 and int8 vectors of the same texts; below 0.98 something is wrong with the export."""
    exact = full.encode(texts)
    return float(np.mean(np.sum(exact * exported.encode(texts), axis=1)))


def load_state(encoder: SentenceEncoder, path: Path) -> None:
    """Put the weights of a bundle's `model.safetensors` into `encoder`."""
    from safetensors.torch import load_file

    state: dict[str, Any] = load_file(str(path))
    cast("torch.nn.Module", encoder.transformer).load_state_dict({k: v.float() for k, v in state.items()})
