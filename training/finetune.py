"""Fine-tune an encoder on labelled messages, and keep it only when it beats the frozen one on rows that it never saw.

Notable choices: the softmax head starts from the frozen encoder's logistic regression, so that the first steps do not
tear down what the encoder knows (LP-FT, arXiv 2202.10054), and learns ten times as fast; word embeddings stay; bf16
autocast; batches by length. After training the head is fitted anew, on the int8 vectors that will serve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from retrieval.types import Matrix, Vector
from training.cluster import Labels
from training.encoder import THREADS, Progress, SentenceEncoder, device, seed_everything, warm_up_and_decay

Encode = Callable[[Sequence[str]], Matrix]


@dataclass(frozen=True)
class Labelled:
    """`epochs` passes; `learning_rate` of the encoder, the head's is ten times that."""

    epochs: int = 3
    learning_rate: float = 5e-5
    batch: int = 32
    warmup: float = 0.1


def recipe_for(rows: int, classes: int, *, batch: int, thorough: bool) -> Labelled:
    """Few rows need many passes and large steps (docs/experiments.md); `thorough` passes twice as often."""
    each = rows / max(1, classes)
    epochs, learning_rate = (8, 1e-4) if each <= 15 else (6, 1e-4) if each <= 40 else (3, 5e-5)
    return Labelled(epochs * 2 if thorough else epochs, learning_rate, batch)


def finetune(
    encoder: SentenceEncoder,
    texts: Sequence[str],
    labels: Labels,
    head: tuple[Matrix, Vector],
    *,
    recipe: Labelled,
    seed: int,
    progress: Progress | None = None,
) -> list[float]:
    """In place. `head` is (weight (d, c), bias (c,)) to start from. Returns the loss of every step."""
    seed_everything(seed)
    torch.set_num_threads(THREADS)
    encoder.transformer.embeddings.requires_grad_(False)
    weight = torch.nn.Parameter(torch.from_numpy(head[0]).to(device()))
    bias = torch.nn.Parameter(torch.from_numpy(head[1]).to(device()))
    body = [p for p in encoder.transformer.parameters() if p.requires_grad]
    groups = [{"params": body, "lr": recipe.learning_rate}, {"params": [weight, bias], "lr": 10 * recipe.learning_rate}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    plan = _batches(texts, recipe, np.random.default_rng(seed))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_up_and_decay(len(plan), recipe.warmup))
    gold = torch.from_numpy(labels).to(device())
    losses = []
    encoder.transformer.train()
    for step, rows in enumerate(plan):
        with torch.autocast(device(), dtype=torch.bfloat16):
            vectors = encoder.vectors([texts[i] for i in rows])
        loss = torch.nn.functional.cross_entropy(vectors.float() @ weight + bias, gold[rows])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(body, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if progress:
            progress(step + 1, len(plan), losses[-1])
    encoder.transformer.eval()
    return losses


def _batches(texts: Sequence[str], recipe: Labelled, rng: np.random.Generator) -> list[list[int]]:
    """Rows of each step: shuffled, then eight batches at a time by length, so that little is padded."""
    plan = []
    for _ in range(recipe.epochs):
        order = rng.permutation(len(texts)).tolist()
        for start in range(0, len(order), 8 * recipe.batch):
            near = sorted(order[start : start + 8 * recipe.batch], key=lambda i: len(texts[i]))
            chunks = [near[i : i + recipe.batch] for i in range(0, len(near), recipe.batch)]
            plan += [chunks[i] for i in rng.permutation(len(chunks))]
    return plan
