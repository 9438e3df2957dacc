"""The learned policy against memoisation alone, on dialogues that neither has seen.

    .venv/bin/python bench/policy.py --dialogues 4875         # STAR: what did the agent do next?
    .venv/bin/python bench/policy.py --projects               # stories of Rasa projects, each left out once

STAR's customers have no intents: both get the nearest of 100 clusters of what customers said. Memoisation
forgets the oldest events until something fits, as the augmented policy does.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

from retrieval.encoder import Encoder
from retrieval.policy import Example, Happened, Moment
from training.base import base_encoder
from training.config import EncoderConfig, TrainingConfig
from training.policy import fit, predict

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
CLUSTERS, LONGEST = 100, 5
PROJECTS = ("moodbot", "formbot", "concertbot", "responseselectorbot")

Predicted = tuple[str, float]
Dialogues = Sequence[Sequence[Example]]


def star(limit: int, seed: int) -> list[list[Example]]:
    """Dialogues; a customer message is named by its text until `named` gives it the name of its cluster."""
    with gzip.open(SHARED / "data" / "star" / "dialogues.jsonl.gz", "rt") as lines:
        read = [list(_moments(json.loads(line)["turns"])) for line in lines]
    return [read[i] for i in np.random.default_rng(seed).permutation(len(read))[:limit]]


def _moments(turns: Sequence[dict[str, str]]) -> Iterator[Example]:
    happened: list[Happened] = []
    text = ""
    for turn in turns:
        if turn["speaker"] == "customer":
            text = turn["text"]
            happened.append(Happened(True, text))
        elif turn["speaker"] == "api_result":
            happened.append(Happened(False, f"result {turn.get('api', '')}"))
        elif turn["speaker"] == "agent" and turn.get("action"):
            yield Example(Moment(tuple(happened), (), text), turn["action"])
            happened.append(Happened(False, turn["action"]))


def named(dialogues: Sequence[Sequence[Example]], names: dict[str, str]) -> list[list[Example]]:
    def one(happened: Happened) -> Happened:
        return Happened(True, names.get(happened.name, "")) if happened.said else happened

    return [
        [Example(Moment(tuple(map(one, e.moment.happened)), e.moment.facts, e.moment.text), e.action) for e in dialogue]
        for dialogue in dialogues
    ]


class Memory:
    """What followed the same latest events, the longest that are known."""

    def __init__(self, dialogues: Sequence[Sequence[Example]], longest: int = LONGEST) -> None:
        self.longest = longest
        self.table: dict[tuple[Happened, ...], Counter[str]] = defaultdict(Counter)
        for example in (example for dialogue in dialogues for example in dialogue):
            for back in range(1, longest + 1):
                self.table[tuple(example.moment.happened[-back:])][example.action] += 1

    def predict(self, moment: Moment) -> Predicted:
        for back in range(min(self.longest, len(moment.happened)), 0, -1):
            if found := self.table.get(tuple(moment.happened[-back:])):
                action, count = found.most_common(1)[0]
                return action, count / found.total()
        return "", 0.0


def report(name: str, predicted: Sequence[Predicted], wanted: Sequence[str], seconds: float = 0.0) -> None:
    right = np.array([action == want for (action, _), want in zip(predicted, wanted, strict=True)])
    sure = np.array([p for _, p in predicted])
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    covered = {budget: (np.flatnonzero(wrong <= budget)[-1:] + 1).sum() / len(order) for budget in (0.05, 0.1, 0.2)}
    shares = ", ".join(f"{share:.1%} at {budget:.0%} error" for budget, share in covered.items())
    print(f"| {name} | {right.mean():.1%} | {shares} | {seconds:.0f} |", flush=True)


def measure(train: Dialogues, test: Dialogues, encoder: Encoder, steps: int) -> None:
    wanted = [example.action for dialogue in test for example in dialogue]
    memory = Memory(train)
    report("memoisation", [memory.predict(e.moment) for dialogue in test for e in dialogue], wanted)
    started = time.process_time()
    policy = fit(train, encoder.encode, seed=13, steps=steps)
    spent = time.process_time() - started
    report("learned", [predict(policy, e, encoder.encode) for dialogue in test for e in dialogue], wanted, spent)


def on_star(encoder: Encoder, limit: int, steps: int) -> None:
    dialogues = star(limit, seed=0)
    cut = round(0.8 * len(dialogues))
    said = sorted({one.name for d in dialogues for e in d for one in e.moment.happened if one.said})
    known = sorted({one.name for d in dialogues[:cut] for e in d for one in e.moment.happened if one.said})
    clusters = KMeans(CLUSTERS, n_init=1, random_state=0).fit(encoder.encode(known))
    names = {text: f"cluster {one}" for text, one in zip(said, clusters.predict(encoder.encode(said)), strict=True)}
    dialogues = named(dialogues, names)
    tested = dialogues[cut:]
    print(f"\nSTAR: {cut} dialogues to learn from, {sum(map(len, tested))} moments of {len(tested)} others\n")
    print("| policy | right | does by itself | fit, CPU s |\n|---|---|---|---|")
    measure(dialogues[:cut], tested, encoder, steps)


def on_projects(encoder: Encoder, steps: int) -> None:
    from bot.domain import load_domain
    from bot.learned import story_dialogues

    for project in PROJECTS:
        dialogues = story_dialogues(load_domain(SHARED / "rasa" / "projects" / project))
        wanted, remembered, learned = [], [], []
        for left_out, dialogue in enumerate(dialogues):
            rest = [one for at, one in enumerate(dialogues) if at != left_out]
            if not rest:
                continue
            memory, policy = Memory(rest, longest=20), fit(rest, encoder.encode, seed=13, steps=steps)
            for example in dialogue:
                wanted.append(example.action)
                remembered.append(memory.predict(example.moment))
                learned.append(predict(policy, example, encoder.encode))
        if wanted:
            print(f"\n{project}: {len(dialogues)} stories, each left out once; {len(wanted)} moments\n")
            print("| policy | right | does by itself | fit, CPU s |\n|---|---|---|---|")
            report("memoisation", remembered, wanted)
            report("learned", learned, wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=0, help="STAR dialogues, 0 for none, at most 4,875")
    parser.add_argument("--projects", action="store_true", help="stories of the Rasa projects")
    parser.add_argument("--steps", type=int, default=4000, help="training steps")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "bench", help="where the encoder is kept")
    given = parser.parse_args()
    encoder = base_encoder(TrainingConfig(encoder=EncoderConfig(base="support")), given.work)
    if given.dialogues:
        on_star(encoder, given.dialogues, given.steps)
    if given.projects:
        on_projects(encoder, min(given.steps, 1500))


if __name__ == "__main__":
    main()
