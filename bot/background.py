"""Work that goes on beside the requests, and its end."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 1.0


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancels `task` until it has ended; what it failed with is raised.

    Once is not enough: redis-py swallows a cancellation that comes while it connects, and a loop would go on for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
    if not task.cancelled():
        task.result()
