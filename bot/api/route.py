"""What all routes of `/api/v1` have in common: how a body is read, `Idempotency-Key`, the problems in the schema."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from bot.auth import Access
from bot.stores.replays import Answer, Replays
from retrieval.errors import BadInput

REPLAYED = "Idempotency-Replayed"
LONGEST_KEY = 255

described = HTTPBearer(
    auto_error=False, description="An API key, or what `deskhand token` prints."
)  # the lock of /docs


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FieldError(BaseModel):
    pointer: str = Field(description="A JSON pointer into the body, or the name of a parameter.")
    detail: str


class Problem(BaseModel):
    """RFC 9457. `detail` says what, which value, and the cure."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(default=None, description="Which fields are wrong, when it is fields.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a route beside its own."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": PROBLEMS[status], "content": content} for status in statuses}


PROBLEMS = {
    400: "The body or a header cannot be read",
    401: "No key, or one that is not good",
    403: "The key lacks the scope",
    404: "There is no such thing",
    409: "It does not go together with what is there, or the Idempotency-Key came with another body",
    413: "The body is too large",
    422: "A field is wrong; `detail` names it",
    429: "Too many requests; see Retry-After",
    503: "A part is down; try again",
}
ALL = problems(*PROBLEMS)


async def once(request: Request, key: str, replays: Replays, work: Callable[[], Awaitable[Response]]) -> Response:
    """Does `work` the first time, and gives its answer again for 24 hours. Only what was done is remembered: a refused
    request may be sent again, mended or not."""
    body = await request.body()
    if (earlier := await replays.begin(key, body)) is not None:
        return Response(earlier.body, earlier.status, {**earlier.headers, REPLAYED: "true"})
    done = False
    try:
        response = await work()
        if done := response.status_code < 300:
            headers = {name: value for name, value in response.headers.items() if name != "content-length"}
            await replays.keep(key, body, Answer(response.status_code, headers, bytes(response.body).decode()))
        return response
    finally:
        if not done:
            await replays.forget(key)


def route_class(access: Access, replays: Replays) -> type[APIRoute]:
    class Route(APIRoute):
        """Reads every body as JSON, whatever its content type: `curl -d` calls it a form, and the key, which no browser
        adds by itself, already keeps other sites out. Files are the exception: they come as multipart, are read for
        known callers only, and need no Idempotency-Key, because the same file again changes nothing."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handle(request: Request) -> Response:
                if request.headers.get("content-type", "").lower().startswith("multipart/"):
                    await access.caller(request.headers.get("authorization"))
                    return await handler(request)
                others = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
                request.scope["headers"] = [*others, (b"content-type", b"application/json")]
                request = Request(request.scope, request.receive)
                given = request.headers.get("idempotency-key")
                if given is None or request.method != "POST":
                    return await handler(request)
                if not 0 < len(given) <= LONGEST_KEY:
                    raise BadInput(f"Idempotency-Key has {len(given)} characters; give 1 to {LONGEST_KEY}")
                caller = await access.caller(request.headers.get("authorization"))
                key = f"{caller.id} {request.method} {request.url.path} {given}"
                return await once(request, key, replays, lambda: handler(request))

            return handle

    return Route


IDEMPOTENCY = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=LONGEST_KEY,
        description="The same key and body within 24 hours get the same answer and happen once.",
    ),
]


def _documented(idempotency_key: IDEMPOTENCY = None) -> None:
    """Puts the header into the schema; `route_class` is what reads it."""


IDEMPOTENT = Depends(_documented)
