"""Intents, side by side: `python bench/understanding.py [SET ...] [--shots 5 10 0] [--seeds N] [--systems NAME ...]`.

Deskhand (frozen, and with the default recipe) beside tf-idf and a frozen MiniLM with logistic regression, SetFit
(`--setfit PYTHON`) and Rasa's DIET (`--rasa PYTHON`, each the Python of its own environment). Same draws, same seeds,
one process a run. Prints a Markdown table: in-scope accuracy (mean, and the spread over seeds), wall time and peak
memory; `--plots DIR` also draws accuracy against labels a class, risk against coverage, and a reliability diagram.
`--encoder SET=FILE` names the delta that never saw a set (docs/general-encoder.md); without it a set that the general
encoder was trained on is refused. Many draws of few labels are quicker in `bench/few_shots.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, pstdev
from tempfile import TemporaryDirectory
from typing import Any

import datasets

SETS = ("banking77", "clinc150", "hint3-curekart")
TRAINED_ON = ("banking77", "clinc150")
SYSTEMS = {
    "tfidf": "tf-idf + LR",
    "minilm": "frozen MiniLM + LR",
    "setfit": "SetFit",
    "diet": "Rasa DIET",
    "fast": "Deskhand, frozen",
    "deskhand": "Deskhand",
}


@dataclass(frozen=True)
class Run:
    set: str
    shots: int
    system: str
    seed: int
    accuracy: float
    seconds: float
    megabytes: float
    sure: list[float] = field(repr=False)
    right: list[bool] = field(repr=False)


def run(name: str, shots: int, system: str, seed: int, home: Path, settings: argparse.Namespace) -> Run:
    train, test = (_rows(home / name / f"{part}.jsonl") for part in ("train", "test"))
    train = drawn(train, shots, seed)
    test = [row for row in test if row["intent"] is not None]
    files = []
    for part, rows in (("few", train), ("asked", test)):
        files.append(home / f"{part}.jsonl")
        files[-1].write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    python = {"setfit": settings.setfit, "diet": settings.rasa}.get(system) or sys.executable
    environment = {**os.environ, "MINILM": str(home / "minilm"), "ENCODER": settings.encoders.get(name, "support")}
    start = time.perf_counter()
    process = subprocess.Popen(
        [python, str(Path(__file__).with_name("rivals.py")), system, *map(str, files), str(seed)],
        stdout=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as output:
        printed = output.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"{system} on {name}: ended with {process.returncode}")
    found = json.loads(printed.strip().splitlines()[-1])
    right = [a == row["intent"] for a, row in zip(found["predicted"], test, strict=True)]
    seconds = time.perf_counter() - start
    return Run(name, shots, system, seed, mean(right), seconds, usage.ru_maxrss / 1024, found["sure"], right)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def drawn(rows: list[dict[str, Any]], shots: int, seed: int) -> list[dict[str, Any]]:
    """`shots` rows of every intent; all for 0."""
    by_intent = defaultdict(list)
    for row in rows:
        if row["intent"] is not None:
            by_intent[row["intent"]].append(row)
    rng = random.Random(seed)
    return [row for own in by_intent.values() for row in (rng.sample(own, min(shots, len(own))) if shots else own)]


def table(runs: Sequence[Run]) -> str:
    lines = [
        "| set | labels a class | system | accuracy | spread | wall s | peak MB |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for key, own in _grouped(runs).items():
        accuracies = [100 * run.accuracy for run in own]
        name, shots, system = key
        spread = f"{pstdev(accuracies):.1f}" if len(own) > 1 else "-"
        cells = [name, str(shots or "all"), SYSTEMS[system], f"{mean(accuracies):.1f}", spread]
        cells += [f"{mean(run.seconds for run in own):.0f}", f"{max(run.megabytes for run in own):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _grouped(runs: Sequence[Run]) -> dict[tuple[str, int, str], list[Run]]:
    found = defaultdict(list)
    for one in runs:
        found[(one.set, one.shots, one.system)].append(one)
    return dict(found)


def plots(runs: Sequence[Run], directory: Path, titles: Mapping[str, str] = SYSTEMS) -> None:
    """`understanding.svg` in `directory`: a column a set. Risk and reliability are of the fewest labels."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "understanding"  # the same runs draw the same file
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(one.set for one in runs))
    figure, axes = plt.subplots(3, len(names), figsize=(6 * len(names), 12), squeeze=False)
    for column, name in enumerate(names):
        few = min((one.shots for one in runs if one.set == name and one.shots), default=0)
        for system, title in titles.items():
            own = [one for one in runs if (one.set, one.system) == (name, system)]
            _learning_curve(axes[0][column], title, own)
            _risk(axes[1][column], title, [one for one in own if one.shots == few])
            _reliability(axes[2][column], title, [one for one in own if one.shots == few])
        labels = f"{few} labels a class" if few else "all labels"
        axes[0][column].set(title=name, xlabel="labels a class", ylabel="accuracy")
        axes[1][column].set(title=labels, xlabel="answered, surest first", ylabel="of these wrong")
        axes[2][column].set(title=labels, xlabel="said to be right", ylabel="right")
        axes[2][column].plot([0, 1], [0, 1], color="grey", linewidth=0.8)
        axes[0][column].legend(fontsize=8)
    figure.tight_layout()
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(directory / "understanding.svg", metadata={"Date": None})


