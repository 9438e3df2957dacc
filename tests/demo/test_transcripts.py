from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

Row = dict[str, Any]
NEW = {"courier_strike", "stove_recall", "tent_hire"}
# The ranges that Ofcom sets aside for drama.
RESERVED = re.compile(r"(\+44 7700 900|07700 900|0113 496 0|020 7946 0)\d{3}")


def texts(transcripts: list[Row]) -> list[str]:
    return [turn["text"] for t in transcripts for turn in t["turns"]]


def test_there_are_more_than_900_conversations_in_each_of_8_weeks_some(
    transcripts: list[Row], weeks: dict[str, int]
) -> None:
    per_week = Counter(weeks.values())

    assert len(transcripts) >= 900
    assert sorted(per_week) == list(range(1, 9))
    assert min(per_week.values()) >= 90
    assert len({t["id"] for t in transcripts}) == len(transcripts)


def test_conversations_are_in_order_of_time_and_so_are_their_turns(transcripts: list[Row]) -> None:
    starts = [t["started_at"] for t in transcripts]

    assert starts == sorted(starts)
    for t in transcripts:
        at = [t["started_at"], *(turn["at"] for turn in t["turns"])]
        assert at == sorted(at), t["id"]


def test_more_than_36_kinds_are_asked_for_with_a_long_tail(requests: list[Row]) -> None:
    counts = Counter(row["intent"] for row in requests if row["intent"])

    assert len(counts) >= 36
    assert min(counts.values()) >= 5
    assert max(counts.values()) >= 8 * min(counts.values())


def test_three_kinds_come_up_only_in_the_last_two_weeks(requests: list[Row]) -> None:
    seen = {kind: min(r["week"] for r in requests if r["intent"] == kind) for kind in {r["intent"] for r in requests}}

    assert {kind for kind, week in seen.items() if week >= 7} == NEW


def test_one_right_answer_changes_in_week_5(requests: list[Row]) -> None:
    answers = {
        (r["week"] >= 5, r["answer"]) for r in requests if r["intent"] == "return_window" and "after" not in r["answer"]
    }

    assert answers == {(False, "return_window.30_days"), (True, "return_window.60_days")}


def test_about_4_percent_of_the_answers_are_wrong(transcripts: list[Row], labels: list[Row]) -> None:
    turns = {t["id"]: t["turns"] for t in transcripts}
    answers = [r for r in labels if turns[r["id"]][r["turn"]]["by"] == "agent" and r["answer"] != "ask_order_number"]

    assert 0.025 < sum(r["wrong"] for r in answers) / len(answers) < 0.06


def test_nothing_in_a_transcript_gives_a_label_away(transcripts: list[Row], labels: list[Row]) -> None:
    kinds = {r["intent"] for r in labels if r["intent"] and "_" in r["intent"]}
    outer = {"schema", "id", "source", "channel", "language", "started_at", "customer", "outcome", "turns"}

    assert {key for t in transcripts for key in t} == outer
    assert {key for t in transcripts for turn in t["turns"] for key in turn} == {"by", "text", "at"}
    assert {t["outcome"]["reason"] for t in transcripts} <= {None, "asked", "abandoned"}
    assert not [text for text in texts(transcripts) if any(kind in text for kind in kinds)]


def test_no_slot_or_choice_of_the_material_is_left_unfilled(transcripts: list[Row]) -> None:
    assert not [text for text in texts(transcripts) if re.search(r"\{\w+\}|\[[^\]]*\|", text)]


def test_every_label_points_to_a_turn_of_the_customer_or_the_agent(transcripts: list[Row], labels: list[Row]) -> None:
    turns = {t["id"]: t["turns"] for t in transcripts}
    asked: set[tuple[str, str]] = set()

    for row in labels:
        by = turns[row["id"]][row["turn"]]["by"]
        assert by in ("customer", "agent"), row
        if by == "customer":
            assert row["wrong"] is False
            asked |= {(row["id"], row["intent"]), (row["id"], row.get("also", row["intent"]))}
        else:
            assert (row["id"], row["intent"]) in asked, row
            assert row["answer"]
    assert len({(r["id"], r["turn"]) for r in labels}) == len(labels)


def test_addresses_and_phone_numbers_belong_to_nobody(transcripts: list[Row]) -> None:
    everything = "\n".join(texts(transcripts))
    domains = set(re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", everything))
    phones = re.findall(r"\+?\d(?:[ -]?\d){8,}", everything)

    assert domains == {"example.com", "example.org", "fernwood.example.com"}
    assert len(phones) > 50
    assert not [phone for phone in phones if not RESERVED.fullmatch(phone)]


def test_no_request_is_repeated_in_more_than_a_few_conversations(requests: list[Row]) -> None:
    often = Counter(r["text"].lower().rstrip(".?! ") for r in requests).most_common(1)

    assert often[0][1] <= 8, often


def test_there_are_questions_in_german_and_spanish_and_many_desks_hands(transcripts: list[Row]) -> None:
    assert {t["language"] for t in transcripts} == {"en", "de", "es"}
    assert {t["channel"] for t in transcripts} == {"chat", "email", "whatsapp"}
    assert {turn["by"] for t in transcripts for turn in t["turns"]} == {"customer", "agent", "bot", "system"}


def test_the_generator_makes_the_committed_files_byte_for_byte(demo: Path) -> None:
    run = subprocess.run(
        [sys.executable, demo / "make_transcripts.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0, run.stderr
