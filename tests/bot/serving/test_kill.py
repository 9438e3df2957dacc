"""A real server in a process of its own, with its embedded Redis, killed without warning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from bot.auth import operator_token
from bot.settings import Settings
from bot.stores.embedded import EmbeddedRedis
from bot.stores.redis import connect

HERE = Path(__file__).parent


def serve_command(settings: Settings, port: str) -> list[str]:
    places = ["--data", str(settings.data_dir), "--config", str(settings.config_dir)]
    return [sys.executable, "-m", "bot.cli", "serve", "--port", port, *places]


class Desk:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        command = serve_command(self.settings, "0")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DESKHAND_")}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, cwd=HERE.parents[2]
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "ready on" in line:
                self.url = line.split()[-1]
                return
        raise AssertionError("the server did not come up")

    def kill_all(self) -> None:
        """-9 for the server and for its Redis."""
        assert self.process is not None
        with connect(EmbeddedRedis(self.settings.redis_dir).url) as client:
            redis_pid = int(client.info("server")["process_id"])
        os.kill(self.process.pid, signal.SIGKILL)
        os.kill(redis_pid, signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        return self.process.returncode

    def say(self, text: str, **more: object) -> list[str]:
        body = {"sender": "u1", "message": text, **more}
        answer = httpx.post(f"{self.url}/webhooks/rest/webhook", json=body, timeout=30).raise_for_status()
        return [message["text"] for message in answer.json()]

    def heard(self) -> list[str]:
        headers = {"Authorization": f"Bearer {operator_token(self.settings)}"}
        seen = httpx.get(f"{self.url}/api/v1/conversations/u1", headers=headers).raise_for_status().json()
        return [event["message_id"] for event in seen["events"] if event["event"] == "UserSaid"]


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    made = Desk(settings.model_copy(update={"redis_url": None, "operator_token": None}))
    made.start()
    yield made
    if made.process and made.process.poll() is None:
        made.stop()


def test_every_acknowledged_message_survives_a_kill_of_server_and_redis(desk: Desk) -> None:
    for number in range(30):
        assert desk.say("hello", message_id=f"m{number}") == ["Hi, I am a bot."]
    desk.kill_all()
    desk.start()
    assert desk.heard() == [f"m{number}" for number in range(30)]
    assert desk.say("hello", message_id="m29") == ["Hi, I am a bot."], "a retry after the crash gets its reply"
    assert desk.say("hello", message_id="m30") == ["Hi, I am a bot."]
    assert len(desk.heard()) == 31


def test_a_stopped_server_leaves_cleanly_and_takes_its_redis_along(desk: Desk) -> None:
    desk.say("hello", message_id="m1")
    assert desk.stop() == 0
    with connect(EmbeddedRedis(desk.settings.redis_dir).url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    desk.start()
    assert desk.heard() == ["m1"]


def test_a_taken_port_is_said_with_its_cure(desk: Desk) -> None:
    port = desk.url.rsplit(":", 1)[1]
    command = serve_command(desk.settings, port)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parents[2], timeout=60)
    assert done.returncode != 0
    assert "give another with --port" in done.stderr


def test_serving_imports_neither_torch_nor_the_heavy_libraries() -> None:
    code = (
        "import sys, bot.server, bot.commands.serve, bot.commands.chat\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'presidio_analyzer', 'spacy', 'sklearn', 'scipy',\n"
        "         'alembic', 'pandas', 'rasa_sdk'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HERE.parents[2])
    assert done.stdout.strip() == "[]"
