from __future__ import annotations

import shutil

import pytest

from retrieval.bundle import Bundles
from retrieval.engine import Engine
from retrieval.errors import BadInput
from training.labelled import train_examples, train_intents
from training.promote import judge, judge_examples
from training.run import train

ROWS = [
    (f"{before} {text}", intent)
    for intent, texts in {
        "shipping": ["do you ship to norway", "can you deliver to sweden", "do you deliver outside"],
        "returns": ["how do I return a jacket", "I want to send it back", "return a tent please"],
        "password": ["I forgot my password", "reset my login please", "my password does not work"],
        "status": ["where is my order", "track my parcel please", "when will my order come"],
    }.items()
    for text in texts
    for before in ("hello", "hi there", "please", "")
]


@pytest.fixture(scope="module")
def engine(tiny_config, tmp_path_factory) -> Engine:
    rows = [*ROWS, ("what is the weather", None)]
    return Engine.load(train_intents(rows, config=tiny_config, work=tmp_path_factory.mktemp("labelled")))


def test_labelled_rows_make_a_bundle_that_understands_and_does_not_answer(engine: Engine) -> None:
    assert engine.manifest.labels == ("password", "returns", "shipping", "status")
    heard = engine.understand("can you deliver to norway")
    assert heard.intent is not None
    assert heard.intent.name == "shipping"
    assert engine.answer(heard) == []
    assert engine.thresholds.answer > 1


def test_what_was_learned_is_known_again(engine: Engine) -> None:
    right = [engine.understand(text).ranking[0].name == intent for text, intent in ROWS]
    assert sum(right) / len(right) > 0.95


def test_the_name_of_an_intent_is_one_more_example(engine: Engine) -> None:
    assert engine.manifest.rows["intent examples"] == len(ROWS) + 4


