from __future__ import annotations

import os
from pathlib import Path

import pytest

from retrieval.errors import Conflict
from training.stages import Stages, alone, fingerprint


class Count:
    """A stage that notes how often it was built."""

    def __init__(self) -> None:
        self.built = 0

    def __call__(self, directory: Path) -> None:
        self.built += 1
        (directory / "result").write_text(str(self.built))


def test_a_stage_is_done_once_for_the_same_key(tmp_path: Path) -> None:
    build = Count()
    first, there = Stages(tmp_path).run("mine", fingerprint("a"), build)
    again, there_again = Stages(tmp_path).run("mine", fingerprint("a"), build)
    assert (first, there, there_again, build.built) == (again, False, True, 1)
    assert (first / "result").read_text() == "1"


def test_another_key_or_name_is_another_stage(tmp_path: Path) -> None:
    build, stages = Count(), Stages(tmp_path)
    places = {stages.run(name, fingerprint(key), build)[0] for name in ("mine", "tune") for key in "ab"}
    assert len(places) == build.built == 4


def test_a_stage_that_fails_leaves_nothing_and_starts_anew(tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stages(tmp_path).run("mine", "k", fail)
    assert list(tmp_path.iterdir()) == []
    path, there = Stages(tmp_path).run("mine", "k", Count())
    assert not there
    assert [p.name for p in path.iterdir()] == ["result"]


def test_what_a_killed_run_left_half_done_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / ".mine-k").mkdir(parents=True)
    (tmp_path / ".mine-k" / "half").write_text("x")
    path, there = Stages(tmp_path).run("mine", "k", Count())
    assert (there, [p.name for p in path.iterdir()], [p.name for p in tmp_path.iterdir()]) == (
        False, ["result"], ["mine-k"],
    )  # fmt: skip


def test_only_the_latest_results_of_a_stage_are_kept(tmp_path: Path) -> None:
    stages = Stages(tmp_path, keep=2)
    other, _ = stages.run("tune", "x", Count())
    for age, key in enumerate("abcd"):
        path, _ = stages.run("mine", key, Count())
        os.utime(path, (1000 + age, 1000 + age))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine-c", "mine-d", "tune-x"]
    assert other.is_dir()


def test_fingerprints_tell_parts_apart_however_they_are_cut() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint("a", 1) == fingerprint("a", 1)


def test_two_trainings_never_share_a_work_directory(tmp_path: Path) -> None:
    with alone(tmp_path / "runs"), pytest.raises(Conflict, match="another training is at work in"):
        with alone(tmp_path / "runs"):
            pass
    with alone(tmp_path / "runs"):
        pass  # free again
