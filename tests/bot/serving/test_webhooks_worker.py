"""The worker's webhooks, killed without warning, and the commands beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hook_receiver import receiving
from test_kill import Desk

from bot.settings import Settings
from bot.stores.embedded import EmbeddedRedis
from bot.stores.hooks import Hooks
from bot.stores.redis import connect
from bot.stores.sql import Records

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    """A server in a process of its own with its embedded Redis."""
    made = Desk(settings.model_copy(update={"redis_url": None, "operator_token": None}))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def hooks(desk: Desk) -> Iterator[Hooks]:
    records = Records(desk.settings.database)
    yield Hooks(records)
    records.close()


def deskhand(desk: Desk, *words: str) -> subprocess.Popen[str]:
    settings = desk.settings
    environment = {
        **os.environ,
        "DESKHAND_DATA_DIR": str(settings.data_dir),
        "DESKHAND_CONFIG_DIR": str(settings.config_dir),
        "DESKHAND_WEBHOOKS_PRIVATE": "true",
    }
    command = [sys.executable, "-m", "bot.cli", *words]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


@contextmanager
def webhooks_of(desk: Desk) -> Iterator[subprocess.Popen[bytes]]:
    """What `deskhand worker` starts beside itself."""
    settings = desk.settings
    places = [EmbeddedRedis(settings.redis_dir).url, str(settings.data_dir), str(settings.config_dir)]
    environment = {**os.environ, "DESKHAND_WEBHOOKS_PRIVATE": "true"}
    command = [sys.executable, "-m", "bot.webhooks.run", *places]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_kill_at_any_moment_loses_no_event_and_makes_none_up(desk: Desk, hooks: Hooks) -> None:
    with receiving() as receiver:
        hooks.add(receiver.url, events=["message.created"])
        for number in range(6):
            desk.say("hello", message_id=f"before{number}")
        for kill_after in (1, 4, 9):  # in the middle of relaying or sending, wherever that is
            with webhooks_of(desk) as process:
                receiver.wait(kill_after)
                os.kill(process.pid, signal.SIGKILL)
            desk.say("hello", message_id=f"after{kill_after}")
            end_leases(desk, hooks)
        with webhooks_of(desk):
            while len(set(receiver.ids())) < 18:
                receiver.wait(len(receiver.got) + 1)
        assert len(set(receiver.ids())) == 18, "nine messages and nine replies, each at least once"


def end_leases(desk: Desk, hooks: Hooks) -> None:
    """Instead of waiting a minute for what the killed one had taken."""
    with connect(EmbeddedRedis(desk.settings.redis_dir).url) as client:
        for key in client.keys("deskhand:outbox:webhooks:by:*"):
            client.delete(key)
        for id_ in client.zrange("deskhand:outbox:webhooks", 0, -1):
            client.zadd("deskhand:outbox:webhooks", {id_: 0})
    for endpoint in hooks.endpoints():
        for delivery, _ in hooks.deliveries(endpoint.id, status="pending", limit=200):
            hooks.replay(endpoint.id, delivery_id=delivery.id)


def test_the_worker_runs_the_webhooks_and_takes_them_along_when_it_stops(desk: Desk, hooks: Hooks) -> None:
    with receiving() as receiver:
        endpoint = hooks.add(receiver.url, events=["conversation.created"])
        worker = deskhand(desk, "worker")
        try:
            desk.say("hello")
            receiver.wait(1)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=30)
        assert [one["type"] for one in receiver.events(endpoint.secret)] == ["conversation.created"]
        assert worker.returncode == 0


def test_listen_prints_what_happens_test_says_what_was_answered_and_replay_repeats(desk: Desk, hooks: Hooks) -> None:
    with webhooks_of(desk):
        listener = deskhand(desk, "webhooks", "listen", "--event", "conversation.created")
        assert listener.stdout is not None
        said = listener.stdout.readline()
        assert "Ctrl-C ends it" in said
        id_ = said.split(" as ")[1].split(";")[0]
        desk.say("hello")
        assert '"conversation.created"' in listener.stdout.readline()
        tried = deskhand(desk, "webhooks", "test", id_)
        assert "answered 204" in tried.communicate(timeout=30)[0]
        assert '"webhook.test"' in listener.stdout.readline()
        (delivery,) = [one for one, type_ in hooks.deliveries(id_, limit=9) if type_ == "conversation.created"]
        again = deskhand(desk, "webhooks", "replay", id_, "--delivery", delivery.id)
        assert "1 delivery is tried again" in again.communicate(timeout=30)[0]
        assert '"conversation.created"' in listener.stdout.readline()
        listener.send_signal(signal.SIGINT)
        listener.communicate(timeout=30)
    assert hooks.endpoints() == [], "it leaves nothing behind"


def test_listen_says_what_has_to_be_set(settings: Settings, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot.cli", "webhooks", "listen", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "DESKHAND_WEBHOOKS_PRIVATE" in done.stderr
