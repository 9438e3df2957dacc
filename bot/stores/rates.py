"""How often who may do what, counted in Redis and so for all server processes together. The home of `limits`."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from bot.stores.redis import UNRECORDED, RedisStore, reaching
from retrieval.errors import DeskhandError

COUNTED = {"lua_acquire_sliding_window": "SCRIPT_ACQUIRE_SLIDING_WINDOW", "lua_sliding_window": "SCRIPT_SLIDING_WINDOW"}

rate = cache(parse)
"""`"30/minute"` as the library has it; ValueError for anything else."""


class TooMany(DeskhandError):
    status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(retry_after)}


@dataclass(frozen=True)
class Hit:
    """One thing that counts against one rate: `what` as a plural, `key` of the configuration, `who` did it."""

    what: str
    key: str
    limit: str
    who: str


class Rates:
    """Counts are neither recorded in Redis' file nor replicated: they cost no fsync, and a restart forgives them."""

    def __init__(self, store: RedisStore) -> None:
        options: dict[str, Any] = {"connection_pool": store.client.connection_pool}
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix="deskhand:rate", **options)
        bridge: Any = storage.bridge
        for name, source in COUNTED.items():
            script = UNRECORDED.encode() + getattr(bridge, source)
            setattr(bridge, name, bridge.get_connection().register_script(script))
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def count(self, *hits: Hit) -> None:
        """Raises TooMany at the first rate that is used up; those after it are then not counted."""
        with reaching("counted requests"):
            for hit in hits:
                item = rate(hit.limit)
                if not await self._limiter.hit(item, hit.key, hit.who):
                    raise await self._refusal(item, hit)

    async def _refusal(self, item: RateLimitItem, hit: Hit) -> TooMany:
        reset, _ = await self._limiter.get_window_stats(item, hit.key, hit.who)
        wait = max(1, math.ceil(reset - time.time()))
        limit = f"{item.amount} {hit.what} in {_period(item)} (rates.{hit.key})"
        return TooMany(f"there were more than {limit}; wait {wait} s and try again", retry_after=wait)


def _period(item: RateLimitItem) -> str:
    seconds = item.get_expiry()
    names = {1: "a second", 60: "a minute", 3600: "an hour", 86400: "a day"}
    return names.get(seconds, f"{seconds} s")
