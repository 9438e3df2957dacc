"""A torch encoder -> `encoder/` of a bundle: tokenizer, weights (fp16 safetensors), int8 ONNX with pooling inside.

Notable choice: activations are quantised with a scale for each token, weights with one for each column (vector-wise,
arXiv 2208.07339). onnxruntime's `quantize_dynamic` has one scale for the whole batch, so that a text's vector changes
with what it is encoded with (cosine down to 0.95 for short texts), and it is further from fp32 (0.973 against 0.985).
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from retrieval.encoder import TOKENS, Encoder
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
    quantise(full, directory / "model.onnx")
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


def with_tokens(source: Path, target: Path) -> None:
    """A copy of an encoder directory whose graph also gives the states of all tokens, from the layer norms of a middle
    and the last layer (n, tokens, 2d); the numbers of the pooled vector stay as they are. Middle layers know more of a
    word and less of the sentence (arXiv 1905.05950)."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    model = onnx.load(str(target / "model.onnx"))
    graph = model.graph
    norms = [node.output[0] for node in graph.node if node.op_type == "LayerNormalization"]
    middle, last = norms[2 * (len(norms) // 3)], norms[-1]
    graph.node.append(helper.make_node("Concat", [middle, last], [TOKENS], axis=-1))
    graph.output.append(helper.make_tensor_value_info(TOKENS, TensorProto.FLOAT, ["batch", "tokens", None]))
    onnx.checker.check_model(model)
    onnx.save(model, str(target / "model.onnx"))


def quantise(source: Path, target: Path) -> None:
    """An fp32 ONNX file -> one with 8-bit embeddings and 8-bit products of activations and constant weights."""
    model = onnx.load(str(source))
    work = _Quantiser(model.graph)
    for node in list(model.graph.node):
        work.add(node)
    work.finish()
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


class _Quantiser:
    """Builds the nodes anew; `_scaled` holds activations that are quantised already: query, key and value share one."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._constants = {item.name: item for item in graph.initializer}
        self._nodes: list[Any] = []
        self._scaled: dict[str, str] = {}
        self._constant("q_step", np.float32(1 / 127))
        self._constant("q_middle", np.float32(128))
        self._constant("q_least", np.float32(1e-9))
        self._constant("q_zero", np.uint8(128))

    def add(self, node: Any) -> None:
        if node.op_type == "MatMul" and node.input[1] in self._constants:
            self._product(node.input[0], self._table(node.input[1]), node.output[0])
        elif node.op_type == "Gather" and self._is_embedding(node.input[0]):
            self._embedding(self._table(node.input[0]), node.input[1], node.output[0])
        else:
            self._nodes.append(node)

    def finish(self) -> None:
        """Put the new nodes into the graph, and drop the tables that nothing reads any more."""
        read = {name for node in self._nodes for name in node.input}
        kept = [item for name, item in self._constants.items() if name in read]
        for field, items in ((self._graph.node, self._nodes), (self._graph.initializer, kept)):
            del field[:]
            field.extend(items)

    def _product(self, left: str, weight: NDArray[np.float32], out: str) -> None:
        whole, step = _eight_bit(weight, axis=0)
        rows = self._activation(left)
        self._constant(f"{out}_weight", whole)
        self._constant(f"{out}_columns", step[0])
        self._node("MatMulInteger", [f"{rows}_whole", f"{out}_weight", "q_zero"], f"{out}_sum")
        self._node("Cast", [f"{out}_sum"], f"{out}_float", to=TensorProto.FLOAT)
        self._node("Mul", [f"{out}_float", f"{out}_columns"], f"{out}_scaled")
        self._node("Mul", [f"{out}_scaled", f"{rows}_step"], out)

    def _activation(self, name: str) -> str:
        """Quantise to unsigned bytes around 128: the kernels for unsigned times signed are the fast ones."""
        if name not in self._scaled:
            q = self._scaled[name] = f"{name}_q"
            self._node("Abs", [name], f"{q}_size")
            self._node("ReduceMax", [f"{q}_size"], f"{q}_largest", axes=[-1], keepdims=1)
            self._node("Max", [f"{q}_largest", "q_least"], f"{q}_range")
            self._node("Mul", [f"{q}_range", "q_step"], f"{q}_step")
            self._node("Div", [name, f"{q}_step"], f"{q}_steps")
            self._node("Add", [f"{q}_steps", "q_middle"], f"{q}_moved")
            self._node("Round", [f"{q}_moved"], f"{q}_round")
            self._node("Cast", [f"{q}_round"], f"{q}_whole", to=TensorProto.UINT8)
        return self._scaled[name]

    def _embedding(self, table: NDArray[np.float32], rows: str, out: str) -> None:
        whole, step = _eight_bit(table, axis=1)
        self._constant(f"{out}_table", whole)
        self._constant(f"{out}_steps", step)
        self._node("Gather", [f"{out}_table", rows], f"{out}_whole", axis=0)
        self._node("Gather", [f"{out}_steps", rows], f"{out}_step", axis=0)
        self._node("Cast", [f"{out}_whole"], f"{out}_float", to=TensorProto.FLOAT)
        self._node("Mul", [f"{out}_float", f"{out}_step"], out)

    def _node(self, kind: str, inputs: list[str], out: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [out], **attributes))

    def _constant(self, name: str, value: Any) -> None:
        self._constants[name] = numpy_helper.from_array(np.asarray(value), name)

    def _table(self, name: str) -> NDArray[np.float32]:
        table: NDArray[np.float32] = numpy_helper.to_array(self._constants[name])
        return table

    def _is_embedding(self, name: str) -> bool:
        item = self._constants.get(name)
        return item is not None and item.data_type == TensorProto.FLOAT and len(item.dims) == 2


def _eight_bit(table: NDArray[np.float32], *, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Signed bytes and their steps: `table` is nearly `bytes * steps`, with one step along `axis`."""
    step = np.maximum(np.abs(table).max(axis, keepdims=True), 1e-9) / 127
    return np.round(table / step).astype(np.int8), step.astype(np.float32)


def int8_similarity(full: SentenceEncoder, exported: Encoder, texts: list[str]) -> float:
    """Mean cosine between fp32 and int8 vectors of the same texts; below 0.98 something is wrong with the export."""
    exact = full.encode(texts)
    return float(np.mean(np.sum(exact * exported.encode(texts), axis=1)))


def load_state(encoder: SentenceEncoder, path: Path) -> None:
    """Put the weights of a bundle's `model.safetensors` into `encoder`."""
    from safetensors.torch import load_file

    state: dict[str, Any] = load_file(str(path))
    cast("torch.nn.Module", encoder.transformer).load_state_dict({k: v.float() for k, v in state.items()})
