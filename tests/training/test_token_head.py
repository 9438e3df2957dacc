"""Entities learned from annotated messages: found where nobody wrote them before, in the bundle, without torch."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from bot.nlu_file import annotated
from retrieval.bundle import read_manifest, write_manifest
from retrieval.encoder import Encoder
from retrieval.engine import Engine
from retrieval.entities import Recogniser
from retrieval.errors import BadBundle, BadInput
from retrieval.token_head import TokenHead, allowed, best, chunks, marginals
from retrieval.types import Entity
from training.entities import (
    LEAST,
    Annotations,
    Words,
    evaluate_entities,
    noisy,
    readings,
    train_entities,
    with_entities,
)  # fmt: skip
from training.entity_scores import EntityScores
from training.export import with_tokens
from training.noise import typos
from training.run import train
from training.token_head import labels_of, message, tags_of

CITIES = "oslo rome bonn bern lyon cork york bath kiel graz linz metz".split()


def flight(start: str, goal: str, way: str = "fly from {} to {} please") -> tuple[str, tuple[Entity, ...]]:
    marks = [f'[{city}]{{"entity": "city", "role": "{role}"}}' for city, role in ((start, "from"), (goal, "to"))]
    example = annotated(way.format(*marks))
    found = (
        Entity(e["entity"], example.text[e["start"] : e["end"]], e["start"], e["end"], 1.0, e["role"], None)
        for e in example.entities
    )
    return example.text, tuple(found)


WAYS = ("fly from {} to {} please", "a ticket from {} to {}", "I go from {} to {} on monday")
MESSAGES = [flight(a, b, WAYS[(i + j) % 3]) for i, a in enumerate(CITIES) for j, b in enumerate(CITIES) if i != j][:90]
MESSAGES += [
    ("hello there", ()),
    ("from time to time I come back to you", ()),
    ("thanks", ()),
    ("what do you mean", ()),
]


@pytest.fixture(scope="module")
def base(tiny_encoder_for: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported encoder that knows the words above, but not the cities of the test."""
    from training.encoder import SentenceEncoder
    from training.export import export

    directory = tmp_path_factory.mktemp("encoder")
    export(SentenceEncoder.load(str(tiny_encoder_for([text for text, _ in MESSAGES]))), directory)
    return directory