def _risk(axis: Any, title: str, runs: Sequence[Run]) -> None:
    """At fifty shares of the messages, the surest first."""
    pairs = sorted(
        ((said, right) for one in runs for said, right in zip(one.sure, one.right, strict=True)), reverse=True
    )
    if pairs:
        cuts = [max(1, round(len(pairs) * part / 50)) for part in range(1, 51)]
        wrong = [1 - mean(right for _, right in pairs[:cut]) for cut in cuts]
        axis.plot([cut / len(pairs) for cut in cuts], wrong, label=title)


def _learning_curve(axis: Any, title: str, runs: Sequence[Run]) -> None:
    points = defaultdict(list)
    for one in runs:
        points[one.shots or 1000].append(one.accuracy)
    if points:
        axis.plot(
            [str(s) if s < 1000 else "all" for s in sorted(points)],
            [mean(points[s]) for s in sorted(points)],
            marker="o",
            label=title,
        )


def _reliability(axis: Any, title: str, runs: Sequence[Run]) -> None:
    """Ten equal groups of messages by what the system said of its certainty."""
    pairs = sorted((said, right) for one in runs for said, right in zip(one.sure, one.right, strict=True))
    size = max(1, len(pairs) // 10)
    groups = [pairs[i : i + size] for i in range(0, len(pairs) - size + 1, size)]
    if groups:
        axis.plot(
            [mean(s for s, _ in g) for g in groups], [mean(r for _, r in g) for g in groups], marker=".", label=title
        )


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS), choices=[*SETS, []], metavar="SET", help=", ".join(SETS))
    parser.add_argument("--shots", type=int, nargs="+", default=[5, 10, 0], help="labels a class; 0: all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=["tfidf", "minilm", "fast", "deskhand"])
    parser.add_argument("--setfit", default=None, help="Python of an environment with setfit")
    parser.add_argument("--rasa", default=None, help="Python of an environment with rasa 3.6")
    parser.add_argument("--encoder", action="append", default=[], metavar="SET=FILE", help="a delta that never saw SET")
    parser.add_argument("--plots", type=Path, default=None)
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    given.encoders = dict(item.split("=", 1) for item in given.encoder)
    ours = {"fast", "deskhand"} & set(given.systems)
    if seen := [name for name in given.sets if ours and name in TRAINED_ON and name not in given.encoders]:
        parser.error(f"the general encoder was trained on {seen[0]}; give --encoder {seen[0]}=FILE made without it")
    return given


def main(argv: Sequence[str] | None = None) -> int:
    from training.encoder import BUNDLED, SentenceEncoder
    from training.export import export

    given = arguments(argv)
    runs = []
    with TemporaryDirectory(prefix="understanding-") as scratch:
        home = Path(scratch)
        if "minilm" in given.systems:
            export(SentenceEncoder.load(BUNDLED), home / "minilm", weights=False)
        for name in given.sets:
            datasets.convert(name, home / name, shared=given.shared or datasets.shared_folder())
            for shots in given.shots:
                for system in given.systems:
                    for seed in range(given.seeds if shots else 1):
                        runs.append(run(name, shots, system, seed, home, given))
                        print(table(runs[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(runs))
    if given.plots:
        plots(runs, given.plots)
    return 0


if __name__ == "__main__":
    sys.exit(main())
