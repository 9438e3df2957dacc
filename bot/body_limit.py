"""No request body is read beyond the limit, and no JSON is parsed that is nested deeper than anybody means it.

Both hold on every route and whatever Content-Length says. Files (multipart, images, ...) have no nesting. `larger` are
paths, by how they begin, with limits of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval.errors import BadInput

DEEPEST = 32
"""Levels of arrays and objects. The deepest body that anything here reads has seven."""

STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?')
BINARY = (b"multipart/", b"image/", b"audio/", b"video/", b"application/octet-stream", b"application/pdf")


def too_deep(body: bytes) -> bool:
    """Whether JSON opens more than `DEEPEST` levels; costs nothing worth naming for a body with few brackets."""
    if body.count(b"{") + body.count(b"[") <= DEEPEST:
        return False
    depth = 0
    for byte in STRING.sub(b"", body):
        if byte in b"{[":
            depth += 1
            if depth > DEEPEST:
                return True
        elif byte in b"}]":
            depth -= 1
    return False


def read_json(text: str | bytes) -> Any:
    """Raises BadInput for what is no JSON or nested too deep."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if too_deep(raw):
        raise BadInput(f"the JSON is nested deeper than {DEEPEST} levels; send it flatter")
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(f"this is not JSON: {error}") from error


class BodyLimit:
    def __init__(self, app: ASGIApp, *, most: int, larger: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.most = most
        self.larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limited = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS")
        await self.app(scope, Limited(receive, self._most(scope), _is_file(scope)) if limited else receive, send)

    def _most(self, scope: Scope) -> int:
        return next((most for start, most in self.larger.items() if scope["path"].startswith(start)), self.most)


class Limited:
    """`receive` of one request. FastAPI lets only its own kind of error through while it reads a body."""

    def __init__(self, receive: Receive, most: int, is_file: bool) -> None:
        self._receive = receive
        self._most = most
        self._is_file = is_file
        self._seen = 0
        self._parts: list[bytes] = []

    async def __call__(self) -> Message:
        message = await self._receive()
        body: bytes = message.get("body", b"")
        self._seen += len(body)
        if self._seen > self._most:
            raise HTTPException(413, f"the body is larger than {self._most} bytes (limits.body_bytes); send less")
        if message["type"] == "http.request" and not self._is_file:
            self._parts.append(body)
            if not message.get("more_body") and too_deep(b"".join(self._parts)):
                raise HTTPException(422, f"the JSON is nested deeper than {DEEPEST} levels; send it flatter")
        return message


def _is_file(scope: Scope) -> bool:
    if scope["path"].startswith("/widget/files"):
        return True
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return kind.lower().startswith(BINARY)
