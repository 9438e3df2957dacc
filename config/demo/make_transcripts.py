"""Compose the demo shop's conversations from material/: the same bytes every time.

python config/demo/make_transcripts.py            writes transcripts.jsonl and labels.jsonl
python config/demo/make_transcripts.py --check    exit code 1 when the written files are not up to date
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from chat import Chat, Shop
from wordings import Deck, Kind, load_kinds, load_lines

HERE = Path(__file__).parent
SEED = 20250901
FIRST_DAY = datetime(2025, 9, 1, tzinfo=UTC)
WEEKS = 8
A_WEEK = 150
NEW_SINCE = 7
_DAYS = (22, 19, 17, 17, 15, 6, 4)


def ranked(kinds: dict[str, Kind], shop: Shop, week: int) -> tuple[list[str], list[float]]:
    """The kinds asked for in this week with their weights."""
    names = [name for name in shop.facts["ranking"] if name in kinds]
    weights = [1 / (rank + 6) ** 0.75 for rank in range(1, len(names) + 1)]
    total = sum(weights)
    if week >= NEW_SINCE:
        arrivals: dict[str, float] = shop.facts["arrivals"]
        names += arrivals
        weights += [share * total / (1 - sum(arrivals.values())) for share in arrivals.values()]
    return names, weights


def starts(week: int, rng: Random) -> list[datetime]:
    """When the conversations of a week begin, in order: mostly on working days, between 8 and 20 o'clock."""
    days = rng.choices(range(7), weights=_DAYS, k=A_WEEK + rng.randrange(-10, 11))
    seconds = [rng.triangular(8 * 3600, 20 * 3600, 11 * 3600) for _ in days]
    monday = FIRST_DAY + timedelta(weeks=week - 1)
    return sorted(monday + timedelta(days=d, seconds=int(s)) for d, s in zip(days, seconds, strict=True))


def compose() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    shop = Shop(load_kinds(), load_lines("agents"), load_lines("small_talk"), load_lines("shop"), load_lines("foreign"))
    rng, deck = Random(SEED), Deck()
    transcripts: list[dict[str, object]] = []
    labels: list[dict[str, object]] = []
    for week in range(1, WEEKS + 1):
        names, weights = ranked(shop.kinds, shop, week)
        for start in starts(week, rng):
            chat = Chat(f"demo-{len(transcripts) + 1:04d}", shop, deck, rng, week, start)
            chat.play(*rng.choices(names, weights, k=2))
            transcripts.append(chat.transcript())
            labels += chat.labels
    return transcripts, labels


def jsonl(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check: bool = parser.parse_args(argv).check
    transcripts, labels = compose()
    stale = []
    for name, text in (("transcripts.jsonl", jsonl(transcripts)), ("labels.jsonl", jsonl(labels))):
        path = HERE / name
        if check and (not path.exists() or path.read_bytes() != text.encode()):
            stale.append(name)
        elif not check:
            path.write_bytes(text.encode())
    if stale:
        sys.stderr.write(f"not up to date: {', '.join(stale)}; run python config/demo/make_transcripts.py\n")
    sys.stdout.write(f"{len(transcripts)} conversations, {len(labels)} labels\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
