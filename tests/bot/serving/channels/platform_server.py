"""Somebody else's API on loopback: a real HTTP server that keeps what it was sent and answers as it is told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Call:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(self.raw.decode()))
        return json.loads(self.raw)


class PlatformServer:
    """`answers` are (status, headers, body) for the next calls; after them every call gets `usual`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: deque[tuple[int, dict[str, str], Any]] = deque()
        self.usual: Any = {"ok": True}
        self.url = ""
        self._changed = threading.Condition()

    def take(self, call: Call) -> tuple[int, dict[str, str], Any]:
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
            return self.answers.popleft() if self.answers else (200, {}, self.usual)

    async def got(self, count: int) -> list[Call]:
        """The calls, once there are `count` of them."""
        assert await asyncio.to_thread(self._wait, count), f"{len(self.calls)} calls came, not {count}: {self.calls}"
        return self.calls

    def _wait(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.calls) >= count, timeout=10)


@contextmanager
def platform_server() -> Iterator[PlatformServer]:
    made = PlatformServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            call = Call(self.path, {name.lower(): value for name, value in self.headers.items()}, raw)
            status, headers, body = made.take(call)
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *what: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()
