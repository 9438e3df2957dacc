from __future__ import annotations

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


@pytest.fixture
def redis_folder(tmp_path: Path) -> Path:
    return tmp_path / "redis"