@pytest.mark.parametrize("rows", [[], [("a b", None)], [("a b", "x"), ("c d", "x")]])
def test_fewer_than_two_intents_cannot_be_told_apart(tiny_config, tmp_path, rows) -> None:
    with pytest.raises(BadInput, match=r"have [01] intent\(s\); at least two are needed"):
        train_intents(rows, config=tiny_config, work=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_rows_of_two_intents_are_enough(tiny_config, tmp_path) -> None:
    path = train_intents([("where is my order", "a"), ("hello", "b")], config=tiny_config, work=tmp_path)
    heard = Engine.load(path).understand("where is my order")
    assert heard.ranking[0].name == "a"


def test_examples_alone_make_a_bundle_that_says_how_well_it_understands(tiny_config, tmp_path) -> None:
    id = train(tiny_config, [], bundles=tmp_path / "bundles", work=tmp_path / "work", examples=ROWS)
    manifest = Bundles(tmp_path / "bundles").manifest(id)
    scores = manifest.scores["intents"]
    assert scores["n"] == len(ROWS)
    assert scores["accuracy"] > 0.8
    assert scores["commonest"] == 0.25
    report = (tmp_path / "bundles" / id / "report.md").read_text()
    assert f"Learned from {len(ROWS)} examples of 4 intents, and from no conversations" in report


def test_the_gate_judges_it_by_held_out_examples(tiny_config, tmp_path) -> None:
    bundles = Bundles(tmp_path / "bundles")
    id = train_examples(ROWS, config=tiny_config, bundles=bundles.root, work=tmp_path / "work")
    verdict = judge_examples(bundles, id)
    assert verdict is not None
    assert verdict.promote
    assert "held-out examples get the right intent; always saying the commonest intent gets 25.0%" in verdict.reasons[0]


def test_the_gate_never_puts_it_in_the_place_of_answers(tiny_config, tiny_bundles, talk, tmp_path) -> None:
    root = tmp_path / "bundles"
    shutil.copytree(tiny_bundles, root)
    bundles = Bundles(root)
    id = train_examples(ROWS, config=tiny_config, bundles=root, work=tmp_path / "work")
    verdict = judge_examples(bundles, id)
    assert verdict is not None
    assert not verdict.promote
    assert "answers and this one none; import the conversations and train again" in verdict.reasons[0]
    learned = bundles.current()
    assert learned
    assert judge_examples(bundles, learned) is None
    bundles.promote(id)
    _, verdict = judge(bundles, learned, talk[-20:], training=talk, error_budget=0.2, config=tiny_config.gate)
    assert any("first candidate" in reason for reason in verdict.reasons)


@pytest.fixture(scope="module")
def many() -> list[tuple[str, str | None]]:
    """Enough messages of every intent that tuning is tried."""
    return [(f"{text} {n}", intent) for text, intent in ROWS for n in range(8)]


@pytest.fixture(scope="module")
def tuned(tiny_config, many, tmp_path_factory):
    config = tiny_config.model_copy(update={"encoder": tiny_config.encoder.model_copy(update={"tune": "auto"})})
    work = tmp_path_factory.mktemp("tuned")
    return config, work, train_intents(many, config=config, work=work)


def test_many_messages_are_tried_with_a_tuned_encoder_and_the_bundle_says_what_won(tuned) -> None:
    facts = Engine.load(tuned[2]).manifest.encoder
    assert ("tuned: it raised" if facts["tuned"] else "frozen: tuning changed") in facts["why"]
    assert "held-out messages" in facts["why"]


def test_going_on_keeps_the_encoder_learns_a_new_intent_and_forgets_none(tuned, many) -> None:
    config, work, bundle = tuned
    new = [(f"I want a refund {word}", "refund") for word in ("now", "please", "today", "for it", "of 5", "soon")]
    before = Engine.load(bundle)
    after = Engine.load(train_intents([*many, *new], config=config, work=work, start=bundle))
    digest = "encoder/model.onnx"
    assert after.manifest.files[digest] == before.manifest.files[digest]
    assert f"that of bundle {before.id}" in after.manifest.encoder["why"]
    assert after.understand("I want a refund right now").ranking[0].name == "refund"
    right = [sum(e.understand(t).ranking[0].name == i for t, i in ROWS) / len(ROWS) for e in (before, after)]
    assert right[1] >= right[0] - 0.03


def test_a_few_messages_out_of_scope_make_it_better_known(tiny_config, tmp_path) -> None:
    strange = [f"my {pet} likes to eat {food}" for pet in ("cat", "dog", "cow") for food in ("fish", "grass", "bread")]
    rows = [*ROWS, *((text, None) for text in strange[:6])]
    plain, taught = (
        Engine.load(train_intents(some, config=tiny_config, work=tmp_path / name))
        for name, some in (("plain", ROWS), ("taught", rows))
    )

    def apart(engine: Engine) -> float:
        known = [engine.understand(text).in_scope for text, _ in ROWS]
        return min(known) - max(engine.understand(text).in_scope for text in strange[6:])

    assert apart(taught) > apart(plain)


def test_texts_without_an_intent_are_learned_from_only_where_they_raise_what_is_right(tiny_config, tmp_path) -> None:
    loose = [f"{text} thanks" for text, _ in ROWS]
    few = [*ROWS[::4], ("what is the weather", None)]
    engine = Engine.load(train_intents(few, config=tiny_config, work=tmp_path, unlabelled=[*loose, *loose, " "]))
    assert engine.intents is not None
    learned = len(engine.intents.intent_of) == len(ROWS[::4]) + 4 + len(loose)
    why = engine.manifest.encoder["why"]
    assert (f"{len(loose)} messages without an intent raised" if learned else "are left out") in why


def test_a_tuned_encoder_is_judged_with_the_texts_without_an_intent(tiny_config, many, tmp_path) -> None:
    config = tiny_config.model_copy(update={"encoder": tiny_config.encoder.model_copy(update={"tune": "auto"})})
    loose = [f"{text} thanks" for text, _ in many]
    facts = Engine.load(train_intents(many, config=config, work=tmp_path, unlabelled=loose)).manifest.encoder
    assert f"{len(set(loose))} messages without an intent" in facts["why"]
