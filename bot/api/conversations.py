"""`/api/v1/conversations`: begin, write, read, follow, rate, hand off, close; and the inbox."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from bot.accepted import Inbound
from bot.api.models import (
    Accepted,
    Answered,
    Begin,
    Close,
    ConversationView,
    Events,
    EventView,
    HandOver,
    Join,
    ListedView,
    Message,
    MessageView,
    Rate,
    Release,
    Reply,
    event_views,
    message_view,
)
from bot.api.pages import Cursor, Limit, Page, cursor_of, page_of, read_cursor
from bot.api.route import IDEMPOTENCY, IDEMPOTENT
from bot.auth import Access
from bot.channels.drafts import Steps, begun, drafted, follow
from bot.conversation import Mode
from bot.events import Rated
from bot.files import FileStore, find
from bot.handoff import Desk
from bot.manager import Manager, Replies, UserMessage
from bot.stores.store import MODES, ConversationStore
from bot.transcript_schema import dumps
from retrieval.errors import BadInput

CHANNEL = "api"
LONGEST_POLL_S = 30.0
FOREVER = "text/event-stream"
UNKEPT = {"cache-control": "no-store", "x-accel-buffering": "no"}

At = Annotated[str, Path(description="The conversation.", min_length=1, max_length=300)]
Offset = Annotated[int, Query(ge=0, le=2**31, description="Events from this one on; 0 is the first.")]
STREAM: dict[str, Any] = {"content": {FOREVER: {"schema": {"type": "string"}}}, "description": "JSON, or a stream"}


class WaitingView(BaseModel):
    id: str
    mode: Mode
    person: str | None
    since: float
    reason: str
    question: str
    latest: str


def add(routes: APIRouter, access: Access, desk: Desk, manager: Manager, inbound: Inbound, files: FileStore) -> None:
    _begin_and_list(routes, access, desk, manager.store)
    _write(routes, access, desk, manager, inbound, files)
    _follow(routes, access, desk, manager.store)
    _people(routes, access, desk)
    _read(routes, access, desk)


def _begin_and_list(routes: APIRouter, access: Access, desk: Desk, store: ConversationStore) -> None:
    reads, writes = [Depends(access.needs("conversations:read"))], [Depends(access.needs("conversations:write"))]

    @routes.get("/handoffs", dependencies=reads)
    async def handoffs(limit: Limit = 100, cursor: Cursor = None) -> Page[WaitingView]:
        """The inbox: conversations that wait for a person, longest first, then those that a person has."""
        items = [WaitingView(**asdict(item)) for item in await desk.inbox(limit=1000)]
        data, following = page_of(items, lambda item: item.id, cursor, limit)
        return Page(data=data, next_cursor=following)

    @routes.get("/conversations", dependencies=reads)
    async def conversations(mode: Mode | None = None, limit: Limit = 50, cursor: Cursor = None) -> Page[ListedView]:
        """Latest first, as long as they are not archived."""
        return await _listed(store, (mode,) if mode else MODES, limit, cursor)

    @routes.post("/conversations", status_code=201, dependencies=[*writes, IDEMPOTENT])
    async def begin(response: Response, body: Begin | None = None) -> ConversationView:
        """Begins one before its first message, to say something about it in `metadata`."""
        how = body or Begin()
        id_ = how.id or f"c-{uuid.uuid4().hex}"
        response.headers["Location"] = f"/api/v1/conversations/{id_}"
        return ConversationView.of(await desk.begin(id_, channel=CHANNEL, metadata=how.metadata))


async def _listed(
    store: ConversationStore, modes: tuple[Mode, ...], limit: int, cursor: str | None
) -> Page[ListedView]:
    """A page ends between two different times: what happened at the same microsecond stays together."""
    before = read_cursor(cursor, (int, float))[0] if cursor else None
    found = [
        ListedView.of(mode, one) for mode in modes for one in await store.listed(mode, before=before, limit=limit + 1)
    ]
    found.sort(key=lambda one: (-one.at, one.id))
    if len(found) <= limit:
        return Page(data=found, next_cursor=None)
    last = found[limit - 1].at
    return Page(data=[one for one in found if one.at >= last], next_cursor=cursor_of(last))


def _write(routes: APIRouter, access: Access, desk: Desk, manager: Manager, inbound: Inbound, files: FileStore) -> None:
    writes = [Depends(access.needs("conversations:write")), IDEMPOTENT]

    @routes.post(
        "/conversations/{conversation_id:path}/messages",
        dependencies=writes,
        response_model=Answered | ConversationView,
        responses={200: STREAM, 202: {"model": Accepted, "description": "Kept; it will be answered"}},
    )
    async def say(conversation_id: At, body: Message, idempotency_key: IDEMPOTENCY = None) -> Any:
        """A message of the customer, with the desk's replies; with `person` one of a person, who joins when needed."""
        if body.person is not None:
            found = [vars(await find(files, conversation_id, id)) for id in body.files]
            return ConversationView.of(
                await desk.say(conversation_id, body.person, body.text, body.message_id, files=found)
            )
        if body.files:
            raise BadInput("files are sent by a person; name them in `person`, or leave `files` out")
        id_ = body.message_id or uuid.uuid4().hex
        message = UserMessage(conversation_id, body.text, id=id_, channel=CHANNEL, metadata=body.metadata)
        if body.stream:
            if idempotency_key is not None:
                raise BadInput("a stream is not kept for an Idempotency-Key; give a message_id, which makes it once")
            return EventSourceResponse(_answer(id_, await begun(follow(manager, message))), headers=UNKEPT)
        if body.wait:
            return Answered.of(id_, await manager.handle(message))
        manager.check(message)
        await inbound.add(message)
        return Response(
            Accepted(conversation=conversation_id, message_id=id_).model_dump_json(), 202, media_type="application/json"
        )

    @routes.post("/conversations/{conversation_id:path}/feedback", status_code=201, dependencies=writes)
    async def feedback(conversation_id: At, body: Rate) -> EventView:
        """A thumb for a bot message: 1 or -1. The last one counts."""
        rated = Rated(message_id=body.message_id, rating=body.rating, comment=body.comment)
        conversation = await desk.rate(conversation_id, rated)
        return event_views(conversation.events, 0)[-1]

    @routes.post("/conversations/{conversation_id:path}/handoff", dependencies=writes)
    async def hand_off(conversation_id: At, body: HandOver | None = None) -> ConversationView:
        """Into the inbox, where a person finds it. The customer is told nothing; that is up to you."""
        how = body or HandOver()
        return ConversationView.of(await desk.hand_off(conversation_id, how.reason, how.note))


