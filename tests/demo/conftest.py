"""The demo shop's files, read once."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).parents[2] / "config" / "demo"
FIRST_DAY = date(2025, 9, 1)

Row = dict[str, Any]


def read_rows(name: str) -> list[Row]:
    return [json.loads(line) for line in (DEMO / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="session")
def demo() -> Path:
    return DEMO


@pytest.fixture(scope="session")
def transcripts() -> list[Row]:
    return read_rows("transcripts.jsonl")


@pytest.fixture(scope="session")
def labels() -> list[Row]:
    return read_rows("labels.jsonl")


@pytest.fixture(scope="session")
def weeks(transcripts: list[Row]) -> dict[str, int]:
    """Conversation id -> 1-based week."""
    days = {t["id"]: datetime.fromisoformat(t["started_at"]).date() - FIRST_DAY for t in transcripts}
    return {id: since.days // 7 + 1 for id, since in days.items()}


@pytest.fixture(scope="session")
def requests(transcripts: list[Row], labels: list[Row], weeks: dict[str, int]) -> list[Row]:
    """Every labelled customer turn with its `text` and `week`."""
    turns = {t["id"]: t["turns"] for t in transcripts}
    said = [(label, turns[label["id"]][label["turn"]]) for label in labels]
    return [{**label, "text": t["text"], "week": weeks[label["id"]]} for label, t in said if t["by"] == "customer"]
