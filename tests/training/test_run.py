from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.transcript import Outcome, Transcript, Turn
from retrieval.bundle import Bundles
from retrieval.engine import Engine
from retrieval.errors import BadInput
from training import run
from training.run import train


def scores(bundles: Path, id: str) -> dict:
    return Bundles(bundles).manifest(id).scores


def lines(bundles: Path, id: str, name: str) -> str:
    return (bundles / id / name).read_text("utf-8")


def test_a_bundle_is_trained_that_answers_what_was_asked_before(tiny_engine) -> None:
    hits = tiny_engine.answer(tiny_engine.understand("reset my login please"))
    assert "reset" in hits[0].text
    replay = tiny_engine.manifest.scores["replay"]
    assert replay["answer_recall_at_1"] > 0.5
    assert 0 <= replay["wrong_answer_rate"] <= replay["coverage"] <= 1


def test_the_same_data_and_seed_make_the_same_bundle(tiny_bundles, tiny_config, talk, tmp_path) -> None:
    (first,) = Bundles(tiny_bundles).ids()
    second = train(tiny_config, talk, bundles=tmp_path / "b", work=tmp_path / "w", error_budget=0.2)
    assert first != second
    for name in ("answers.jsonl", "questions.jsonl", "config.json", "engine.json"):
        assert lines(tmp_path / "b", second, name) == lines(tiny_bundles, first, name)
    one, two = Bundles(tiny_bundles).manifest(first), Bundles(tmp_path / "b").manifest(second)
    assert one.scores == two.scores
    assert (one.data, one.labels, one.thresholds, one.rows) == (two.data, two.labels, two.thresholds, two.rows)


@pytest.fixture
def trained(tiny_config, talk, tmp_path):
    """Train on the talk in one place; returns the bundle's id and the notes of its progress."""

    def go(count: int = 60, **changes) -> tuple[str, list[tuple[str, int, int, str]]]:
        notes: list[tuple[str, int, int, str]] = []
        config = tiny_config.model_copy(update=changes)
        id = train(
            config, talk[:count], bundles=tmp_path / "b", work=tmp_path / "w", error_budget=0.2,
            progress=lambda *step: notes.append(step),
        )  # fmt: skip
        return id, notes

    return go


def built(work: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in work.iterdir() if path.name != "tensorboard"}


def test_a_second_run_builds_no_stage_again_and_says_the_same(trained, tmp_path) -> None:
    first, _ = trained()
    stages = built(tmp_path / "w")
    second, _ = trained()
    assert built(tmp_path / "w") == stages
    assert sorted(name.split("-")[0] for name in stages) == ["base", "mined", "tuned"]
    assert scores(tmp_path / "b", first) == scores(tmp_path / "b", second)
    assert lines(tmp_path / "b", first, "answers.jsonl") == lines(tmp_path / "b", second, "answers.jsonl")