async def _answer(message_id: str, steps: Steps) -> AsyncIterator[dict[str, str]]:
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Replies):
                yield {"event": "answered", "data": Answered.of(message_id, step).model_dump_json()}
            else:
                yield {"event": "draft", "data": Reply.of(step.said).model_dump_json()}


def _follow(routes: APIRouter, access: Access, desk: Desk, store: ConversationStore) -> None:
    reads = [Depends(access.needs("conversations:read"))]

    @routes.get(
        "/conversations/{conversation_id:path}/events",
        dependencies=reads,
        response_model=Events,
        responses={200: STREAM},
    )
    async def events(
        request: Request,
        conversation_id: At,
        offset: Offset = 0,
        wait: Annotated[float, Query(ge=0, le=LONGEST_POLL_S, description="Seconds to wait for the next event.")] = 0,
        last_event_id: Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=2**31)] = None,
    ) -> Any:
        """Events from `offset` on. With `wait` it answers when there is one (long poll); with
        `Accept: text/event-stream` they come as server-sent events whose id is their offset, and a client that comes
        back with `Last-Event-ID` goes on after it. A `draft` among them, which has no id, is a reply as far as it is
        made; a later one of the same message, or the message, takes its place."""
        await desk.read(conversation_id)
        if FOREVER in request.headers.get("accept", ""):
            start = offset if last_event_id is None else last_event_id + 1
            return EventSourceResponse(_stream(store, conversation_id, start), headers=UNKEPT)
        found = await _wait(store, conversation_id, offset, wait)
        return Events(events=found, next=offset + len(found))


