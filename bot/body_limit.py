"""No request body is read beyond the limit, on any route and whatever Content-Length says."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.most:
                # FastAPI lets only its own kind of error through while it reads a body.
                raise HTTPException(413, f"the body is larger than {self.most} bytes (limits.body_bytes); send less")
            return message

        await self.app(scope, limited if scope["type"] == "http" else receive, send)