@pytest.fixture(scope="module")
def bundle(tiny_config, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("bundle")
    examples = [(text, "fly" if entities else "chat") for text, entities in MESSAGES]
    id = train(tiny_config, [], bundles=root, work=root / "work", examples=examples, annotations=Annotations(MESSAGES))
    return root / id


@pytest.fixture(scope="module")
def engine(bundle: Path) -> Engine:
    return Engine.load(bundle)


def roles(found: tuple[Entity, ...]) -> list[tuple[str, str | None]]:
    return [(one.value, one.role) for one in found]


def test_a_name_that_no_example_has_is_found_by_its_place(engine: Engine) -> None:
    assert engine.tokens is not None
    asked = [flight("paris", "dover"), flight("turin", "genoa", WAYS[1])]
    scores = evaluate_entities(engine.tokens, engine.encoder, Recogniser(), asked)
    assert scores["f1"] == 1.0
    assert scores["p50_ms"] > 0
    assert scores["entities"]["city"]["n"] == 4


def test_words_without_their_place_are_not_found(engine: Engine) -> None:
    assert engine.understand("thanks").entities == ()
    assert engine.understand("hello there").entities == ()


def test_a_bundle_says_what_the_head_finds_and_keeps_the_numbers_of_its_vectors(engine, tiny_config, tmp_path) -> None:
    examples = [(text, "fly" if entities else "chat") for text, entities in MESSAGES]
    id = train(tiny_config, [], bundles=tmp_path, work=tmp_path / "work", examples=examples)
    plain = Engine.load(tmp_path / id)
    heard = engine.understand("fly from paris to dover please", context=("where to?", "hello"))
    assert roles(heard.entities) == [("paris", "from"), ("dover", "to")]
    assert all(0.3 < one.confidence <= 1 for one in heard.entities)
    assert engine.learned == {"city"}
    assert engine.manifest.scores["entities"]["f1"] > engine.manifest.scores["entities"]["words_f1"]
    texts = ["fly from paris to dover please", "hello there", "my number is AB-123456"]
    assert np.abs(engine.encode(texts) - plain.encode(texts)).max() < 1e-6
    assert plain.learned == frozenset()
    assert plain.understand(texts[0]).entities == ()
    assert not (tmp_path / id / "entities.json").exists()
    assert not plain.encoder.reads


def test_a_message_goes_through_the_encoder_once(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.load(bundle)
    seen: list[str] = []
    read = engine.encoder._model.read
    monkeypatch.setattr(engine.encoder._model, "read", lambda texts: (seen.extend(texts), read(texts))[1])
    monkeypatch.setattr(engine.encoder._model, "run", lambda texts: pytest.fail("a pass of its own"))
    engine.understand("a ticket from pisa to nice", context=("where to?", "good day"))
    assert sorted(seen) == ["a ticket from pisa to nice", "good day", "where to?"]


def test_serving_entities_needs_no_torch(bundle: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from retrieval.engine import Engine\n"
        f"found = Engine.load(Path({str(bundle)!r})).understand('a ticket from pisa to nice').entities\n"
        "assert [e.value for e in found] == ['pisa', 'nice'], found; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def damaged(bundle: Path, to: Path, change: Callable[[dict], None]) -> Path:
    """A copy whose entities.json was changed and whose manifest was written for that."""
    import shutil

    copy = to / bundle.name
    shutil.copytree(bundle, copy)
    said = json.loads((copy / "entities.json").read_text())
    change(said)
    (copy / "entities.json").write_text(json.dumps(said))
    write_manifest(copy, read_manifest(copy))
    return copy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda said: said["labels"].pop(), "do not fit their names"),
        (lambda said: said["vocabulary"].append("word x"), "do not fit their names"),
        (lambda said: said.pop("least"), "cannot be read"),
        (lambda said: said.update(labels=[["a"]]), "cannot be read"),
        (lambda said: said.update(patterns={"x": ["("]}), "cannot be read"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(bundle: Path, tmp_path: Path, change, said: str) -> None:
    with pytest.raises(BadBundle, match=said):
        Engine.load(damaged(bundle, tmp_path, change))


def test_a_bundle_of_other_entity_labels_than_its_manifest_says_is_refused(bundle: Path, tmp_path: Path) -> None:
    copy = damaged(bundle, tmp_path, lambda said: None)
    manifest = read_manifest(copy)
    write_manifest(copy, replace(manifest, rows={**manifest.rows, "entity labels": 5}))
    with pytest.raises(BadBundle, match="entity labels has 2 rows, the manifest says 5"):
        Engine.load(copy)


def test_a_head_on_an_encoder_that_tells_no_tokens_is_refused(bundle: Path, base: Path, tmp_path: Path) -> None:
    import shutil

    copy = damaged(bundle, tmp_path, lambda said: None)
    tokens = copy / "encoder"
    shutil.copyfile(base / "model.onnx", tokens / "model.onnx")
    shutil.copyfile(base / "tokenizer.json", tokens / "tokenizer.json")
    write_manifest(copy, read_manifest(copy))
    with pytest.raises(BadBundle, match="want an encoder that tells tokens"):
        Engine.load(copy, probe=False)


def test_few_annotated_messages_fit_no_head(base: Path) -> None:
    from training.write import Parts

    parts = Parts(base, {}, 32, {}, (1.0, 0.5, 0.25), "{}", "d", thresholds=None)  # type: ignore[arg-type]
    notes: list[str] = []
    few = Annotations(MESSAGES[: LEAST - 1])
    kept = with_entities(parts, few, base.parent / "w", seed=1, progress=lambda *said: notes.append(said[3]))
    assert kept is parts
    assert notes == ["7 annotated messages, and a head wants 8: words are looked up"]


def test_without_annotated_messages_there_is_nothing_to_measure(tiny_config, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no row has an entity"):
        train_entities(Annotations([("hello", ())]), tiny_config, tmp_path)


def test_tokens_come_with_the_same_vectors(base: Path, tmp_path: Path) -> None:
    with_tokens(base, tmp_path / "tokens")
    plain, reading = Encoder(base, cache=0), Encoder(tmp_path / "tokens", cache=0)
    texts = [text for text, _ in MESSAGES[:40]] + ["", "a"]
    assert np.abs(plain.encode(texts) - reading.encode(texts)).max() < 1e-6
    (tokens,) = reading.tokens(["fly from oslo"])
    assert tokens.states.shape == (5, 64)
    assert [tuple(span) for span in tokens.spans[1:-1]] == [(0, 3), (4, 8), (9, 13)]
    with pytest.raises(BadInput, match="nothing of single tokens"):
        plain.tokens(["x"])


def test_tokens_of_many_texts_are_those_of_each(base: Path, tmp_path: Path) -> None:
    with_tokens(base, tmp_path / "tokens")
    encoder = Encoder(tmp_path / "tokens", cache=4, project=np.eye(64, 8, dtype=np.float32))
    texts = [text for text, _ in MESSAGES[:20]]
    for text, many in zip(texts, encoder.tokens(texts), strict=True):
        (one,) = encoder.tokens([text])
        assert np.abs(one.states - many.states).max() < 1e-4
        assert (one.spans == many.spans).all()


def test_words_lie_in_the_masked_text_where_they_were() -> None:
    recogniser = Recogniser()
    text = "my order AB-123456 and <EMAIL_2> or me@x.example today"
    masked = recogniser.mask(text)
    spans = [
        (start, start + len(word))
        for word in ("order", "123456", "and", "example", "today")
        if (start := text.index(word)) >= 0
    ]
    moved = [masked[a:b] for a, b in recogniser.aligned(text, spans)]
    assert moved == ["order", "<ORDER>", "and", "<EMAIL>", "today"]


def brute(scores: np.ndarray, moves: np.ndarray, first: np.ndarray) -> tuple[list[int], np.ndarray]:
    paths = list(product(range(scores.shape[1]), repeat=len(scores)))
    here = [sum(scores[i, tag] for i, tag in enumerate(path)) for path in paths]
    steps = [sum(moves[a, b] for a, b in pairwise(path)) for path in paths]
    totals = np.array([first[path[0]] + own + step for path, own, step in zip(paths, here, steps, strict=True)])
    weight = np.exp(totals - totals.max())
    weight /= weight.sum()
    sure = np.zeros(scores.shape)
    for path, share in zip(paths, weight, strict=True):
        for at, tag in enumerate(path):
            sure[at, tag] += share
    return list(paths[int(totals.argmax())]), sure


@pytest.mark.parametrize("seed", range(5))
def test_the_chain_agrees_with_counting_every_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    may, may_first = allowed(2)
    scores = rng.normal(size=(4, 5)).astype(np.float32) * 2
    moves = np.where(may, rng.normal(size=(5, 5)), -1e4).astype(np.float32)
    first = np.where(may_first, rng.normal(size=5), -1e4).astype(np.float32)
    path, sure = brute(scores, moves, first)
    assert best(scores, moves, first).tolist() == path
    assert np.abs(marginals(scores, moves, first) - sure).max() < 1e-4


def test_an_entity_never_goes_on_before_it_began() -> None:
    may, first = allowed(2)
    assert not first[2]
    assert not first[4]
    assert not may[0, 2]
    assert not may[1, 4]
    assert may[1, 2]
    assert may[2, 1]
    assert chunks([1, 2, 0, 3, 3, 4]) == [(0, 0, 2), (1, 3, 4), (1, 4, 6)]


def test_tags_of_overlapping_and_cut_words() -> None:
    text = "room12 in new york city"
    entities = (Entity("n", "12", 4, 6), Entity("city", "new york", 10, 18), Entity("short", "york", 14, 18))
    one = message(text, entities, (), None, ())
    labels = labels_of([one])
    assert labels == (("city", None, None), ("n", None, None), ("short", None, None))
    assert tags_of(one.spans, entities, labels).tolist() == [3, 0, 1, 2, 0]


def test_noise_keeps_entities_where_they_are() -> None:
    for text, entities in noisy(MESSAGES[:30], seed=3):
        assert all(text[e.start : e.end] == e.value for e in entities)
        assert len(entities) == 2
    assert typos("from there", random.Random(1)) != "from there"


def test_words_are_looked_up_with_the_label_they_mostly_have() -> None:
    rows = [flight("oslo", "rome"), flight("oslo", "bern"), flight("rome", "oslo")]
    read = [message(text, entities, (), None, ()) for text, entities in rows]
    found = Words(read, {"food": ["pizza"]}).find(message("oslo pizza", (), (), None, ()))
    assert [(e.name, e.value, e.role) for e in found] == [("city", "oslo", "from"), ("food", "pizza", None)]


def test_a_span_counts_only_with_its_name_ends_and_role() -> None:
    scores = EntityScores()
    gold = (Entity("city", "x", 0, 3, role="to"), Entity("day", "y", 5, 8))
    scores.add(gold, (Entity("city", "x", 0, 3, role="from"), Entity("day", "y", 5, 8), Entity("day", "z", 9, 10)))
    summary = scores.summary()
    assert summary["precision"] == pytest.approx(1 / 3)
    assert summary["recall"] == 0.5
    assert summary["entities"]["day"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "n": 1}
    assert EntityScores().summary() == {"precision": None, "recall": None, "f1": None, "entities": {}}


def test_without_token_states_the_letters_alone_tell(tmp_path: Path) -> None:
    from training.token_head import fit

    read = [message(text, entities, (), None, ()) for text, entities in MESSAGES]
    head = fit(read, lookups={"city": ("pisa",)}, patterns={}, seed=1)
    assert head.width == 0
    assert roles(head.find("a ticket from pisa to bonn", (), None, ())) == [("pisa", "from"), ("bonn", "to")]
    head.save(tmp_path)
    again = TokenHead.load(tmp_path)
    assert again is not None
    text = "a ticket from pisa to bonn"
    assert again.find(text, (), None, ()) == head.find(text, (), None, ())
    assert again.find("", (), None, ()) == ()
    assert TokenHead.load(tmp_path / "nowhere") is None


def test_readings_mask_what_the_encoder_must_not_see(base: Path, tmp_path: Path) -> None:
    with_tokens(base, tmp_path / "tokens")
    encoder = Encoder(tmp_path / "tokens", cache=0)
    first, second = readings([("order AB-123456", ()), ("order AB-654321", ())], encoder, Recogniser())
    assert (first.states == second.states).all()
    assert first.marked == [("order", 6, 15)]