async def _wait(store: ConversationStore, conversation_id: str, offset: int, seconds: float) -> list[EventView]:
    async with store.watch(conversation_id) as watch:
        events = await store.since(conversation_id, offset)
        deadline = asyncio.get_running_loop().time() + seconds
        while not events and (left := deadline - asyncio.get_running_loop().time()) > 0:
            if await watch.changed(left):
                events = await store.since(conversation_id, offset)
        return event_views(list(events), offset)


async def _stream(store: ConversationStore, conversation_id: str, offset: int) -> AsyncIterator[dict[str, str]]:
    async with store.watch(conversation_id) as watch:
        while True:
            for note in watch.notes():
                if (said := drafted(note)) is not None:
                    yield {"event": "draft", "data": Reply.of(said).model_dump_json()}
            for view in event_views(list(await store.since(conversation_id, offset)), offset):
                yield {"id": str(view.offset), "event": view.event, "data": view.model_dump_json()}
                offset = view.offset + 1
            await watch.changed(LONGEST_POLL_S)


def _people(routes: APIRouter, access: Access, desk: Desk) -> None:
    writes = [Depends(access.needs("conversations:write")), IDEMPOTENT]

    @routes.post("/conversations/{conversation_id:path}/join", dependencies=writes)
    async def join(conversation_id: At, body: Join) -> ConversationView:
        """A person takes the conversation; the bot is silent from now on."""
        return ConversationView.of(await desk.join(conversation_id, body.person))

    @routes.post("/conversations/{conversation_id:path}/read", dependencies=writes)
    async def read(conversation_id: At, body: Join) -> ConversationView:
        """A person has read it, without taking it: the customer's messages show that."""
        return ConversationView.of(await desk.saw(conversation_id, body.person))

    @routes.post("/conversations/{conversation_id:path}/typing", status_code=204, dependencies=writes)
    async def typing(conversation_id: At, body: Join) -> None:
        """Shows the customer for some seconds that this person is writing."""
        await desk.typing(conversation_id, body.person)

    @routes.post("/conversations/{conversation_id:path}/release", dependencies=writes)
    async def release(conversation_id: At, body: Release | None = None) -> ConversationView:
        """Gives the conversation back to the bot."""
        return ConversationView.of(await desk.release(conversation_id, body.person if body else ""))

    @routes.post("/conversations/{conversation_id:path}/close", dependencies=writes)
    async def close(conversation_id: At, body: Close | None = None) -> ConversationView:
        """Closes it; the next archive run makes it a transcript, and a new message opens it again."""
        how = body or Close()
        return ConversationView.of(await desk.close(conversation_id, resolved=how.resolved, csat=how.csat))


def _read(routes: APIRouter, access: Access, desk: Desk) -> None:
    reads = [Depends(access.needs("conversations:read"))]

    @routes.get("/conversations/{conversation_id:path}/messages", dependencies=reads)
    async def messages(conversation_id: At, limit: Limit = 50, cursor: Cursor = None) -> Page[MessageView]:
        """What was said, oldest first."""
        events = (await desk.read(conversation_id)).events
        said = [view for n, event in enumerate(events) if (view := message_view(n, event)) is not None]
        data, following = page_of(said, lambda view: str(view.offset), cursor, limit)
        return Page(data=data, next_cursor=following)

    @routes.get("/conversations/{conversation_id:path}/transcript", dependencies=reads)
    async def transcript(conversation_id: At) -> dict[str, Any]:
        """As `transcript/1`, the form that training reads, with personal data as it was written."""
        from bot.archive import to_transcript  # brings the masks, which a server needs for nothing else

        events = (await desk.read(conversation_id)).events
        ratings = {event.message_id: event.rating for event in events if isinstance(event, Rated)}
        made: dict[str, Any] = json.loads(dumps(to_transcript(conversation_id, events, ratings=ratings)))
        return made

    @routes.get("/conversations/{conversation_id:path}", dependencies=reads)
    async def conversation(conversation_id: At, offset: Offset = 0) -> ConversationView:
        """Mode, person and the events from `offset` on, each with its own offset."""
        return ConversationView.of(await desk.read(conversation_id), offset)
