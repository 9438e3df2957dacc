"""What redaction finds, what it takes for nothing, and how fast it is: `python bench/redaction.py [SHARED_DATA]`.

Recall: the share of marked values that are masked, and masked as the right kind. Precision: the share of masks that
lie on marked personal data of any kind. Names are claimed only where people introduce or greet each other, addresses
only in English street form, so their recall on free text is low by design.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.redaction import Redactor, redact
from bot.redaction_patterns import PLACEHOLDER, Span
from bot.transcript import Transcript, Turn

KINDS = {
    "EMAIL_ADDRESS": "EMAIL",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "US_SSN": "SSN",
    "IP_ADDRESS": "IP",
    "PHONE_NUMBER": "PHONE",
    "STREET_ADDRESS": "ADDRESS",
    "PERSON": "NAME",
}


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def masks(text: str, redacted: str) -> list[Span]:
    """Where in the text each placeholder stands: what lies between the pieces that stayed."""
    kept = re.split(PLACEHOLDER.pattern.replace("(", "(?:").replace("(?:?:", "(?:"), redacted)
    match = re.fullmatch("(.+?)".join(map(re.escape, kept)), text, re.DOTALL)
    assert match, f"{redacted!r} is not a masked {text!r}"
    kinds = [found[1] for found in PLACEHOLDER.finditer(redacted)]
    return [Span(*match.span(n), kind) for n, kind in enumerate(kinds, 1)]


def quality(path: Path) -> None:
    marked, found, typed, made, right = Counter[str](), Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    redactor = Redactor()
    for row in rows(path):
        spans = masks(row["text"], redactor.start().text(row["text"]))
        for gold in row["spans"]:
            kind = KINDS.get(gold["type"], "")
            covering = [s for s in spans if s.start <= gold["start"] and gold["end"] <= s.end + 1]
            marked[kind] += 1
            found[kind] += bool(covering)
            typed[kind] += any(s.kind == kind for s in covering)
        for span in spans:
            made[span.kind] += 1
            right[span.kind] += any(g["start"] < span.end and span.start < g["end"] for g in row["spans"])
    print(f"{'kind':8} {'marked':>7} {'masked':>7} {'as kind':>8} {'masks':>6} {'precision':>10}")
    for kind in [*KINDS.values(), *sorted(made.keys() - set(KINDS.values()))]:
        n, m = marked[kind], made[kind]
        recall = f"{found[kind] / n:7.3f} {typed[kind] / n:8.3f}" if n else f"{'-':>7} {'-':>8}"
        print(f"{kind:8} {n:7} {recall} {m:6} {right[kind] / m if m else float('nan'):10.3f}")


def speed(path: Path, limit: int = 8000) -> None:
    transcripts = [
        Transcript(row["id"], turns=tuple(Turn(turn["speaker"], turn["text"]) for turn in row["turns"]))
        for _, row in zip(range(limit), rows(path), strict=False)
    ]
    messages = sum(len(t.turns) for t in transcripts)
    redactor = Redactor()
    redact(transcripts[0], redactor)
    start = time.process_time()
    masked = [redact(t, redactor) for t in transcripts]
    took = time.process_time() - start
    kinds = Counter(m[1] for t in masked for turn in t.turns for m in PLACEHOLDER.finditer(turn.text))
    print(f"\n{messages} chat messages in {took:.1f} cpu-s: {messages / took:.0f} messages/s; masks {dict(kinds)}")


def main() -> None:
    shared = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    quality(shared / "presidio_pii" / "synth_v2.jsonl.gz")
    speed(shared / "twacs" / "conversations.jsonl.gz")


if __name__ == "__main__":
    main()
