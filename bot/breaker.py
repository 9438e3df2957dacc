"""A circuit breaker: after some failures in a row nobody waits for a service that is down."""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """Closed, it lets every call through. After `failures` in a row it is open for `pause_s` seconds; then one call is
    let through, and its outcome closes the breaker or opens it again."""

    def __init__(self, *, failures: int, pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._pause_s = pause_s
        self._clock = clock
        self._failed = 0
        self._open_until = 0.0

    def opens_in(self) -> float:
        """Seconds to wait, 0.0 when a call may go through now. While one is tried after a pause, others still wait."""
        if self._failed < self._most:
            return 0.0
        left = self._open_until - self._clock()
        if left <= 0:
            self._open_until = self._clock() + self._pause_s
        return max(left, 0.0)

    def succeeded(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        self._failed += 1
        self._open_until = self._clock() + self._pause_s
