"""The real app under uvicorn in a thread, on loopback: for clients that are not asynchronous."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from bot.app import create_app
from bot.settings import Settings

FREE = "rates: {visitor: 1000000/minute, sessions: 1000000/minute, address: 1000000/minute, key: 1000000/minute}\n"


@contextmanager
def live(settings: Settings) -> Iterator[tuple[FastAPI, str]]:
    """The app and its address."""
    (settings.config_dir / "deskhand.yml").write_text(FREE)
    app = create_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the server did not come up"
        assert time.monotonic() < deadline
        thread.join(0.02)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield app, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
