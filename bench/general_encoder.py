"""The general support encoder: all-MiniLM-L6-v2 tuned once on public intents, kept as a low-rank delta.

`python bench/general_encoder.py OUT.safetensors [--without SET ...] [--steps N] [--seed N] [--shared DIR]`. The file
that the package ships is made without `--without`; figures for a set come from a delta that was made without it
(docs/general-encoder.md).

Notable choices: every batch comes from one set, so that no class meets its twin of another set as a negative; up to
48 classes of two texts, or a text and the name of its class; in-batch contrastive loss at temperature 0.05;
embeddings frozen (half of the model, and words that the sets lack would be left behind); two passes a batch,
short texts apart.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import datasets
import numpy as np
import torch
from safetensors.torch import save_file

from training.delta import compress
from training.encoder import SentenceEncoder, contrastive_loss, seed_everything, warm_up_and_decay

Labelled = list[tuple[str, str]]

CLASSES = 48
NAMES = 0.3  # how often a class is shown by its name and not by a second text
TEMPERATURE = 0.05
LEARNING_RATE = 5e-5
RANK = 40


def banking77(data: Path) -> Labelled:
    return [(row["text"], row["intent"]) for row in datasets.rows(data / "banking77/train.jsonl.gz")]


def clinc150(data: Path) -> Labelled:
    found = datasets.rows(data / "clinc150_oos/data_full_train_val.jsonl.gz")
    return [(row["text"], row["intent"]) for row in found if row["intent"] != "oos"]


NO_REQUEST = frozenset(
    "contentonly confirmation rejection thankyou openinggreeting closinggreeting outofdomain".split()
)


def multidogo(data: Path) -> Labelled:
    """Fast food and media; airline and finance stay unseen, because entities are measured on them."""
    found = [row for name in ("fastfood", "media") for row in datasets.rows(data / f"multidogo/{name}_turns.jsonl.gz")]
    return [(r["text"], r["intent"]) for r in found if "<div>" not in r["intent"] and r["intent"] not in NO_REQUEST]


def abcd(data: Path) -> Labelled:
    found = datasets.rows(data / "abcd_kit/labelled_customer_turns.jsonl.gz")
    return [(row["text"], row["intent"][0].split("/")[-1]) for row in found if len(row["intent"]) == 1]


SETS: dict[str, tuple[float, Callable[[Path], Labelled]]] = {
    "banking77": (1.0, banking77),
    "clinc150": (1.5, clinc150),
    "multidogo": (0.15, multidogo),
    "abcd": (0.1, abcd),
}  # name -> how often a batch comes from it, and its rows


def readable(label: str) -> str:
    """A label as words: `lost_or_stolen_phone`, `CheckAccountBalance`, `orderpizzaintent`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label).replace("_", " ").replace("intent", "")
    return " ".join(words.split()).lower()


def batches(sets: dict[str, Labelled], steps: int, rng: np.random.Generator) -> Iterator[tuple[list[str], list[str]]]:
    """Texts and their partners, one class a row."""
    names = list(sets)
    often = np.array([SETS[name][0] for name in names])
    members: dict[str, dict[str, list[str]]] = {}
    for name, labelled in sets.items():
        by_label = defaultdict(list)
        for text, label in labelled:
            by_label[label].append(text)
        members[name] = {label: texts for label, texts in by_label.items() if len(texts) > 1}
    for _ in range(steps):
        own = members[names[rng.choice(len(names), p=often / often.sum())]]
        labels = rng.permutation(sorted(own))[:CLASSES]
        left, right = [], []
        for label in labels:
            first, second = rng.choice(len(own[label]), 2, replace=False)
            left.append(own[label][first])
            right.append(readable(label) if rng.random() < NAMES else own[label][second])
        yield left, right


def vectors(encoder: SentenceEncoder, texts: Sequence[str]) -> torch.Tensor:
    """As `encoder.vectors`, in two passes by length: padding would be a third of the work."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    back = torch.tensor(np.argsort(order))
    half = len(order) * 2 // 3
    parts = [encoder.vectors([texts[i] for i in rows]) for rows in (order[:half], order[half:])]
    return torch.cat(parts)[back]


def train(sets: dict[str, Labelled], *, steps: int, seed: int, said: Callable[[str], None]) -> dict[str, torch.Tensor]:
    """The delta."""
    seed_everything(seed)
    torch.set_num_threads(1)
    encoder = SentenceEncoder.load("bundled")
    before = {name: tensor.clone() for name, tensor in encoder.transformer.state_dict().items()}
    encoder.transformer.embeddings.requires_grad_(False)
    parameters = [p for p in encoder.transformer.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_up_and_decay(steps, 0.1))
    encoder.transformer.train()
    running, start = 0.0, time.process_time()
    for step, (left, right) in enumerate(batches(sets, steps, np.random.default_rng(seed))):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = vectors(encoder, [*left, *right])
        loss = contrastive_loss(found, torch.arange(len(left)), TEMPERATURE)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        running = 0.95 * running + 0.05 * float(loss.detach()) if step else float(loss.detach())
        if step % 20 == 19:
            said(f"step {step + 1}/{steps} loss {running:.3f} cpu {time.process_time() - start:.0f} s")
    return compress(before, encoder.transformer.state_dict(), rank=RANK)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--without", nargs="*", default=[], choices=sorted(SETS), help="sets to leave out")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    data = (given.shared or datasets.shared_folder()) / "data"
    sets = {name: read(data) for name, (_, read) in SETS.items() if name not in given.without}
    for name, labelled in sets.items():
        print(f"{name}: {len(labelled)} texts, {len(Counter(label for _, label in labelled))} classes")
    delta = train(sets, steps=given.steps, seed=given.seed, said=lambda line: print(line, flush=True))
    save_file(delta, str(given.out), metadata={"sets": " ".join(sets), "base": "all-MiniLM-L6-v2"})
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
