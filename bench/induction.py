"""Kinds of request without labels, and how steady they are: `python bench/induction.py [SET ...] [--shared DIR]`.

For each set: how many groups were found, agreement with the gold intents with that number and with the true one, how
much of the rare intents (5 to 20 rows) has a group of its own, how much is called noise. Then the grouping of the first
nine tenths, and of all of it under the ids of that one: the share of groups that keep their id and name, and of rows
that keep their group. BANKING77 and CLINC150 need an encoder that never saw them: `--base FILE`
(bench/general_encoder.py). `demo` is the demo shop through mining, with both sides of its conversations.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
import numpy as np
from sklearn.cluster import KMeans

from bot.transcript import read
from retrieval.types import Matrix
from training.base import base_encoder
from training.cluster import Labels, unit
from training.config import EncoderConfig, TrainingConfig
from training.consensus import neighbour_graph, spectrum
from training.delex import delexicalise
from training.groups import settle
from training.intents import NOISE, grouped, name_groups
from training.kinds import settled
from training.metrics import clustering
from training.mine import mine
from training.pairs import Pair, pairs

Row = tuple[str, str]
LARGEST = 4000


def dstc11(data: Path) -> list[Row]:
    return [(row["text"], row["intent"]) for row in datasets.rows(data / "dstc11_natcs/banking_intent_turns.jsonl.gz")]


def banking77(data: Path) -> list[Row]:
    return [(row["text"], row["intent"]) for row in datasets.rows(data / "banking77/train.jsonl.gz")]


def clinc150(data: Path) -> list[Row]:
    found = datasets.rows(data / "clinc150_oos/data_full_train_val.jsonl.gz")
    return [(row["text"], row["intent"]) for row in found if row["intent"] != "oos"]


def curekart(data: Path) -> list[Row]:
    found = datasets.rows(data / "hint3/v1_curekart_train.jsonl.gz")
    return [(row["text"], row["intent"]) for row in found if row["intent"] != "NO_NODES_DETECTED"]


def star(data: Path) -> list[Row]:
    """The first request of every dialogue of one task; the task is its intent."""
    found = (row for row in datasets.rows(data / "star/dialogues.jsonl.gz") if len(row["tasks"]) == 1)
    asked = ((_first(row["turns"]), row["tasks"][0]) for row in found)
    return [(text, task) for text, task in asked if text]


def _first(turns: Sequence[dict[str, str]]) -> str:
    said = (turn["text"] for turn in turns if turn["speaker"] == "customer" and "text" in turn)
    return next((text for text in said if len(text.split()) > 4), "")


SETS: dict[str, Callable[[Path], list[Row]]] = {
    "dstc11-banking": dstc11, "banking77": banking77, "clinc150": clinc150, "hint3-curekart": curekart, "star": star
}  # fmt: skip


def rare_recall(gold: Sequence[str], labels: Labels) -> float:
    """Mean over intents of 5 to 20 rows: the share of their rows in groups in which they are the commonest intent."""
    names, numbers, counts = np.unique(gold, return_inverse=True, return_counts=True)
    table = np.zeros((len(names), int(labels.max()) + 1))
    inside = labels != NOISE
    np.add.at(table, (numbers[inside], labels[inside]), 1)
    own = np.where(table.argmax(0) == np.arange(len(names))[:, None], table, 0).sum(1)
    rare = (counts >= 5) & (counts <= 20)
    return float((own[rare] / counts[rare]).mean()) if rare.any() else float("nan")


def with_true_number(vectors: Matrix, kinds: int, *, seed: int) -> Labels:
    """One cut of one graph into as many groups as there are intents."""
    similar = unit(vectors) @ unit(vectors).T
    np.fill_diagonal(similar, -1)
    axes = unit(spectrum(neighbour_graph(similar, 15), kinds))
    return np.asarray(KMeans(kinds, n_init=4, random_state=seed).fit_predict(axes), np.int64)


def steady(
    texts: Sequence[str], vectors: Matrix, labels: Labels, group: Callable[[Matrix], Labels]
) -> tuple[float, float]:
    """The shares of groups that keep id and name, and of rows that keep their group, when the last tenth comes in."""
    rows = [Pair(str(row), 0, text, "", "", (), (), (), 0.0, False) for row, text in enumerate(texts)]
    cut = round(0.9 * len(texts))
    early = group(vectors[:cut])
    before = settle(early, name_groups(texts[:cut], early), rows[:cut], vectors[:cut], ())
    after = settle(labels, name_groups(texts, labels), rows, vectors, before.groups)
    known = {(g.id, g.name) for g in after.groups}
    names = np.mean([(g.id, g.name) in known for g in before.groups])
    ids = np.array([*(g.id for g in after.groups), ""])
    old = np.array([*(g.id for g in before.groups), ""])
    was, now = old[before.group_of], ids[after.group_of[:cut]]
    return float(names), float((was == now)[was != ""].mean())


def demo(encode: Callable[[Sequence[str]], Matrix], config: TrainingConfig) -> list[str]:
    """The columns of `measured` for the demo shop, where a true number of groups is not asked for."""
    shop = Path(__file__).parents[1] / "config/demo"
    told = {(row["id"], row["turn"]): row["intent"] for row in map(json.loads, (shop / "labels.jsonl").open())}
    talks = sorted(read(shop / "transcripts.jsonl"), key=lambda talk: (talk.started_at or "", talk.id))
    runs, before, took = [], [], 0.0
    for part in (talks[: round(0.9 * len(talks))], talks):
        found = [pair for talk in part for pair in pairs(talk)]
        encode(
            [text for pair in found for text in (pair.text, pair.desk, pair.customer, *pair.replies)]
        )  # into its cache
        start = time.process_time()
        mined, groups = settled(mine(found, encode, config), found, encode, before, domain=())
        took, before = time.process_time() - start, list(groups)
        runs.append({key: group for group in groups for key in group.requests})
    early, late = runs
    gold = [told.get((pair.conversation, pair.turn)) for pair in found]
    rows = [row for row in range(len(found)) if gold[row] and mined.intent_of[row] != NOISE]
    agreed = clustering([str(gold[row]) for row in rows], [str(mined.intent_of[row]) for row in rows])
    then, now = ({(g.id, g.name) for g in run.values()} for run in runs)
    stay = np.mean([key in late and late[key].id == group.id for key, group in early.items()])
    shares = (agreed.acc, agreed.nmi, len(then & now) / len(then), stay)
    acc, nmi, names, rest = (f"{100 * share:.1f}" for share in shares)
    kinds = len({gold[row] for row in rows})
    return [
        str(len(rows)),
        str(kinds),
        str(len(mined.intents)),
        acc,
        nmi,
        "-",
        "-",
        "-",
        "-",
        names,
        rest,
        f"{took:.0f}",
    ]


def measured(rows: Sequence[Row], encode: Callable[[Sequence[str]], Matrix], *, seed: int) -> list[str]:
    order = np.random.default_rng(seed).permutation(len(rows))[:LARGEST]  # a log in no order of its intents
    texts, gold = zip(*(rows[i] for i in order), strict=True)
    vectors = encode([delexicalise(text) for text in texts])
    intents = TrainingConfig().intents

    def group(own: Matrix) -> Labels:
        return grouped(own, least=intents.least, most=intents.most, seed=seed)

    start = time.process_time()
    labels = group(vectors)
    took = time.process_time() - start
    true = with_true_number(vectors, len(set(gold)), seed=seed)
    found, told = (clustering(gold, [str(x) for x in own]) for own in (labels, true))
    names, stay = steady(texts, vectors, labels, group)
    shares = (
        found.acc,
        found.nmi,
        told.acc,
        told.nmi,
        rare_recall(gold, labels),
        (labels == NOISE).mean(),
        names,
        stay,
    )
    return [
        str(len(texts)),
        str(len(set(gold))),
        str(labels.max() + 1),
        *(f"{100 * x:.1f}" for x in shares),
        f"{took:.0f}",
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="SET", nargs="*", default=["dstc11-banking", "hint3-curekart", "star"])
    parser.add_argument("--base", default="support", help="encoder.base")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    config = TrainingConfig(encoder=EncoderConfig(base=given.base))
    head = "set, rows, intents, found, ACC, NMI, true number: ACC, NMI, rare, noise, keep id and name, rows stay, CPU s"
    print(f"| {head.replace(', ', ' | ')} |")
    print("|---|" + "---:|" * 12)
    with TemporaryDirectory() as work:
        encoder = base_encoder(config, Path(work))
        for name in given.names:
            if name == "demo":
                print(f"| demo | {' | '.join(demo(encoder.encode, config))} |", flush=True)
                continue
            rows = SETS[name]((given.shared or datasets.shared_folder()) / "data")
            print(f"| {name} | {' | '.join(measured(rows, encoder.encode, seed=given.seed))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
