"""How well entities are found: `python bench/entities.py [--sets NAME ...] [--train N] [--rivals] [--shared DIR]`.

MultiDoGO airline and finance turns (CDLA-Permissive 1.0; the paper's train and test parts) and NLU++ banking (CC BY
4.0; folds 0 to 3 are asked, the others trained on), spans scored exactly. Beside the token head of `deskhand evaluate
entities`: a linear-chain CRF on the same letters with two words around (python-crfsuite, where it is installed; it is
no dependency) and, with `--rivals`, a token classifier that shares nothing: a copy of the encoder of its own, all of it
fine-tuned. Then the head's F1 under typos, capitals, without accents, with emoji. Prints Markdown rows.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import numpy as np

from retrieval.entities import Recogniser
from retrieval.token_features import Lexicon, words
from retrieval.token_head import chunks
from retrieval.types import Entity
from training.config import TrainingConfig
from training.entities import Annotated, Annotations, evaluate_entities, perturbed, train_entities
from training.entity_scores import EntityScores
from training.noise import PERTURBATIONS
from training.token_head import tags_of

NOISES = ("typos", "capitals", "no accents", "emoji")
EPOCHS, RATE, BATCH = 5, 1e-4, 16


def multidogo(data: Path, name: str) -> dict[str, list[Annotated]]:
    parts: dict[str, list[Annotated]] = {}
    for row in datasets.rows(data / f"multidogo/{name}_turns.jsonl.gz"):
        said, tags = row["text"].split(), row["slots"].split()
        if len(said) == len(tags):
            parts.setdefault(row["split"], []).append((row["text"], _runs(row["text"], said, tags)))
    return parts


def _runs(text: str, said: Sequence[str], tags: Sequence[str]) -> tuple[Entity, ...]:
    """Neighbours of one tag are one entity: the set marks words, not where one begins."""
    found: list[Entity] = []
    at, before = 0, "O"
    for word, tag in zip(said, tags, strict=True):
        start = text.index(word, at)
        at = start + len(word)
        if tag != "O":
            start = found.pop().start if tag == before else start
            found.append(Entity(tag, text[start:at], start, at))
        before = tag
    return tuple(found)


def nlupp(data: Path) -> dict[str, list[Annotated]]:
    parts: dict[str, list[Annotated]] = {"train": [], "test": []}
    for row in datasets.rows(data / "nlupp/banking.jsonl.gz"):
        entities = tuple(Entity(name, slot["text"], *slot["span"]) for name, slot in row["slots"].items())
        parts["test" if row["fold"] < 4 else "train"].append((row["text"], entities))
    return parts


SETS: dict[str, Callable[[Path], dict[str, list[Annotated]]]] = {
    "NLU++ banking": nlupp,
    "MultiDoGO airline": lambda data: multidogo(data, "airline"),
    "MultiDoGO finance": lambda data: multidogo(data, "finance"),
}


def by_crf(train: Sequence[Annotated], test: Sequence[Annotated], scratch: Path) -> EntityScores:
    import pycrfsuite

    labels = sorted({entity.name for _, entities in train for entity in entities})
    trainer = pycrfsuite.Trainer(verbose=False)
    for text, entities in train:
        if spans := words(text):
            tags = tags_of(spans, entities, [(name, None, None) for name in labels])
            trainer.append(_around(text), [str(tag) for tag in tags])
    trainer.set_params({"c1": 0.0, "c2": 0.1, "max_iterations": 100, "feature.possible_transitions": True})
    trainer.train(str(scratch / "crf"))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(scratch / "crf"))
    scores = EntityScores()
    for text, entities in test:
        tags = [int(tag) for tag in tagger.tag(_around(text))] if words(text) else []
        scores.add(entities, _entities(text, tags, labels))
    return scores


def _around(text: str) -> list[list[str]]:
    own = Lexicon().features(text, words(text), [(e.name, e.start, e.end) for e in Recogniser().find(text)])
    rows = []
    for at in range(len(own)):
        places = ((step, at + step) for step in (-2, -1, 0, 1, 2))
        rows.append([f"{step}:{f}" for step, i in places for f in (own[i] if 0 <= i < len(own) else ["edge"])])
    return rows


def by_own_encoder(train: Sequence[Annotated], test: Sequence[Annotated], seed: int) -> tuple[EntityScores, float]:
    """A token classifier on a copy of the encoder, all of it fine-tuned; its F1 and its milliseconds a message (torch,
    32 bits), which come on top of the pass for the intent."""
    import torch

    from training.encoder import SUPPORT, SentenceEncoder, seed_everything, warm_up_and_decay

    seed_everything(seed)
    torch.set_num_threads(1)
    encoder = SentenceEncoder.load(SUPPORT)
    labels = sorted({entity.name for _, entities in train for entity in entities})
    head = torch.nn.Linear(encoder.transformer.config.hidden_size, 2 * len(labels) + 1)
    parameters = [*encoder.transformer.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=RATE)
    steps = EPOCHS * -(-len(train) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_up_and_decay(steps, 0.1))
    rng = np.random.default_rng(seed)

    def scores_of(texts: Sequence[str]) -> tuple[Any, Any]:
        batch = encoder.tokenizer(
            texts, padding=True, truncation=True, max_length=64, return_tensors="pt", return_offsets_mapping=True
        )
        offsets = batch.pop("offset_mapping").numpy()
        return head(encoder.transformer(**batch).last_hidden_state.float()), offsets

    encoder.transformer.train()
    for _ in range(EPOCHS):
        order = rng.permutation(len(train))
        for start in range(0, len(order), BATCH):
            rows = [train[i] for i in order[start : start + BATCH]]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                scores, offsets = scores_of([text for text, _ in rows])
            gold = np.full(scores.shape[:2], -100)
            for row, (text, entities) in enumerate(rows):
                spans = words(text)
                tags = tags_of(spans, entities, [(name, None, None) for name in labels])
                for (begin, _), tag in zip(spans, tags, strict=True):
                    gold[row, (offsets[row, :, 0] == begin) & (offsets[row, :, 1] > begin)] = tag
            loss = torch.nn.functional.cross_entropy(scores.float().flatten(0, 1), torch.from_numpy(gold).flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    encoder.transformer.eval()
    found, took = EntityScores(), []
    with torch.inference_mode():
        for text, entities in test:
            start_at = time.perf_counter()
            scores, offsets = scores_of([text])
            best, tags = scores[0].argmax(1).numpy(), []
            for begin, _ in words(text):
                first = np.flatnonzero((offsets[0, :, 0] == begin) & (offsets[0, :, 1] > begin))
                tags.append(int(best[first[0]]) if len(first) else 0)
            took.append(1000 * (time.perf_counter() - start_at))
            found.add(entities, _entities(text, tags, labels))
    return found, float(np.median(took))


def _entities(text: str, tags: Sequence[int], labels: Sequence[str]) -> list[Entity]:
    """An inside tag that nothing began begins an entity, as the usual scorers have it."""
    legal, before = [], 0
    for tag in tags:
        begun = tag == 0 or tag % 2 == 1 or before in (tag, tag - 1)
        legal.append(tag if begun else tag - 1)
        before = legal[-1]
    spans = words(text)
    return [Entity(labels[i], "", spans[a][0], spans[b - 1][1]) for i, a, b in chunks(legal)]


def noisy(rows: Sequence[Annotated], name: str, seed: int) -> list[Annotated]:
    """Emoji go behind the whole message, the other noise into each piece."""
    rng = random.Random(seed)
    if name == "emoji":
        return [(PERTURBATIONS[name](text, rng), entities) for text, entities in rows]
    return [perturbed(row, PERTURBATIONS[name], rng) for row in rows]


def _row(*cells: Any) -> None:
    shown = (f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in cells)
    print(f"| {' | '.join(shown)} |", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--train", type=int, default=None, help="learn from at most so many turns")
    parser.add_argument("--test", type=int, default=None, help="ask at most so many turns")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--rivals", action="store_true", help="fine-tune a token classifier of its own, too: slow")
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    data = (given.shared or datasets.shared_folder()) / "data"
    print("| set | what | F1 | precision | recall | CPU s to train | p50 ms |")
    print(f"| --- | --- {'| ---: ' * 5}|")
    for name in given.sets:
        parts = SETS[name](data)
        rng = random.Random(given.seed)
        train, test = (
            rng.sample(rows, min(most or len(rows), len(rows)))
            for rows, most in ((parts["train"], given.train), (parts["test"], given.test))
        )
        with TemporaryDirectory(prefix="entities-") as scratch:
            _measure(name, train, test, Path(scratch), given)
    return 0


def _measure(
    name: str, train: list[Annotated], test: list[Annotated], scratch: Path, given: argparse.Namespace
) -> None:
    recogniser = Recogniser()
    began = _cpu()
    config = TrainingConfig(seed=given.seed)
    head, encoder = train_entities(Annotations(train), config, scratch)
    took = _cpu() - began
    found = evaluate_entities(head, encoder, recogniser, test)
    _row(name, f"token head, {len(train)} turns", *_shares(found), took, found["p50_ms"])
    for noise in NOISES:
        hit = evaluate_entities(head, encoder, recogniser, noisy(test, noise, given.seed))
        _row(name, f"token head, {noise}", *_shares(hit), "", hit["p50_ms"])
    try:
        began = _cpu()
        scores = by_crf(train, test, scratch)
        _row(name, "CRF", *_shares(scores.summary()), _cpu() - began, "")
    except ImportError:
        print("no python-crfsuite: the CRF is left out", file=sys.stderr)
    if given.rivals:
        began = _cpu()
        scores, ms = by_own_encoder(train, test, given.seed)
        _row(name, "token classifier of its own", *_shares(scores.summary()), _cpu() - began, ms)


def _shares(found: dict[str, Any]) -> list[float]:
    return [100 * (found[key] or 0.0) for key in ("f1", "precision", "recall")]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
