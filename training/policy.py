"""Fits the dialogue policy on stories and logged conversations: a small network, a minute at most.

Choices: one hidden layer over tokens and the encoded message, AdamW, a fixed number of steps; the words or the intent
of a message are hidden in a part of the examples, so that a button without words and words without a sure intent both
lead on. The threshold is the lowest probability from which dialogues that were held out keep the error budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bot.transcript import Transcript
from retrieval.encoder import Encoder
from retrieval.entities import Recogniser
from retrieval.policy import LOOK_BACK, NEVER, Example, Happened, LearnedPolicy, Moment
from retrieval.types import Matrix
from training.config import TrainingConfig
from training.stages import Report
from training.write import Parts

Encode = Callable[[Sequence[str]], Matrix]
Dialogue = Sequence[Example]

LISTEN = "action_listen"
HIDDEN = 128
BATCH = 64
HIDE = 0.3
FOLDS = 5
LEAST = 20
"""Different held-out moments without which no threshold can be told."""


@dataclass(frozen=True)
class HeldOut:
    """Moments of dialogues that the policy had not seen: how sure it was, and whether it was right. A dialogue comes in
    variants: `different` of the moments are more than another wording."""

    sure: NDArray[np.float64]
    right: NDArray[np.bool_]
    different: int


def fit_policy(
    dialogues: Sequence[Dialogue], encode: Encode, *, error_budget: float, seed: int, steps: int
) -> LearnedPolicy:
    """The policy of all dialogues; its threshold comes from `FOLDS` policies that each saw only a part of them."""
    held = held_out(dialogues, encode, seed=seed, steps=steps)
    facts = {
        "dialogues": len(dialogues),
        "moments": sum(map(len, dialogues)),
        "right": float(held.right.mean()) if len(held.right) else 0.0,
    }
    policy = fit(dialogues, encode, seed=seed, steps=steps)
    return replace(policy, threshold=threshold(held, error_budget), facts=facts)


def with_policy(
    parts: Parts, dialogues: Sequence[Dialogue], config: TrainingConfig, *, error_budget: float, progress: Report
) -> Parts:
    """The parts with a policy, as they are when there is nothing to learn one from or the recipe wants none."""
    if config.policy.learn == "never" or len(dialogues) < 2:
        return parts
    progress("policy", 0, 1, f"{len(dialogues)} dialogues")
    encoder, recogniser = Encoder(parts.encoder, cache=100_000), Recogniser(parts.entities)
    policy = fit_policy(
        dialogues,
        lambda texts: encoder.encode([recogniser.mask(text) for text in texts]),
        error_budget=error_budget,
        seed=config.seed,
        steps=config.policy.steps,
    )
    acts = f"acts from {policy.threshold:.2f} on" if policy.threshold < NEVER else "not good enough to act"
    progress("policy", 1, 1, f"right in {policy.facts['right']:.1%} of moments it had not seen, {acts}")
    return replace(parts, policy=policy)


def logged(transcripts: Sequence[Transcript], actions: Collection[str]) -> list[Dialogue]:
    """What was done in conversations that no person had to take over, as far as the project still has those actions."""
    dialogues = (_logged(transcript, actions) for transcript in transcripts if not transcript.outcome.handed_off)
    return [dialogue for dialogue in dialogues if dialogue]


def _logged(transcript: Transcript, actions: Collection[str]) -> list[Example]:
    found: list[Example] = []
    happened: list[Happened] = []
    text, facts = "", frozenset[str]()
    for turn in transcript.turns:
        if turn.by == "customer":
            if happened and not happened[-1].said:
                found.append(Example(Moment(tuple(happened), facts, text), LISTEN))
            text, facts = turn.text, frozenset(f"entity:{entity.get('entity')}" for entity in turn.entities)
            happened.append(Happened(True, turn.intent or ""))
        elif turn.action is not None and turn.action in actions and happened:
            found.append(Example(Moment(tuple(happened), facts, text), turn.action))
            happened.append(Happened(False, turn.action))
    return found


def held_out(dialogues: Sequence[Dialogue], encode: Encode, *, seed: int, steps: int) -> HeldOut:
    order = np.random.default_rng(seed).permutation(len(dialogues))
    folds = [part for part in np.array_split(order, min(FOLDS, len(order))) if len(part) < len(order)]
    sure, right = [], []
    for part in folds:
        kept = [dialogues[i] for i in order if i not in set(part.tolist())]
        policy = fit(kept, encode, seed=seed, steps=steps)
        for example in (example for i in part for example in dialogues[i]):
            action, p = predict(policy, example, encode)
            sure.append(p)
            right.append(action == example.action)
    different = {(tuple(e.moment.happened[-LOOK_BACK:]), e.action) for dialogue in dialogues for e in dialogue}
    return HeldOut(np.array(sure, np.float64), np.array(right, np.bool_), len(different) if folds else 0)


def predict(policy: LearnedPolicy, example: Example, encode: Encode) -> tuple[str, float]:
    text = example.moment.text
    return policy.predict(example.moment, encode([text])[0] if text else None)[0]


def threshold(held: HeldOut, error_budget: float) -> float:
    """The lowest probability from which at most `error_budget` of what the policy would do is wrong; `NEVER` when there
    is none, or too little to tell by."""
    if held.different < LEAST:
        return NEVER
    order = np.argsort(-held.sure, kind="stable")
    wrong = np.cumsum(~held.right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(wrong <= error_budget)
    if not len(good) or good[-1] + 1 < LEAST:
        return NEVER
    return float(min(max(held.sure[order][good[-1]], 0.5), 1.0))


def fit(dialogues: Sequence[Dialogue], encode: Encode, *, seed: int, steps: int) -> LearnedPolicy:
    examples = [example for dialogue in dialogues for example in dialogue]
    actions = sorted({example.action for example in examples})
    tokens = [example.moment.tokens() for example in examples]
    vocabulary = sorted({token for one in tokens for token in one})
    places = {token: place for place, token in enumerate(vocabulary)}
    facts = np.zeros((len(examples), len(vocabulary)), np.float32)
    for row, one in enumerate(tokens):
        facts[row, [places[token] for token in one]] = 1
    texts = [example.moment.text for example in examples]
    words = encode(texts) * np.array([[bool(text)] for text in texts], np.float32)
    targets = np.array([actions.index(example.action) for example in examples])
    intents = np.array([token.startswith(("1/said", "said1:")) for token in vocabulary])
    first, last = _train(facts, words, targets, intents, len(actions), seed=seed, steps=steps)
    weights = (_array(part) for part in (first.weight.T, first.bias, last.weight.T, last.bias))
    hidden, hidden_bias, output, output_bias = weights
    return LearnedPolicy(tuple(actions), tuple(vocabulary), hidden, hidden_bias, output, output_bias)


def _array(part: torch.Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(part.detach().numpy(), np.float32)


def _train(
    facts: NDArray[np.float32],
    words: Matrix,
    targets: NDArray[np.int64],
    intents: NDArray[np.bool_],
    actions: int,
    *,
    seed: int,
    steps: int,
) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    first, last = nn.Linear(facts.shape[1] + words.shape[1], HIDDEN), nn.Linear(HIDDEN, actions)
    model = nn.Sequential(nn.Dropout(0.1), first, nn.ReLU(), nn.Dropout(0.3), last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.03)
    x, y, t, hidden = map(torch.from_numpy, (facts, words, targets, intents))
    has_words = y.abs().sum(1) > 0
    for step in range(steps):
        rows = torch.randint(len(t), (min(BATCH, len(t)),), generator=generator)
        chance = torch.rand(len(rows), generator=generator)
        no_intent = ((chance < HIDE) & has_words[rows]).float()[:, None] * hidden.float()
        no_words = (chance > 1 - HIDE).float()[:, None]
        batch = torch.cat([x[rows] * (1 - no_intent), y[rows] * (1 - no_words)], 1)
        loss = nn.functional.cross_entropy(model(batch), t[rows], label_smoothing=0.02)
        optimiser.param_groups[0]["lr"] = 3e-3 * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return first, last
