from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from bot.events import UserSaid
from bot.stores.embedded import EmbeddedRedis
from bot.stores.redis import RedisStore, connect
from retrieval.errors import Unavailable


def pid_of(url: str) -> int:
    with connect(url) as client:
        return int(client.info("server")["process_id"])


def gone(url: str) -> bool:
    with connect(url) as client:
        try:
            client.ping()
        except redis.ConnectionError:
            return True
    return False


def kill(url: str) -> None:
    """kill -9, and wait until it is gone."""
    os.kill(pid_of(url), signal.SIGKILL)
    while not gone(url):
        pass


async def store_one(url: str, text: str) -> None:
    store = RedisStore(url)
    async with store.turn("c") as turn:
        turn.add(UserSaid(text=text, message_id=text))
        await turn.commit()
    await store.close()


async def texts(url: str) -> list[str]:
    store = RedisStore(url)
    try:
        return [event.text for event in (await store.read("c")).events if isinstance(event, UserSaid)]
    finally:
        await store.close()


def test_what_was_committed_survives_a_kill_of_redis(redis_folder: Path) -> None:
    server = EmbeddedRedis(redis_folder)
    server.start()
    for number in range(20):
        asyncio.run(store_one(server.url, str(number)))
    kill(server.url)
    with pytest.raises(Unavailable):
        asyncio.run(texts(server.url))
    server.start()
    assert asyncio.run(texts(server.url)) == [str(number) for number in range(20)]
    server.stop()


def test_one_server_is_shared_and_the_last_one_stops_it(redis_folder: Path) -> None:
    first = EmbeddedRedis(redis_folder)
    first.start()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from bot.stores.embedded import EmbeddedRedis\n"
            "server = EmbeddedRedis(Path(sys.argv[1])); server.start(); print('up', flush=True); sys.stdin.read()",
            str(redis_folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"up\n"
    pid = pid_of(first.url)
    first.stop()
    assert pid_of(first.url) == pid, "still there for the other process"
    holder.communicate(b"")
    last = EmbeddedRedis(redis_folder)
    last.start()
    assert pid_of(last.url) == pid
    last.stop()
    assert gone(last.url)


def test_a_data_directory_with_a_very_long_path_works(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / ("long" * 40))
    server.start()
    assert pid_of(server.url)
    server.stop()


def test_a_redis_that_cannot_start_says_why(redis_folder: Path) -> None:
    (redis_folder / "appendonly.aof").mkdir(parents=True)
    with pytest.raises(Unavailable, match="append-only file: Is a directory"):
        EmbeddedRedis(redis_folder).start(timeout_s=5)
