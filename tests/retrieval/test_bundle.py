from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.bundle import Bundles, read_manifest, seal, verify, write_manifest
from retrieval.engine import Engine
from retrieval.errors import BadBundle, NotFound


@pytest.fixture
def bundles(tiny_bundles: Path, tmp_path: Path) -> Bundles:
    shutil.copytree(tiny_bundles, tmp_path / "bundles")
    return Bundles(tmp_path / "bundles")


@pytest.fixture
def bundle(bundles: Bundles) -> Path:
    current = bundles.current()
    assert current
    return bundles.path(current)


def test_a_bundle_loads_and_answers_as_its_probes_say(bundle: Path) -> None:
    engine = Engine.load(bundle)
    assert engine.manifest.probes
    probe = engine.manifest.probes[0]
    assert engine.probe(probe["text"], probe["context"])["answer"] == probe["answer"]


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def test_a_flipped_byte_in_any_file_stops_the_load_and_is_named(bundle: Path) -> None:
    names = [str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()]
    assert {"manifest.json", "encoder/model.onnx", "questions.faiss", "answers.jsonl", "report.md"} <= set(names)
    for name in names:
        whole = (bundle / name).read_bytes()
        flip_a_byte(bundle / name)
        with pytest.raises(BadBundle, match="manifest" if name == "manifest.json" else name.replace(".", r"\.")):
            Engine.load(bundle)
        (bundle / name).write_bytes(whole)
    Engine.load(bundle)


def test_a_flipped_byte_anywhere_in_the_manifest_stops_the_load(bundle: Path) -> None:
    whole = (bundle / "manifest.json").read_bytes()
    step = max(1, len(whole) // 150)
    for at in range(0, len(whole), step):
        flipped = bytearray(whole)
        flipped[at] ^= 0x01
        (bundle / "manifest.json").write_bytes(flipped)
        with pytest.raises(BadBundle):
            verify(bundle)


def test_a_byte_changed_in_the_last_digits_of_a_number_stops_the_load_too(bundle: Path) -> None:
    whole = (bundle / "manifest.json").read_text()
    number = re.search(r'"answer": (0\.\d+)', whole)
    assert number
    same = f"{number[1]:0<18}1"
    assert float(same) == float(number[1])
    (bundle / "manifest.json").write_text(whole.replace(number[0], f'"answer": {same}'))
    with pytest.raises(BadBundle, match=f"manifest is damaged: {same}"):
        verify(bundle)


def test_a_bundle_without_a_seal_is_of_an_earlier_version_and_not_called_damaged(bundle: Path) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    del data["seal"]
    (bundle / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(BadBundle, match=rf"^bundle {bundle.name}: .*earlier version.*train again"):
        Engine.load(bundle)


def test_a_missing_and_an_odd_file_stop_the_load(bundle: Path) -> None:
    (bundle / "questions.faiss").unlink()
    (bundle / "notes.txt").write_text("hello")
    with pytest.raises(BadBundle, match=r"notes\.txt, questions\.faiss"):
        Engine.load(bundle)


def rewritten(bundle: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change the manifest and seal it again, as another version of the software might."""
    data = json.loads((bundle / "manifest.json").read_text())
    change(data)
    data["seal"] = seal(data)
    (bundle / "manifest.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(schema="bundle/0"), "bundle/0"),
        (lambda m: m.update(dimension=33), "32 dimensions"),
        (lambda m: m["rows"].update(questions=1), "questions has"),
        (lambda m: m["rows"].update(answers=1), "answers has"),
        (lambda m: m["rows"].update({"intent examples": 1}), "intent examples has"),
        (lambda m: m["probes"][0].update(answer="a-other"), "probe"),
        (lambda m: m["probes"][0].update(intent="other"), "probe .* gives intent"),
        (lambda m: m["probes"][0].update(in_scope=m["probes"][0]["in_scope"] + 0.2), "probe .* gives in_scope"),
        (lambda m: m["thresholds"].update(odd=1), "does not fit"),
        (lambda m: m.pop("labels"), "does not fit"),
    ],
)
def test_a_manifest_that_does_not_match_stops_the_load(
    bundle: Path, change: Callable[[dict[str, object]], None], says: str
) -> None:
    rewritten(bundle, change)
    with pytest.raises(BadBundle, match=says):
        Engine.load(bundle)


def test_a_threshold_changed_by_hand_stops_the_load(bundle: Path) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    data["thresholds"]["answer"] = 0.0
    (bundle / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(BadBundle, match=r"manifest is damaged .*roll back or train again"):
        Engine.load(bundle)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 100_000, "\x00"])
def test_a_manifest_that_is_no_object_stops_the_load(bundle: Path, content: str) -> None:
    (bundle / "manifest.json").write_text(content)
    with pytest.raises(BadBundle, match="train again"):
        Engine.load(bundle)


def test_probabilities_may_differ_a_little_between_processors(bundle: Path) -> None:
    def nudge(m: dict[str, object]) -> None:
        m["probes"][0]["in_scope"] += 0.05  # type: ignore[index]

    rewritten(bundle, nudge)
    Engine.load(bundle)


def test_a_bundle_without_manifest_is_not_listed_and_not_loaded(bundles: Bundles, bundle: Path) -> None:
    (bundle / "manifest.json").unlink()
    assert bundles.ids() == []
    with pytest.raises(BadBundle, match=r"no manifest\.json"):
        verify(bundle)


def test_an_interrupted_build_leaves_nothing(bundles: Bundles, bundle: Path) -> None:
    before = sorted(bundles.root.iterdir())
    with pytest.raises(FileNotFoundError), bundles.building("20260101T000000-00000000") as scratch:
        shutil.copyfile(scratch / "not-there", scratch / "half")
    assert sorted(bundles.root.iterdir()) == before


def test_a_build_without_manifest_is_refused(bundles: Bundles, bundle: Path) -> None:
    with pytest.raises(BadBundle), bundles.building("20260101T000000-00000000") as scratch:
        (scratch / "half").write_text("x")
    assert "20260101T000000-00000000" not in bundles.ids()


def test_promote_and_rollback_go_back_and_forth(bundles: Bundles, bundle: Path) -> None:
    other = "20260101T000000-00000000"
    with bundles.building(other) as scratch:
        shutil.copytree(bundle, scratch, dirs_exist_ok=True)
        write_manifest(scratch, read_manifest(bundle))
    bundles.promote(other)
    assert bundles.current() == other
    assert bundles.rollback() == bundle.name
    assert bundles.current() == bundle.name
    with pytest.raises(NotFound, match="nothing to roll back to"):
        bundles.rollback()


def test_a_damaged_bundle_is_not_promoted(bundles: Bundles, bundle: Path) -> None:
    other = bundles.root / "20260101T000000-00000000"
    shutil.copytree(bundle, other)
    flip_a_byte(other / "answers.jsonl")
    with pytest.raises(BadBundle, match=r"answers\.jsonl"):
        bundles.promote(other.name)
    assert bundles.current() == bundle.name


def test_an_unknown_id_names_the_known_ones(bundles: Bundles, bundle: Path) -> None:
    with pytest.raises(NotFound, match=bundle.name):
        bundles.path("20260101T000000-ffffffff")