def test_an_interrupted_run_goes_on_after_the_last_whole_stage(trained, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "choose_encoder", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained()
    stages = built(tmp_path / "w")
    assert sorted(name.split("-")[0] for name in stages) == ["base", "mined"]
    assert Bundles(tmp_path / "b").ids() == []
    id, _ = trained()
    assert Bundles(tmp_path / "b").ids() == [id]
    assert {name: at for name, at in built(tmp_path / "w").items() if name in stages} == stages


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_other_data_or_another_seed_is_mined_anew(trained, tmp_path) -> None:
    trained()
    trained(count=64)
    trained(seed=14)
    names = [name.split("-")[0] for name in built(tmp_path / "w")]
    assert (names.count("base"), names.count("mined")) == (1, 3)


def test_progress_is_told_stage_by_stage_to_the_end(trained) -> None:
    id, notes = trained()
    stages = list(dict.fromkeys(stage for stage, *_ in notes))
    assert stages == ["split", "encoder", "mine", "tune", "heads", "evaluate", "bundle"]
    assert notes[-1] == ("bundle", 1, 1, id)
    assert all(0 <= done <= total for _, done, total, _ in notes)


def test_scalars_for_tensorboard_lie_on_the_disk(trained, tmp_path) -> None:
    trained()
    (events,) = (tmp_path / "w" / "tensorboard").glob("*/events*")
    assert b"validation/answer_recall_at_1" in events.read_bytes()


def test_test_conversations_leave_no_trace_in_the_bundle(trained, tmp_path, talk) -> None:
    id, _ = trained()
    engine = Engine.load(tmp_path / "b" / id)
    held_out = {t.id for t in talk[54:60]}
    assert not held_out & {conversation for conversation, _, _ in engine.questions}
    assert not any(conversation in held_out for row in engine.table for conversation, _ in row["turns"])


def test_intents_of_the_domain_compete_with_induced_ones(tiny_config, talk, tmp_path) -> None:
    examples = [("tell me a joke", "joke"), ("make me laugh please", "joke")]
    id = train(tiny_config, talk[:60], bundles=tmp_path / "b", work=tmp_path / "w", examples=examples)
    engine = Engine.load(tmp_path / "b" / id)
    assert engine.manifest.labels[0] == "joke"
    assert engine.understand("tell me a joke").ranking[0].name == "joke"


def only(by: str, talk: list[Transcript]) -> list[Transcript]:
    return [Transcript(t.id, turns=tuple(turn for turn in t.turns if turn.by == by)) for t in talk]


def same(count: int) -> list[Transcript]:
    turns = (Turn("customer", "where is my order"), Turn("agent", "it is on its way"))
    return [Transcript(f"s{n}", outcome=Outcome(), turns=turns) for n in range(count)]


def bots(talk: list[Transcript]) -> list[Transcript]:
    return [
        Transcript(t.id, turns=tuple(Turn("bot" if turn.by == "agent" else turn.by, turn.text) for turn in t.turns))
        for t in talk
    ]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (lambda _: [], r"no transcripts and no examples to learn from; .*`deskhand transcripts import"),
        (lambda talk: talk[:3], r"only 5 customer messages were answered .*at least 8 .*transcripts import"),
        (lambda talk: only("customer", talk), r"only 0 customer messages .*both sides"),
        (lambda talk: only("agent", talk), r"only 0 customer messages .*both sides"),
        (bots, r"only 0 customer messages"),
        (lambda _: same(40), r"36 answered messages have only 1 different texts.*import real"),
        (lambda talk: [Transcript(t.id) for t in talk], r"only 0 customer messages"),
    ],
    ids=["nothing", "three", "no agents", "no customers", "only a bot", "all the same", "empty"],
)
def test_what_cannot_be_learned_from_says_why_and_what_to_do(
    tiny_config, talk, tiny_base, tmp_path, what, says
) -> None:
    work = tmp_path / "w"
    shutil.copytree(tiny_base.parent, work)
    with pytest.raises(BadInput, match=says):
        train(tiny_config, what(talk), bundles=tmp_path / "b", work=work)
    assert Bundles(tmp_path / "b").ids() == []


def short(count: int) -> list[Transcript]:
    words = ["returns", "refund", "shipping", "password", "jacket", "tent", "boots", "login", "parcel", "order"]
    return [
        Transcript(f"s{n}", turns=(Turn("customer", words[n % 10]), Turn("agent", f"see the page on {words[n % 10]}")))
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [9, 12, 40])
def test_messages_of_a_word_make_a_bundle_without_intents_that_keeps_quiet_while_little_is_known(
    tiny_config, tiny_base, tmp_path, count
) -> None:
    shutil.copytree(tiny_base.parent, tmp_path / "w")
    id = train(tiny_config, short(count), bundles=tmp_path / "b", work=tmp_path / "w")
    engine = Engine.load(tmp_path / "b" / id)
    assert engine.manifest.labels == ()
    heard = engine.understand("refund")
    assert heard.intent is None
    assert count > 20 or engine.answer(heard)[0].p_correct < engine.thresholds.answer
