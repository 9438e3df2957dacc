"""Quality on public sets: `python bench/quality.py [NAME ...] [--work DIR] [--shared DIR] [--config DIR]`.

Converts each set (bench/datasets.py), runs `deskhand evaluate` on it in a process of its own, and prints a Markdown
table of its figures with wall time and peak memory of that process. Without names: all but the two large ones.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets

KIND = {
    **dict.fromkeys(("banking77", "banking77-few5", "banking77-few10", "clinc150"), "intents"),
    **dict.fromkeys(("hint3-curekart", "hint3-curekart-v2"), "intents"),
    "dstc11-banking": "induction",
    **dict.fromkeys(("stackfaq", "doc2dial", "dstc10-faq"), "knowledge"),
    **dict.fromkeys(("star", "twacs"), "replay"),
}
LARGE = ("star", "twacs")
FILES = {
    "intents": {"--train": "train", "--test": "test"},
    "induction": {"--turns": "turns", "--test": "test"},
    "knowledge": {"--documents": "documents", "--questions": "questions"},
    "replay": {"--train": "train", "--test": "test"},
}
SHOWN = {
    "intents": (
        "in_scope_accuracy", "accuracy", "best_accuracy", "oos_auroc", "oos_recall_at_95_in_scope",
        "coverage_at_2pct_error", "coverage_at_5pct_error", "train_seconds", "encode_p50_ms",
    ),
    "induction": ("acc", "nmi", "ari", "precision", "recall", "f1", "k", "test_acc", "seconds"),
    "knowledge": ("recall_at_1", "recall_at_5", "mrr_at_10", "p50_ms"),
    "replay": (
        "answer_recall_at_1", "answer_recall_at_5", "mrr", "coverage", "wrong_answer_rate", "handoff_rate",
        "coverage_at_5pct_error", "n",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    name: str
    found: dict[str, Any]
    seconds: float
    megabytes: float


def measure(name: str, home: Path, *, shared: Path, config: Path | None) -> Measured:
    """Peak memory is the largest resident set of the process, in MB."""
    datasets.convert(name, home, shared=shared)
    kind = KIND[name]
    files = [part for option, stem in FILES[kind].items() for part in (option, str(home / f"{stem}.jsonl"))]
    more = ["--config", str(config)] if config else []
    more += ["--out", str(home / "induced.jsonl")] if kind == "induction" else []
    more += ["--report", str(home / "report.md")] if kind == "replay" else []
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "evaluate", kind, *files, "--json", *more], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{name}: evaluate ended with {os.waitstatus_to_exitcode(status)}")
    return Measured(name, json.loads(printed), time.perf_counter() - start, usage.ru_maxrss / 1024)


def tables(results: Sequence[Measured]) -> str:
    parts = []
    for kind, keys in SHOWN.items():
        own = [result for result in results if KIND[result.name] == kind]
        if own:
            head = ["set", *keys, "wall s", "peak MB"]
            lines = [f"| {' | '.join(head)} |", "| --- " + "| ---: " * (len(head) - 1) + "|"]
            for result in own:
                values = [_cell(result.found.get(key)) for key in keys]
                cells = [result.name, *values, f"{result.seconds:.0f}", f"{result.megabytes:.0f}"]
                lines.append(f"| {' | '.join(cells)} |")
            parts.append("\n".join([f"`deskhand evaluate {kind}`", "", *lines]))
    return "\n\n".join(parts)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) and value <= 1 else f"{value:.0f}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(KIND))
    parser.add_argument("--work", type=Path, default=None, help="keep the files here")
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    parser.add_argument("--config", type=Path, default=None, help="configuration directory")
    given = parser.parse_args(argv)
    unknown = [name for name in given.names if name not in KIND]
    if unknown:
        parser.error(f"unknown set {unknown[0]!r}; known: {', '.join(KIND)}")
    names = given.names or [name for name in KIND if name not in LARGE]
    with TemporaryDirectory(prefix="quality-") as scratch:
        results = []
        for name in names:
            home = (given.work or Path(scratch)) / name
            results.append(measure(name, home, shared=given.shared or datasets.shared_folder(), config=given.config))
            print(f"{name}: {results[-1].seconds:.0f} s", file=sys.stderr)
    print(tables(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
