from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.bundle import Bundles, Thresholds, read_manifest
from retrieval.engine import Engine
from training.write import PROBES, Parts, write


@pytest.fixture
def parts(tiny_base: Path) -> Parts:
    return Parts(
        encoder=tiny_base, encoder_facts={"tuned": False}, dimension=32, entities={"booking": r"BK\d+"},
        weights=(1.0, 0.5, 0.25), config="{}", data="abc", thresholds=Thresholds(answer=0.8),
    )  # fmt: skip


def test_the_candidate_is_measured_through_the_engine_before_it_is_finished(parts, tmp_path) -> None:
    seen: list[Engine] = []

    def measure(engine: Engine) -> tuple[dict[str, float], str]:
        assert not Bundles(tmp_path).ids()
        seen.append(engine)
        return {"right": 0.5}, "# Report\n"

    id = write(parts, tmp_path, measure)
    manifest = read_manifest(tmp_path / id)
    assert seen[0].manifest.dimension == manifest.dimension == 32
    assert manifest.scores == {"right": 0.5}
    assert (tmp_path / id / "report.md").read_text() == "# Report\n"
    assert manifest.thresholds.answer == 0.8
    assert Engine.load(tmp_path / id).understand("it is BK12").entities[0].name == "booking"


def test_a_measurement_that_fails_leaves_no_bundle(parts, tmp_path) -> None:
    def fail(_: Engine) -> tuple[dict[str, float], str]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(parts, tmp_path, fail)
    assert list(tmp_path.iterdir()) == []


def test_bundles_of_the_same_second_have_names_of_their_own(parts, tmp_path) -> None:
    ids = {write(parts, tmp_path, lambda _: ({}, "")) for _ in range(3)}
    assert sorted(ids) == Bundles(tmp_path).ids()
    assert len(ids) == 3


def test_probes_are_about_twenty_logged_requests(tiny_engine) -> None:
    probes = tiny_engine.manifest.probes
    assert 5 <= len(probes) <= PROBES
    asked = {text for _, _, text in tiny_engine.questions}
    assert {probe["text"] for probe in probes} <= asked


def test_a_manifest_says_what_made_the_bundle(tiny_engine, tiny_config, talk) -> None:
    manifest = tiny_engine.manifest
    assert manifest.config == tiny_config.model_dump_json(indent=1)
    assert {"python", "deskhand", "torch", "onnxruntime", "numpy"} <= set(manifest.versions)
    assert manifest.rows["questions"] == len(tiny_engine.questions)
    assert 0.9 < manifest.encoder["int8_cosine"] <= 1.001
    assert {"right_fp32", "right_int8", "why", "frozen_right"} <= set(manifest.encoder)


FULL = """
import resource, signal, sys
from pathlib import Path
from retrieval.bundle import Bundles, Thresholds
from training.write import Parts, write

encoder, root, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
parts = Parts(encoder, {}, 32, {}, (1.0, 0.5, 0.25), "{}", "abc", Thresholds())
try:
    write(parts, root, lambda _: ({}, "x" * 200_000))
except OSError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize("most", [200, 90_000, 150_000])
def test_a_full_disk_leaves_no_bundle_and_the_one_in_service(tiny_bundles, tiny_base, tmp_path, most) -> None:
    """The limit is met while copying the encoder, while writing its weights, or by the report at the very end."""
    shutil.copytree(tiny_bundles, tmp_path / "bundles")
    bundles = Bundles(tmp_path / "bundles")
    before = (sorted(p.name for p in bundles.root.iterdir()), bundles.current())
    command = [sys.executable, "-c", FULL, str(tiny_base), str(bundles.root), str(most)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert "File too large" in done.stdout
    assert (sorted(p.name for p in bundles.root.iterdir()), bundles.current()) == before
    assert Engine.load(bundles.path(str(bundles.current()))).id == bundles.current()
