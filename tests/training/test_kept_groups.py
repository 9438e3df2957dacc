"""An operator's word on the groups of a bundle, and what the next training makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.commands.groups import ignore, list_, merge, rename, show, split, undo
from bot.transcript import TranscriptFolder, dumps
from retrieval.bundle import Bundles
from retrieval.engine import Engine
from retrieval.errors import BadInput, NotFound
from training.decisions import changing, read_decisions
from training.groups import Decision, Group, latest_groups, read_groups
from training.run import train


@pytest.fixture
def data(tmp_path: Path, tiny_config, talk) -> Path:
    """A data directory with transcripts and one bundle."""
    folder = tmp_path / "transcripts"
    folder.mkdir()
    (folder / "talk.jsonl").write_text("\n".join(map(dumps, talk)) + "\n", "utf-8")
    assert list(TranscriptFolder(folder).read())
    run(tmp_path, tiny_config, talk)
    return tmp_path


def run(data: Path, config, talk) -> list[Group]:
    id = train(
        config, talk, bundles=data / "bundles", work=data / "runs", error_budget=0.2,
        decisions=read_decisions(data / "groups.json"),
    )  # fmt: skip
    return read_groups(data / "bundles" / id)


def test_a_bundle_has_its_groups_with_typical_requests_and_says_them_in_its_report(data, capsys) -> None:
    bundles = Bundles(data / "bundles")
    groups = latest_groups(bundles)
    assert len(groups) >= 3
    engine = Engine.load(bundles.path(bundles.ids()[-1]))
    assert engine.intents
    assert set(engine.intents.labels) == {group.name for group in groups}
    report = (bundles.root / bundles.ids()[-1] / "report.md").read_text("utf-8")
    assert all(group.id in report and 1 <= len(group.typical) <= 3 for group in groups)
    list_(data=data)
    assert groups[0].id in capsys.readouterr().out
    list_(data=data, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in shown["groups"]] == [group.id for group in groups]


def test_ids_and_names_stay_when_weeks_are_added(tmp_path, tiny_config, talk) -> None:
    first = run(tmp_path, tiny_config, talk[:140])
    second = run(tmp_path, tiny_config, talk)
    kept = {(group.id, group.name) for group in first} & {(group.id, group.name) for group in second}
    assert len(kept) >= 0.8 * len(first)


def test_what_an_operator_decided_holds_from_the_next_training_on(data, tiny_config, talk, capsys) -> None:
    one, two, three, *_ = latest_groups(Bundles(data / "bundles"))
    rename(one.id, "Back to Sender!", data=data)
    merge(two.name, one.id, data=data)
    ignore(three.id, data=data)
    capsys.readouterr()
    list_(data=data, as_json=True)
    assert len(json.loads(capsys.readouterr().out)["waiting"]) == 3
    for _ in range(2):
        found = {group.id: group for group in run(data, tiny_config, talk)}
        assert found[one.id].name == "back_to_sender"
        assert set(two.requests) | set(one.requests) <= set(found[one.id].requests)
        assert two.id not in found
        assert found[three.id].ignored
        engine = Engine.load(Bundles(data / "bundles").path(Bundles(data / "bundles").ids()[-1]))
        assert engine.intents
        assert "back_to_sender" in engine.intents.labels
        assert three.name not in engine.intents.labels
    list_(data=data, as_json=True)
    assert json.loads(capsys.readouterr().out)["waiting"] == []


def test_a_split_by_words_makes_two_kinds(data, tiny_config, talk, capsys) -> None:
    whole = next(group for group in latest_groups(Bundles(data / "bundles")) if len(group.typical) > 1)
    show(whole.id, data=data)
    told = capsys.readouterr().out
    assert all(text in told for text in whole.typical)
    words = whole.typical[1]
    split(whole.id, having=words, name="apart", data=data)
    found = {group.name: group for group in run(data, tiny_config, talk)}
    assert found["apart"].requests
    assert not set(found["apart"].requests) & set(found[whole.name].requests)


def test_a_decision_can_be_taken_back(data) -> None:
    one = latest_groups(Bundles(data / "bundles"))[0]
    rename(one.id, "first", data=data)
    undo(data=data)
    assert read_decisions(data / "groups.json") == []
    with pytest.raises(NotFound, match="no decision"):
        undo(data=data)


def test_what_cannot_be_done_says_why_and_is_not_kept(data) -> None:
    one, two, *_ = latest_groups(Bundles(data / "bundles"))
    with pytest.raises(NotFound, match=r"no kind of request 'nowhere'.*deskhand groups list"):
        rename("nowhere", "x", data=data)
    with pytest.raises(BadInput, match="already; merge the two"):
        rename(one.id, two.name.replace("_", " "), data=data)
    with pytest.raises(BadInput, match="no letter or digit"):
        rename(one.id, "!!!", data=data)
    with pytest.raises(BadInput, match="with itself"):
        merge(one.id, one.name, data=data)
    with pytest.raises(BadInput, match=r"0 of the \d+ messages .* hold 'zebra'"):
        split(one.id, having="zebra", data=data)
    with pytest.raises(NotFound, match="run `deskhand train` once"):
        rename(one.id, "x", data=data / "elsewhere")
    assert read_decisions(data / "groups.json") == []


def test_a_broken_file_of_decisions_is_refused_with_the_cure(tmp_path) -> None:
    path = tmp_path / "groups.json"
    for text in (
        "{",
        "[]",
        '{"schema": "groups/9", "decisions": []}',
        '{"schema": "groups/1", "decisions": [{"x": 1}]}',
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(BadInput, match=r"groups\.json is no file of decisions .*put back a copy"):
            read_decisions(path)


def test_a_decision_that_fails_half_way_is_not_written(tmp_path) -> None:
    path = tmp_path / "groups.json"
    with pytest.raises(ZeroDivisionError):
        _half_done(path)
    assert read_decisions(path) == []


def _half_done(path: Path) -> None:
    with changing(path) as decisions:
        decisions.append(Decision("rename", "g-1", name=str(1 // 0)))
