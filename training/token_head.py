"""Fits `retrieval.token_head` on annotated messages: frozen token states, letters, a small network, a linear-chain CRF.

Choices: AdamW with one-cycle decay, mini-batches by length; dropout on the states, and single lexical features are
hidden in a part of the examples, so that a name that was never seen is still told by its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from retrieval.token_features import Lexicon, Span, words
from retrieval.token_head import AROUND, NEVER, WEIGHTS, Label, Marked, TokenHead, allowed, pooled
from retrieval.types import Entity, Tokens
from training.encoder import THREADS, seed_everything, warm_up_and_decay

STATE, LETTERS, HIDDEN = 64, 64, 128
BATCH = 32
RATE = 4e-3
STEPS_LEAST, STEPS_MOST, EPOCHS = 400, 2500, 12
HIDE_FEATURE, DROP, DROP_HIDDEN = 0.2, 0.2, 0.3


@dataclass(frozen=True)
class Message:
    """A text as the head sees it: `marked` is what patterns recognised, `states` (words, d) the encoder's view, in 16
    bits because there are many."""

    text: str
    spans: Sequence[Span]
    marked: Sequence[tuple[str, int, int]]
    states: NDArray[np.float16]
    entities: tuple[Entity, ...] = ()


def message(
    text: str, entities: Sequence[Entity], marked: Marked, tokens: Tokens | None, aligned: Sequence[Span]
) -> Message:
    spans = words(text)
    states = pooled(tokens, aligned, tokens.states.shape[1]) if tokens else np.zeros((len(spans), 0), np.float32)
    return Message(text, spans, list(marked), states.astype(np.float16), tuple(entities))


def labels_of(messages: Sequence[Message]) -> tuple[Label, ...]:
    found = {(entity.name, entity.role, entity.group) for one in messages for entity in one.entities}
    return tuple(sorted(found, key=lambda label: tuple(part or "" for part in label)))


def tags_of(spans: Sequence[Span], entities: Sequence[Entity], labels: Sequence[Label]) -> NDArray[np.int64]:
    """BIO tags of the words; of overlapping entities the longer one counts."""
    number = {label: i for i, label in enumerate(labels)}
    tags = np.zeros(len(spans), np.int64)
    for entity in sorted(entities, key=lambda one: one.end - one.start, reverse=True):
        inside = [i for i, (start, end) in enumerate(spans) if start < entity.end and end > entity.start]
        label = number.get((entity.name, entity.role, entity.group))
        if label is None or not inside or tags[inside].any():
            continue
        tags[inside] = 2 * label + 2
        tags[inside[0]] = 2 * label + 1
    return tags


def fit(
    messages: Sequence[Message], *, lookups: dict[str, tuple[str, ...]], patterns: dict[str, tuple[str, ...]], seed: int
) -> TokenHead:
    """A head for all entities that `messages` have. Its `least` is 0: what to keep is decided on others."""
    seed_everything(seed)
    torch.set_num_threads(THREADS)
    labels = labels_of(messages)
    lexicon = _lexicon(messages, lookups, patterns)
    rows = [lexicon.numbers(one.text, one.spans, one.marked) for one in messages]
    tags = [tags_of(one.spans, one.entities, labels) for one in messages]
    network = _Network(messages[0].states.shape[1], len(lexicon.vocabulary), len(labels))
    _train(network, messages, rows, tags, seed=seed)
    return network.head(labels, lexicon)


def _lexicon(
    messages: Sequence[Message], lookups: dict[str, tuple[str, ...]], patterns: dict[str, tuple[str, ...]]
) -> Lexicon:
    """Of many messages only features that stand in two of them."""
    plain = Lexicon({}, lookups, patterns)
    seen: Counter[str] = Counter()
    for one in messages:
        seen.update({name for names in plain.features(one.text, one.spans, one.marked) for name in names})
    least = 1 if len(messages) < 1000 else 2
    vocabulary = sorted(name for name, count in seen.items() if count >= least)
    return Lexicon({name: number for number, name in enumerate(vocabulary)}, lookups, patterns)


class _Network(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int, features: int, labels: int) -> None:
        super().__init__()
        self.tags = 2 * labels + 1
        self.project = nn.Parameter(torch.randn(width, STATE if width else 0) * max(1, width) ** -0.5)
        self.letters = nn.EmbeddingBag(max(1, features), LETTERS, mode="sum")
        self.hidden = nn.Linear((2 * AROUND + 1) * (self.project.shape[1] + LETTERS), HIDDEN)
        self.output = nn.Linear(HIDDEN, self.tags)
        self.moves, self.first = nn.Parameter(torch.zeros(self.tags, self.tags)), nn.Parameter(torch.zeros(self.tags))
        nn.init.normal_(self.letters.weight, std=0.1)
        moves, first = allowed(labels)
        self.never_moves, self.never_first = torch.from_numpy(~moves), torch.from_numpy(~first)

    def chain(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.moves.masked_fill(self.never_moves, NEVER), self.first.masked_fill(self.never_first, NEVER)

    def forward(self, states: torch.Tensor, flat: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """(n, words, tags) of states (n, words, d) and the feature numbers of all n * words words."""
        n, length, _ = states.shape
        drop = nn.functional.dropout
        letters = self.letters(flat, offsets).view(n, length, LETTERS)
        seen = torch.cat([drop(states @ self.project, DROP, self.training), drop(letters, DROP, self.training)], 2)
        padded = nn.functional.pad(seen, (0, 0, AROUND, AROUND))
        around = torch.cat([padded[:, at : at + length] for at in range(2 * AROUND + 1)], 2)
        inner = drop(torch.relu(self.hidden(around)), DROP_HIDDEN, self.training)
        out: torch.Tensor = self.output(inner)
        return out

    def head(self, labels: tuple[Label, ...], lexicon: Lexicon) -> TokenHead:
        moves, first = self.chain()
        arrays = [
            self.project, self.letters.weight[: len(lexicon.vocabulary)], self.hidden.weight.T,
            self.hidden.bias, self.output.weight.T, self.output.bias, moves, first,
        ]  # fmt: skip
        plain = [np.ascontiguousarray(part.detach().numpy(), np.float32) for part in arrays]
        weights: dict[str, Any] = dict(zip(WEIGHTS, plain, strict=True))
        return TokenHead(labels, lexicon, **weights)


def _train(
    network: _Network, messages: Sequence[Message], rows: Sequence[list[list[int]]], tags: Sequence[NDArray[np.int64]],
    *, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    used = np.array([i for i, one in enumerate(messages) if one.spans], np.int64)
    each = max(1, len(used) / BATCH)
    epochs = max(1, round(min(max(EPOCHS, STEPS_LEAST / each), STEPS_MOST / each)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    total = epochs * -(-len(used) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_up_and_decay(total, 0.1))
    network.train()
    for _ in range(epochs):
        for batch in _batches(used, messages, rng):
            loss = _loss(network, *_tensors([messages[i] for i in batch], [rows[i] for i in batch],
                                            [tags[i] for i in batch], rng))  # fmt: skip
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
    network.eval()


def _batches(used: NDArray[np.int64], messages: Sequence[Message], rng: np.random.Generator) -> list[list[int]]:
    """By length, with some shuffling, so that little is padded."""
    noise = rng.random(len(used))
    order = used[np.argsort([len(messages[i].spans) + 2 * noise[at] for at, i in enumerate(used)])]
    batches = [order[at : at + BATCH].tolist() for at in range(0, len(order), BATCH)]
    rng.shuffle(batches)
    return batches


def _tensors(
    messages: Sequence[Message], rows: Sequence[list[list[int]]], tags: Sequence[NDArray[np.int64]],
    rng: np.random.Generator,
) -> tuple[torch.Tensor, ...]:  # fmt: skip
    n, length = len(messages), max(len(one.spans) for one in messages)
    states = np.zeros((n, length, messages[0].states.shape[1]), np.float32)
    gold, mask = np.zeros((n, length), np.int64), np.zeros((n, length), np.bool_)
    flat: list[int] = []
    offsets = []
    for row, (one, numbers, own) in enumerate(zip(messages, rows, tags, strict=True)):
        states[row, : len(own)], gold[row, : len(own)], mask[row, : len(own)] = one.states, own, True
        for at in range(length):
            offsets.append(len(flat))
            flat += numbers[at] if at < len(numbers) else []
    kept = rng.random(len(flat)) >= HIDE_FEATURE
    starts = np.concatenate([[0], np.cumsum(kept)])[offsets]
    features = np.array(flat, np.int64)[kept]
    return tuple(map(torch.from_numpy, (states, features, starts.astype(np.int64), gold, mask)))


def _loss(
    network: _Network, states: torch.Tensor, flat: torch.Tensor, offsets: torch.Tensor, gold: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """The mean negative log-likelihood of the gold tag sequences."""
    scores, (moves, first) = network(states, flat, offsets), network.chain()
    length = scores.shape[1]
    here = scores[:, 0] + first
    told = here.gather(1, gold[:, :1]).squeeze(1)
    for at in range(1, length):
        on = mask[:, at]
        ahead = torch.logsumexp(here[:, :, None] + moves, 1) + scores[:, at]
        here = torch.where(on[:, None], ahead, here)
        step = moves[gold[:, at - 1], gold[:, at]] + scores[:, at].gather(1, gold[:, at : at + 1]).squeeze(1)
        told = told + torch.where(on, step, torch.zeros_like(step))
    loss: torch.Tensor = (torch.logsumexp(here, 1) - told).mean()
    return loss
