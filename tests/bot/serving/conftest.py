from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving_desk import DOMAIN, RULES, TOKEN, Running, running
from trained_desk import Trained, train_desk

from bot.settings import Settings
from bot.stores.embedded import EmbeddedRedis
from bot.stores.redis import connect
from retrieval.bundle import Bundles


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def clean_redis(redis_url: str) -> str:
    """A real Redis with nothing in it."""
    with connect(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture(scope="session")
def trained(tiny_encoder_for: Callable[[Iterable[str]], Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Bundles to copy from."""
    return train_desk(tiny_encoder_for, tmp_path_factory.mktemp("desk"))


@pytest.fixture
def settings(tmp_path: Path, clean_redis: str, trained: Trained) -> Settings:
    config = tmp_path / "config"
    config.mkdir()
    (config / "domain.yml").write_text(DOMAIN)
    (config / "rules.yml").write_text(RULES)
    made = Settings.build(data_dir=tmp_path / "data", config_dir=config, redis_url=clean_redis, operator_token=TOKEN)
    shutil.copytree(trained.bundles.root, made.bundles)
    Bundles(made.bundles).promote(trained.thirty)
    return made


@pytest.fixture
def serve(settings: Settings) -> Running:
    return lambda **changes: running(settings.model_copy(update=changes))
