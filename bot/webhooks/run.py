"""The webhooks of a desk in a process of their own, beside the worker that started it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from bot.settings import Settings
from bot.stores.hooks import Hooks
from bot.stores.redis import RedisStore
from bot.stores.sql import Records
from bot.webhooks.deliver import Deliverer
from bot.webhooks.relay import Relay
from bot.webhooks.send import Sender
from retrieval.bundle import Bundles
from retrieval.errors import Unavailable

log = structlog.get_logger()

TICK_S = 0.2
RELAY_S = 0.5
IDLE_S = 15.0
LOOK_AROUND_S = 5.0
TIDY_S = 3600.0
KEEP_S = 30 * 24 * 3600.0
PAUSE_S = 2.0


class Webhooks:
    """Everything that is due now, once, when `work` is called."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._records = Records(settings.database)
        self._records.migrate()
        self.hooks = Hooks(self._records)
        self._store = RedisStore(url)
        self._relay = Relay(self._store, self.hooks, Bundles(settings.bundles))
        self._deliverer = Deliverer(self.hooks, Sender(private=settings.webhooks_private))
        self._last = {"relay": 0.0, "look": 0.0, "tidy": 0.0}

    async def work(self, *, patient: bool = False) -> int:
        """How much there was to do. Raises Unavailable when Redis or SQL is gone. `patient` lets events gather for a
        moment, and for long when nobody listens: each look that finds something costs an fsync."""
        told = 0
        if not patient or self._due("relay", RELAY_S if await asyncio.to_thread(self.hooks.endpoints) else IDLE_S):
            told = await self._relay.relay()
        if self._due("look", LOOK_AROUND_S):
            await asyncio.to_thread(self.look_around)
        if self._due("tidy", TIDY_S):
            await asyncio.to_thread(self.hooks.forget, time.time() - KEEP_S)
        return told + await asyncio.to_thread(self._deliverer.send_due)

    def look_around(self) -> None:
        """Bundles and drift, which no commit of a conversation tells of."""
        self._relay.look_around()

    def _due(self, what: str, every_s: float) -> bool:
        if time.monotonic() - self._last[what] < every_s and self._last[what]:
            return False
        self._last[what] = time.monotonic()
        return True

    async def close(self) -> None:
        await asyncio.to_thread(self._deliverer.close)
        await self._store.close()
        self._records.close()


async def until_done(url: str, settings: Settings) -> None:
    """Works off what is due, then stops: `deskhand worker --burst`."""
    webhooks = Webhooks(url, settings)
    try:
        while await webhooks.work():
            pass
    finally:
        await webhooks.close()


async def forever(url: str, settings: Settings, stop: Callable[[], bool]) -> None:
    webhooks = Webhooks(url, settings)
    try:
        while not stop():
            try:
                busy = await webhooks.work(patient=True)
            except Unavailable as error:
                log.warning("webhooks wait", error=str(error))
                await asyncio.sleep(PAUSE_S)
            else:
                await asyncio.sleep(0 if busy else TICK_S)
    finally:
        await webhooks.close()


def run(url: str, data_dir: str, config_dir: str) -> None:
    """In a process of its own, which ends with the one that started it, however that ends."""
    from bot.logs import configure

    settings = Settings.build(data_dir=Path(data_dir), config_dir=Path(config_dir))
    configure(settings.log_level, settings.log_format)
    parent = os.getppid()
    with suppress(KeyboardInterrupt):
        asyncio.run(forever(url, settings, lambda: os.getppid() != parent))


if __name__ == "__main__":
    run(*sys.argv[1:])
