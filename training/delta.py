"""What fine-tuning changed in an encoder, as low-rank factors: a few megabytes that turn one base into another.

Each weight matrix W becomes W + A B of rank at most `rank` (truncated SVD of the change), each vector (biases, layer
norms) its whole change; embeddings stay those of the base. fp16 safetensors.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from retrieval.errors import BadInput

State = dict[str, torch.Tensor]

LEFT, RIGHT = ".left", ".right"


def compress(base: State, tuned: State, *, rank: int) -> State:
    """Names of `base` that differ in `tuned`, as factors (n, rank) and (rank, m), or whole where they are vectors."""
    out: State = {}
    for name, before in base.items():
        change = tuned[name].float() - before.float()
        if not change.any():
            continue
        if change.ndim < 2:
            out[name] = change
            continue
        left, size, right = torch.linalg.svd(change, full_matrices=False)
        out[name + LEFT] = left[:, :rank] * size[:rank].sqrt()
        out[name + RIGHT] = size[:rank].sqrt()[:, None] * right[:rank]
    return {name: tensor.half().contiguous() for name, tensor in out.items()}


def apply(transformer: torch.nn.Module, delta: State, *, share: float = 1.0) -> None:
    """Add `share` of the change to the weights, in place. BadInput when the delta belongs to another model."""
    state = transformer.state_dict()
    changes = {name: tensor.float() for name, tensor in delta.items() if not name.endswith((LEFT, RIGHT))}
    for name in {name.removesuffix(LEFT) for name in delta if name.endswith(LEFT)}:
        changes[name] = delta[name + LEFT].float() @ delta[name + RIGHT].float()
    for name, change in changes.items():
        if name not in state or state[name].shape != change.shape:
            raise BadInput(f"the delta changes {name!r}, which the base has not in that shape; it is of another base")
        state[name].add_(share * change.to(state[name].device))


def load(path: Path) -> State:
    """BadInput when `path` is no delta."""
    try:
        state: State = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise BadInput(f"delta {path} cannot be read: {error}; bench/general_encoder.py makes one") from error
    return state
