from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # where its scripts find each other

from bench import few_shots

ROWS = [{"text": f"{n} {thing}", "intent": thing} for thing in ("card", "loan") for n in range(6)]


def test_what_is_unlabelled_is_neither_drawn_nor_tested(tmp_path) -> None:
    test = [{"text": f"test {thing}", "intent": thing} for thing in ("card", "loan")]
    for part, rows in (("train", ROWS), ("test", test)):
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = list(few_shots.draws(tmp_path, 2, 3))
    assert [len(draw.train) for draw in found] == [4, 4, 4]
    for draw in found:
        drawn, loose, asked = ({row["text"] for row in part} for part in (draw.train, draw.loose, draw.test))
        assert len(loose) == len(ROWS) - 4
        assert not drawn & loose
        assert not asked & (drawn | loose)
        assert draw.texts[-2:] == ["card", "loan"]
        assert draw.intent_of.tolist() == [0, 0, 1, 1, 0, 1]


def test_a_set_that_the_general_encoder_was_trained_on_needs_another_encoder(capsys) -> None:
    with pytest.raises(SystemExit):
        few_shots.main(["banking77", "support"])
    assert "give a delta that was made without it" in capsys.readouterr().err


def test_the_table_has_means_and_spreads() -> None:
    runs = [few_shots.Run("x", 5, "fast", seed, value, 0, 0, [], []) for seed, value in enumerate((0.5, 0.7))]
    assert "| ours | 60.0 (10.0) |" in few_shots.table(runs, {"fast": "ours"})
