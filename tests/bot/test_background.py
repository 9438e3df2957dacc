from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from bot import background
from bot.background import ended

pytestmark = pytest.mark.asyncio


async def test_a_loop_that_swallows_its_first_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AGAIN_S", 0.01)
    begun = asyncio.Event()

    async def loop() -> None:
        while True:
            begun.set()
            with suppress(asyncio.CancelledError):  # what redis-py does while it connects
                await asyncio.sleep(60)
            await asyncio.sleep(60)

    task = asyncio.create_task(loop())
    await begun.wait()
    await ended(task)
    assert task.cancelled()


async def test_what_a_task_failed_with_is_not_lost() -> None:
    async def fails() -> None:
        raise ZeroDivisionError("broke")

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    with pytest.raises(ZeroDivisionError):
        await ended(task)
