"""Deliveries that are due are sent, and tried again on the ladder of Standard Webhooks until they arrive."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog

from bot.stores.hooks import Delivery, Hooks, Job
from bot.webhooks.send import Result, Sender

log = structlog.get_logger()

LADDER_S = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Waits before each try: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""

JITTER = 0.1
LEASE_S = 60.0
"""A worker that dies while it sends is replaced after this: the receiver may then see the same id twice."""

AT_ONCE = 8
BATCH = 64
GONE = 410


def outcome(delivery: Delivery, result: Result, now: float, jitter: float = 0.0) -> Delivery:
    """What comes of a try. `jitter` in [-1, 1] spreads the next one, so that a receiver that comes back is not
    trampled. Pure."""
    tried = replace(
        delivery,
        attempts=delivery.attempts + 1,
        last_at=now,
        last_status=result.status,
        last_error=result.error or None,
    )
    if result.arrived:
        return replace(tried, status="delivered", next_at=None)
    if result.status == GONE or tried.attempts >= len(LADDER_S):
        return replace(tried, status="failed", next_at=None)
    return replace(tried, next_at=now + LADDER_S[tried.attempts] * (1 + JITTER * jitter))


class Deliverer:
    def __init__(self, hooks: Hooks, sender: Sender, *, clock: Callable[[], float] = time.time) -> None:
        self._hooks = hooks
        self._sender = sender
        self._clock = clock
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")

    def send_due(self) -> int:
        """How many were tried. Raises Unavailable without SQL; then nothing is lost."""
        jobs = self._hooks.claim(limit=BATCH, lease_s=LEASE_S)
        done = list(self._pool.map(self.attempt, jobs))
        if done:
            self._hooks.record(done)
        return len(done)

    def attempt(self, job: Job) -> Delivery:
        """Sends it and says what came of it; 410 and a disabled endpoint end it."""
        endpoint = job.endpoint
        if endpoint.disabled_at is not None:
            because = Result(None, f"the endpoint is disabled: {endpoint.disabled_because}")
            return replace(job.delivery, status="failed", next_at=None, last_error=because.error)
        payload = job.happening.payload(full=endpoint.body == "full")
        secrets = endpoint.secrets(self._clock())
        result = self._sender.post(endpoint.url, id_=job.happening.id, payload=payload, secrets=secrets)
        if result.status == GONE:
            self._hooks.change(endpoint.id, disabled_at=self._clock(), disabled_because="it answered 410 Gone")
        if not result.arrived:
            log.warning("webhook not delivered", endpoint=endpoint.id, id=job.happening.id, error=result.error)
        return outcome(job.delivery, result, self._clock(), random.uniform(-1, 1))

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._sender.close()
