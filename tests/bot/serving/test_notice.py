"""While an action takes long, those who watch see that something is happening."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from serving_desk import Running

from bot.settings import Settings
from bot.widget.view import passing

pytestmark = pytest.mark.asyncio

DONE = b'{"events": [], "responses": [{"text": "It is on its way."}]}'


@asynccontextmanager
async def slow_actions(release: asyncio.Event) -> AsyncIterator[str]:
    """An action server that answers when it is released."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(DONE) + DONE)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhook"


async def test_the_customer_sees_that_something_is_happening(serve: Running, settings: Settings) -> None:
    (settings.config_dir / "deskhand.yml").write_text("actions: {notice_s: 0.05}\n")
    release = asyncio.Event()
    async with slow_actions(release) as url, serve(actions_url=url) as server:
        async with server.parts.store.watch("u1") as watch:
            turn = asyncio.create_task(server.texts("where is my order"))
            async with asyncio.timeout(5):
                notes = watch.notes()
                while {"type": "busy"} not in notes:
                    await watch.changed(1)
                    notes = watch.notes()
            assert passing({"type": "busy"}) == {"type": "typing", "person": None}
            assert not turn.done(), "it is still at work"
            release.set()
            assert await turn == ["It is on its way."]


async def test_a_quick_action_needs_no_notice(serve: Running) -> None:
    release = asyncio.Event()
    release.set()
    async with slow_actions(release) as url, serve(actions_url=url) as server:
        async with server.parts.store.watch("u1") as watch:
            assert await server.texts("where is my order") == ["It is on its way."]
            assert await watch.changed(5)
            assert watch.notes() == []
