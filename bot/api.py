"""`/api/v1`: what the people of the desk and their tools call, with the operator's bearer token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from bot.auth import check_bearer
from bot.conversation import Conversation
from bot.engines import Engines
from bot.events import encode
from bot.gaps import Gap, group
from bot.handoff import Desk
from bot.jobs import Jobs
from bot.stores.outbox import Outbox
from bot.stores.sql import Records

MOST_GAPS = 1000


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Join(Body):
    person: str = Field(min_length=1, max_length=100)


class Say(Body):
    """The same `message_id` again is said once."""

    person: str = Field(min_length=1, max_length=100)
    text: str = Field(min_length=1, max_length=20_000)
    message_id: str | None = Field(default=None, min_length=1, max_length=255)


class Release(Body):
    person: str = Field(default="", max_length=100)


class Close(Body):
    resolved: bool | None = None
    csat: int | None = Field(default=None, ge=1, le=5)


class JsonRoute(APIRoute):
    """Reads every body as JSON, whatever its content type: `curl -d` calls it a form, and the token, which no browser
    adds by itself, already keeps other sites out."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            others = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
            request.scope["headers"] = [*others, (b"content-type", b"application/json")]
            return await handler(Request(request.scope, request.receive))

        return handle


def router(
    *, token: str, desk: Desk, records: Records, engines: Engines, jobs: Jobs, outbox: Outbox
) -> APIRouter:
    def operator(authorization: Annotated[str | None, Header(include_in_schema=False)] = None) -> None:
        check_bearer(authorization, token)

    described = HTTPBearer(auto_error=False, description="`deskhand token` prints it.")  # gives /docs its lock
    needs = [Depends(described), Depends(operator)]
    routes = APIRouter(prefix="/api/v1", tags=["operators"], dependencies=needs, route_class=JsonRoute)
    _conversations(routes, desk)
    _gaps(routes, desk, records, engines)
    _training(routes, jobs)
    _deliveries(routes, outbox)
    return routes


def _conversations(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/handoffs")
    async def handoffs(limit: int = 100) -> list[dict[str, Any]]:
        """The inbox: conversations that wait for a person, longest first, then those that a person has."""
        return [asdict(item) for item in await desk.inbox(limit=max(1, min(limit, 1000)))]

    @routes.get("/conversations/{conversation_id:path}")
    async def conversation(conversation_id: str, offset: int = 0) -> dict[str, Any]:
        """Mode, person and the events from `offset` on, each with its own offset."""
        return view(await desk.read(conversation_id), max(offset, 0))

    @routes.post("/conversations/{conversation_id:path}/join")
    async def join(conversation_id: str, body: Join) -> dict[str, Any]:
        """A person takes the conversation; the bot is silent from now on."""
        return view(await desk.join(conversation_id, body.person))

    @routes.post("/conversations/{conversation_id:path}/messages")
    async def say(conversation_id: str, body: Say) -> dict[str, Any]:
        """Writes to the customer as that person, who joins when they have not."""
        return view(await desk.say(conversation_id, body.person, body.text, body.message_id))

    @routes.post("/conversations/{conversation_id:path}/typing", status_code=204)
    async def typing(conversation_id: str, body: Join) -> None:
        """Shows the customer for some seconds that this person is writing."""
        await desk.typing(conversation_id, body.person)

    @routes.post("/conversations/{conversation_id:path}/release")
    async def release(conversation_id: str, body: Release | None = None) -> dict[str, Any]:
        """Gives the conversation back to the bot."""
        return view(await desk.release(conversation_id, body.person if body else ""))

    @routes.post("/conversations/{conversation_id:path}/close")
    async def close(conversation_id: str, body: Close | None = None) -> dict[str, Any]:
        """Closes it; the next archive run makes it a transcript, and a new message opens it again."""
        how = body or Close()
        return view(await desk.close(conversation_id, resolved=how.resolved, csat=how.csat))


def _gaps(routes: APIRouter, desk: Desk, records: Records, engines: Engines) -> None:
    @routes.get("/gaps")
    async def gaps(limit: int = 50) -> dict[str, Any]:
        """Questions the bot could not answer, grouped by meaning, biggest group first."""
        found = {(gap.conversation_id, gap.message_id): gap for gap in await desk.open_gaps()}
        archived = await asyncio.to_thread(records.gaps, limit=MOST_GAPS)
        known: list[Gap] = [*archived, *found.values()][:MOST_GAPS]
        groups = await asyncio.to_thread(group, known, engines.engine.encode)
        return {"total": sum(one.count for one in groups), "groups": [asdict(one) for one in groups[:limit]]}


def _training(routes: APIRouter, jobs: Jobs) -> None:
    @routes.post("/training/runs", status_code=202)
    async def start() -> dict[str, Any]:
        """Queues a training run for the worker; the gate decides whether its bundle goes into service."""
        return asdict(await asyncio.to_thread(jobs.train))

    @routes.get("/training/runs")
    async def runs(limit: int = 50) -> list[dict[str, Any]]:
        """Newest first."""
        return [asdict(view) for view in await asyncio.to_thread(jobs.all, "train", limit=limit)]

    @routes.get("/training/runs/{run_id}")
    async def run(run_id: str) -> dict[str, Any]:
        return asdict(await asyncio.to_thread(jobs.get, run_id))

    @routes.post("/archive/runs", status_code=202)
    async def archive() -> dict[str, Any]:
        """Queues an archive run; the worker also does one every minute."""
        return asdict(await asyncio.to_thread(jobs.archive))


def _deliveries(routes: APIRouter, outbox: Outbox) -> None:
    @routes.get("/deliveries")
    async def deliveries(limit: int = 100) -> list[dict[str, Any]]:
        """Conversations with messages that have not reached their platform, next try first, with the last error."""
        return [asdict(one) for one in await outbox.due(limit=max(1, min(limit, 1000)))]


def view(conversation: Conversation, offset: int = 0) -> dict[str, Any]:
    events = [{"offset": n, **encode(event)} for n, event in enumerate(conversation.events) if n >= offset]
    return {
        "id": conversation.id,
        "mode": conversation.mode,
        "person": conversation.person,
        "version": conversation.version,
        "slots": conversation.slots,
        "events": events,
    }
