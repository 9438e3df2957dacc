"""The conversations that the browser tests' bot learns from, composed from `shop/conversations.yml`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from bot.transcript_schema import Transcript, Turn, iso

SHOP = Path(__file__).with_name("shop")
FIRST = datetime(2025, 9, 1, 9, tzinfo=UTC)
HELLO = (("customer", "hello there"), ("agent", "Hello! How can I help?"))


def conversations() -> Iterator[Transcript]:
    """One for each request, the kinds in turn. Every third begins with a greeting, and in every other one the
    customer asks something else afterwards, because what was said before counts when an answer is looked for."""
    kinds = yaml.safe_load((SHOP / "conversations.yml").read_text("utf-8"))
    for number in range(len(kinds) * len(kinds[0]["requests"])):
        said = list(HELLO) if number % 3 == 0 else []
        said += _asked(kinds, number)
        said += _asked(kinds, number + 53) if number % 2 else []
        yield _transcript(number, said)


def _asked(kinds: list[dict[str, list[str]]], number: int) -> list[tuple[str, str]]:
    row, kind = divmod(number, len(kinds))
    requests, answer = kinds[kind]["requests"], kinds[kind]["answer"]
    return [("customer", requests[row % len(requests)]), ("agent", str(answer))]


def _transcript(number: int, said: list[tuple[str, str]]) -> Transcript:
    start = FIRST + timedelta(hours=7 * number)
    turns = tuple(
        Turn(by, text, at=(start + timedelta(minutes=minute)).timestamp())  # type: ignore[arg-type]
        for minute, (by, text) in enumerate(said)
    )
    return Transcript(f"shop-{number:03}", source="shop", language="en", started_at=iso(start.timestamp()), turns=turns)
