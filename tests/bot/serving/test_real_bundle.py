"""The whole server as it is started, on a bundle that was really trained."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving_desk import DOMAIN, RULES

from retrieval.bundle import Bundles

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tiny_bundles: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_bundles, tmp_path / "data" / "bundles")
    return tmp_path / "data"


@pytest.fixture
def server(data: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    config = tmp_path / "config"
    config.mkdir()
    (config / "domain.yml").write_text(DOMAIN)
    (config / "rules.yml").write_text(RULES)
    command = [sys.executable, "-m", "bot.cli", "serve", "--port", "0", "--data", str(data), "--config", str(config)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DESKHAND_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    assert process.stdout is not None
    address = next(line.split()[-1] for line in process.stdout if "ready on" in line)
    yield process, address
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0, "Ctrl-C ends it cleanly"


def test_a_trained_bundle_is_served_without_torch_and_followed_when_it_is_replaced(
    server: tuple[subprocess.Popen[str], str], data: Path
) -> None:
    process, address = server
    body = {"sender": "u1", "message": "do you ship to norway"}
    said = httpx.post(f"{address}/webhooks/rest/webhook", json=body, timeout=30)
    assert said.status_code == 200
    assert said.json()[0]["text"]
    ready = httpx.get(f"{address}/health/ready").json()
    bundles = Bundles(data / "bundles")
    assert ready["bundle"] == bundles.current()
    mapped = Path(f"/proc/{process.pid}/maps")
    if mapped.exists():
        assert "libtorch" not in mapped.read_text()
    (data / "bundles" / "CURRENT").write_text("20200101T000000-deadbeef\n")
    while not (notes := httpx.get(f"{address}/health/ready").json()["notes"]):
        pass
    assert "20200101T000000-deadbeef" in notes["bundle"]
    assert httpx.post(f"{address}/webhooks/rest/webhook", json=body, timeout=30).status_code == 200
