"""Errors in Rasa's shape: `{"version", "status": "failure", "message", "reason", "details", "help", "code"}`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from bot.action_server import RASA_VERSION, ActionFailed
from retrieval.errors import BadInput, Conflict, DeskhandError, NotAllowed, NotFound, Unavailable

HELP = "docs/rasa.md"


class Failure(DeskhandError):
    """`reason` is Rasa's word; `parameter` says which part of the request, `within` path, query or body."""

    def __init__(
        self, status: int, reason: str, message: str, *, parameter: str = "", within: str = "", help: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.help = help
        self.details = {"parameter": parameter, "in": within} if parameter else {}


REASONS: tuple[tuple[type[DeskhandError], str], ...] = (
    (ActionFailed, "ActionFailed"),
    (NotAllowed, "NotAuthenticated"),
    (NotFound, "NotFound"),
    (Conflict, "Conflict"),
    (BadInput, "BadRequest"),
    (Unavailable, "Unavailable"),
)


def as_response(error: DeskhandError) -> JSONResponse:
    reason = next((word for kind, word in REASONS if isinstance(error, kind)), "ServerError")
    status = 400 if isinstance(error, BadInput) else error.status
    details: dict[str, str] = {}
    help_: str | None = None
    if isinstance(error, Failure):
        reason, details, help_ = error.reason, error.details, error.help
    body = {
        "version": RASA_VERSION,
        "status": "failure",
        "message": str(error),
        "reason": reason,
        "details": details,
        "help": help_,
        "code": status,
    }
    return JSONResponse(body, status_code=status)


class RasaRoute(APIRoute):
    """What goes wrong is said in Rasa's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except DeskhandError as error:
                return as_response(error)

        return handle
