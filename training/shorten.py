"""Fewer layers: an encoder that keeps some of its transformer's layers and learns to say what the whole one said.

The layers that stay are spread evenly; they are trained to give the whole encoder's vectors on the desk's own texts
(distillation, arXiv 1910.01108), which need no label. A layer costs about a sixth of MiniLM's time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from training.encoder import THREADS, Progress, SentenceEncoder, device, seed_everything, warm_up_and_decay

MOST = 6_000  # texts seen in all: less than a minute on one core
BATCH = 64
LEARNING_RATE = 3e-4


def shorten(
    encoder: SentenceEncoder, layers: int, texts: Sequence[str], *, seed: int, progress: Progress | None = None
) -> None:
    """In place. `texts` may be few, and then the layers are only left out."""
    seed_everything(seed)
    torch.set_num_threads(THREADS)
    texts = list(dict.fromkeys(texts))
    whole = encoder.encode(texts)
    stack = encoder.transformer.encoder
    kept = np.unique(np.linspace(0, len(stack.layer) - 1, layers).round().astype(int))
    stack.layer = torch.nn.ModuleList([stack.layer[i] for i in kept])
    encoder.transformer.config.num_hidden_layers = len(kept)
    if not texts:
        return
    encoder.transformer.embeddings.requires_grad_(False)
    plan = _batches(texts, np.random.default_rng(seed))
    optimiser = torch.optim.AdamW([p for p in encoder.transformer.parameters() if p.requires_grad], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_up_and_decay(len(plan), 0.1))
    encoder.transformer.train()
    for step, rows in enumerate(plan):
        with torch.autocast(device(), dtype=torch.bfloat16):
            vectors = encoder.vectors([texts[i] for i in rows])
        target = torch.from_numpy(whole[rows]).to(vectors.device)
        loss = (1 - (vectors.float() * target).sum(1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, len(plan), float(loss.detach()))
    encoder.transformer.eval()


def _batches(texts: Sequence[str], rng: np.random.Generator) -> list[list[int]]:
    """Batches of texts of like length, in random order, until `MOST` texts were seen."""
    plan: list[list[int]] = []
    while len(plan) * BATCH < min(MOST, 20 * len(texts)):
        order = sorted(rng.permutation(len(texts)).tolist(), key=lambda i: len(texts[i]))
        chunks = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        plan += [chunks[i] for i in rng.permutation(len(chunks))]
    return plan[: -(-MOST // BATCH)]
