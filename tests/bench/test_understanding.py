from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # where its scripts find each other

from bench import understanding

VERBS = ("my", "new", "lost", "order a")
ROWS = [{"text": f"{verb} {thing}", "intent": thing} for thing in ("card", "loan", "pin") for verb in VERBS]


def test_draws_are_the_same_for_every_system_and_others_for_another_seed() -> None:
    drawn = understanding.drawn(ROWS, 2, 1)
    assert [row["intent"] for row in drawn] == ["card", "card", "loan", "loan", "pin", "pin"]
    assert drawn == understanding.drawn(ROWS, 2, 1)
    assert any(drawn != understanding.drawn(ROWS, 2, seed) for seed in range(2, 8))
    assert understanding.drawn([*ROWS, {"text": "weather", "intent": None}], 0, 1) == ROWS


@pytest.mark.parametrize("name", ["banking77", "clinc150"])
def test_a_set_that_the_general_encoder_was_trained_on_needs_another_encoder(name: str, capsys) -> None:
    with pytest.raises(SystemExit):
        understanding.arguments([name])
    assert f"--encoder {name}=FILE" in capsys.readouterr().err
    assert understanding.arguments([name, "--encoder", f"{name}=x"]).encoders == {name: "x"}
    assert understanding.arguments([name, "--systems", "tfidf"]).sets == [name]


def test_a_rival_runs_in_a_process_of_its_own_and_is_put_into_the_table_and_the_plots(tmp_path) -> None:
    home = tmp_path / "hint3-curekart"
    home.mkdir()
    for part in ("train", "test"):
        (home / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    settings = understanding.arguments(["hint3-curekart", "--systems", "tfidf"])
    runs = [understanding.run("hint3-curekart", 0, "tfidf", 0, tmp_path, settings)]
    assert runs[0].accuracy == 1
    assert runs[0].megabytes > 10
    assert "| hint3-curekart | all | tf-idf + LR | 100.0 | - |" in understanding.table(runs)
    understanding.plots(runs, tmp_path / "images")
    assert (tmp_path / "images/understanding.svg").read_text("utf-8").startswith("<?xml")
