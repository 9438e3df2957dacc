from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.stores.embedded import EmbeddedRedis


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of the wheel, with its append-only file in a temporary directory."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def system_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Redis of the operating system, another version than that of the wheel."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on the PATH")
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--appendonly", "yes"]
    process = subprocess.Popen([binary, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any("ready to accept connections" in line.lower() for line in process.stdout)
    yield f"unix://{socket}"
    process.terminate()
    process.communicate()


@pytest.fixture
def redis_folder(tmp_path: Path) -> Path:
    return tmp_path / "redis"
