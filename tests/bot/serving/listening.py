"""The app behind a real port of loopback, for clients that bring their own HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import uvicorn
from fastapi import FastAPI


class Listening(uvicorn.Server):
    def capture_signals(self) -> Any:
        return nullcontext()


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The address. The app's lifespan is the caller's."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="websockets-sansio", timeout_graceful_shutdown=2)
    server = Listening(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task
