"""The demo shop as it was after six weeks, run by the real commands: a server, a worker, their Redis and SQLite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

from bot.transcript import TranscriptFolder, read, write

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "config" / "demo"
WEEK_7 = "2025-10-13"
PATIENCE_S = 600
TOKEN = "an operator's token for the tests"

T = TypeVar("T")


class Shop:
    """Commands and processes on one data directory, and what customers and people of the desk do over HTTP."""

    def __init__(self, folder: Path) -> None:
        self.data, self.config = folder / "data", folder / "config"
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.client = httpx.Client(timeout=30, headers={"Authorization": f"Bearer {TOKEN}"})
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DESKHAND_")},
            "DESKHAND_DATA_DIR": str(self.data),
            "DESKHAND_CONFIG_DIR": str(self.config),
            "DESKHAND_OPERATOR_TOKEN": TOKEN,
            "OMP_NUM_THREADS": "1",
        }

    def command(self, *words: str) -> str:
        """What `deskhand WORDS` prints."""
        run = [sys.executable, "-m", "bot.cli", *words]
        done = subprocess.run(run, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def open(self) -> None:
        """`deskhand serve` and `deskhand worker`, until they are up."""
        for name, words in {"serve": ("serve", "--port", "0"), "worker": ("worker",)}.items():
            with (self.logs / f"{name}.log").open("wb") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "bot.cli", *words], cwd=ROOT, env=self._environment, stdout=log, stderr=log
                )
        self.client.base_url = self.until(self._address)

    def _address(self) -> str | None:
        log = (self.logs / "serve.log").read_text()
        return next((line.split()[-1] for line in log.splitlines() if "is ready on" in line), None)

    def close(self) -> dict[str, int]:
        """Exit codes."""
        for process in self.processes.values():
            process.terminate()
        self.client.close()
        return {name: process.wait(30) for name, process in self.processes.items()}

    def until(self, found: Callable[[], T | None]) -> T:
        """What `found` gives once it gives something; fails when a process ends or after PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        while (value := found()) is None:
            assert time.monotonic() < deadline, f"{found} gave nothing within {PATIENCE_S} s"
            for name, process in self.processes.items():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
                assert process.returncode is None, f"{name} ended: {(self.logs / f'{name}.log').read_text()[-3000:]}"
        return value

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(path, json=body).raise_for_status().json()

    def ask(self, customer: str, text: str) -> list[str]:
        """What the bot says to this message."""
        return [reply["text"] for reply in self.post("/webhooks/rest/webhook", sender=customer, message=text)]

    def as_person(self, customer: str, action: str, **body: Any) -> Any:
        """join | messages | close, as the operators' API has it."""
        return self.post(f"/api/v1/conversations/{customer}/{action}", **body)

    def events(self, customer: str, kind: str) -> list[dict[str, Any]]:
        conversation = self.get(f"/api/v1/conversations/{customer}")
        return [event for event in conversation["events"] if event["event"] == kind]

    def training_run(self) -> dict[str, Any]:
        """Queues one and waits for its end."""
        queued = self.post("/api/v1/training/runs")["id"]

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/api/v1/training/runs/{queued}")
            return run if run["ended_at"] else None

        return self.until(ended)

    def transcripts(self) -> TranscriptFolder:
        return TranscriptFolder(self.data / "transcripts")

    def promotions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.data / "bundles" / "PROMOTIONS.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Trained on weeks 1 to 6 and open."""
    folder = tmp_path_factory.mktemp("shop")
    ignored = shutil.ignore_patterns("*.jsonl", "*.py", "material", "actions", "__pycache__")
    shutil.copytree(DEMO, folder / "config", ignore=ignored)
    recipe = folder / "config" / "training.yml"
    # The frozen encoder: fine-tuning would take most of the time and is no part of the loop.
    keys = yaml.safe_load(recipe.read_text()) or {}
    recipe.write_text(yaml.safe_dump({**keys, "encoder": {"tune": "never"}}))
    log = folder / "weeks-1-6.jsonl"
    write(log, [one for one in read(DEMO / "transcripts.jsonl") if (one.started_at or "") < WEEK_7])
    shop = Shop(folder)
    shop.command("transcripts", "import", str(log))
    shop.command("train", "--promote")
    try:
        shop.open()
        yield shop
    finally:
        codes = shop.close()
    assert codes == {"serve": 0, "worker": 0}
