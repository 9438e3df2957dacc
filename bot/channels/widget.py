"""The widget's channel over HTTP: sessions, threads, messages; events as a stream or by long polls.

It translates and decides nothing: what a customer writes goes to `Manager.handle`, what the store holds comes back
through the allow-list of `bot.widget.view`. The WebSocket is in `widget_socket.py`, files are in `widget_files.py`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request
from sse_starlette import EventSourceResponse
from starlette.requests import HTTPConnection

from bot.config import Config
from bot.conversation import Conversation, unread
from bot.events import BotSaid, Closed, Event, PersonSaid, Rated, Scored, Seen, UserSaid, now
from bot.files import FileStore, find
from bot.manager import Manager, UserMessage
from bot.stores.rates import Rates
from bot.widget.bodies import (
    MOST_THREADS,
    Accepted,
    Asked,
    OfThread,
    Opened,
    Opening,
    Rating,
    Said,
    Score,
    Thread,
    Threads,
    ThreadSummary,
    metadata,
)
from bot.widget.door import Door
from bot.widget.links import Links
from bot.widget.tokens import Session, Tokens
from bot.widget.view import Frame, feed, words_of
from bot.widget.welcome import welcome
from retrieval.errors import Conflict, DeskhandError, NotAllowed, NotFound, Unavailable

log = structlog.get_logger()

ASK_PERSON = "/talk_to_person"
DOWN = "our desk cannot answer just now; please try again in a moment"
TITLE_CHARS = 80


class Channel:
    """What every route needs: the manager, the store, the door, the files."""

    def __init__(
        self, manager: Manager, config: Config, tokens: Tokens, rates: Rates, files: FileStore, links: Links
    ) -> None:
        self.manager = manager
        self.store = manager.store
        self.config = config
        self.door = Door(config.channels.widget, config.rates, tokens, rates)
        self.files = files
        self.links = links

    def conversation(self, session: Session, thread: int) -> str:
        return session.thread("" if thread == 1 else str(thread))

    async def hear(self, connection: HTTPConnection, session: Session, said: Said | Asked) -> None:
        await self.door.count_message(connection, session)
        conversation = self.conversation(session, said.thread)
        found = [vars(await find(self.files, conversation, id)) for id in said.files or ()]
        user = {"id": session.user.id, "traits": session.user.traits} if session.user else None
        text = ASK_PERSON if isinstance(said, Asked) else said.text or ", ".join(file["name"] for file in found)
        silent = bool(found) and not said.text
        kept = {**metadata(said, found, user), **({"files_only": True} if silent else {})}
        # What a file shows is for people: nothing here reads it, and its name may say anything.
        payload = (ASK_PERSON.removeprefix("/"), ()) if silent else None
        message = UserMessage(conversation, text, id=said.id, channel="widget", metadata=kept, payload=payload)
        try:
            await self.manager.handle(message)
        except DeskhandError as error:
            if error.status < 500:
                raise
            log.error("a widget message was not handled", conversation=conversation, error=str(error))
            raise Unavailable(DOWN) from error  # paths and addresses are for the log, not for customers

    async def rate(self, session: Session, rating: Rating) -> None:
        async with self.store.turn(self.conversation(session, rating.thread)) as turn:
            said = (e.message_id for e in turn.conversation.events if isinstance(e, BotSaid))
            if rating.id not in said:
                raise NotFound(f"this conversation has no bot message {rating.id!r} to rate")
            turn.add(Rated(message_id=rating.id, rating=rating.rating, comment=rating.comment))
            await turn.commit()

    async def saw(self, session: Session, thread: int) -> None:
        """What people of the desk wrote was on the customer's screen."""
        async with self.store.turn(self.conversation(session, thread)) as turn:
            if turn.conversation.mode != "closed" and unread(turn.conversation.events, by_person=False):
                turn.add(Seen())
            await turn.commit()

    async def close(self, session: Session, thread: int) -> None:
        await self._add(session, thread, Closed(), unless="closed")

    async def score(self, session: Session, score: Score) -> None:
        """Only of a closed conversation: the score ends what the archive makes of it."""
        await self._add(session, score.thread, Scored(score=score.score, comment=score.comment), only="closed")

    async def _add(self, session: Session, thread: int, event: Event, *, unless: str = "", only: str = "") -> None:
        async with self.store.turn(self.conversation(session, thread)) as turn:
            if not turn.conversation.events:
                raise NotFound("nothing has been said in this conversation yet; write a message first")
            if only and turn.conversation.mode != only:
                raise Conflict(f"this conversation is not {only}; end it first")
            if turn.conversation.mode != unless:
                turn.add(event)
            await turn.commit()

    async def threads(self, session: Session) -> list[ThreadSummary]:
        """Those in which something was said, the latest first."""
        read = [(n, await self.store.read(self.conversation(session, n))) for n in range(1, MOST_THREADS + 1)]
        found = [_summary(thread, conversation) for thread, conversation in read if conversation.events]
        return sorted(found, key=lambda one: one.at, reverse=True)

    async def feed(self, session: Session, thread: int, offset: int) -> AsyncGenerator[Frame, None]:
        """`view.feed`, with an address for each file."""
        conversation = self.conversation(session, thread)
        async with aclosing(feed(self.store, conversation, offset)) as frames:
            async for frame in frames:
                for event in frame.get("events", ()):
                    if event["kind"] in ("customer", "person"):
                        for file in event.get("files", ()):
                            file["url"] = self.links.sign(f"{conversation}/{file['id']}")
                yield frame


def _summary(thread: int, conversation: Conversation) -> ThreadSummary:
    said = [
        event
        for event in conversation.events
        if isinstance(event, BotSaid | PersonSaid) or (isinstance(event, UserSaid) and event.by_customer)
    ]
    text = next((text for event in reversed(said) if (text := words_of(event))), "")
    at, version = conversation.events[-1].at, conversation.version
    return ThreadSummary(thread=thread, title=text[:TITLE_CHARS], at=at, mode=conversation.mode, next=version)


def channel_of(connection: HTTPConnection) -> Channel:
    channel: Channel = connection.app.state.widget
    return channel


def _session(request: Request) -> Session:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotAllowed("send the header 'Authorization: Bearer <token>' with a token from POST /widget/session")
    return channel_of(request).door.admit(request, token)


ChannelOf = Annotated[Channel, Depends(channel_of)]
SessionOf = Annotated[Session, Depends(_session)]
router = APIRouter(prefix="/widget", tags=["widget"])


@router.post("/session")
async def open_session(request: Request, opening: Opening, channel: ChannelOf) -> Opened:
    """A short-lived token for one visitor: the one of the old token when it is given and ours, else a new one."""
    token, session = await channel.door.open(request, opening.site_key, opening.token, opening.user)
    site = channel.door.site(opening.site_key)
    return welcome(channel.config, site, session, token, locale=opening.locale, at=now())


@router.get("/threads")
async def threads(channel: ChannelOf, session: SessionOf) -> Threads:
    """The visitor's conversations, the latest first. A new one begins with its first message."""
    return Threads(threads=await channel.threads(session))


@router.post("/messages")
async def say(request: Request, said: Said, channel: ChannelOf, session: SessionOf) -> Accepted:
    """Stored and answered when this returns; the reply comes as events."""
    await channel.hear(request, session, said)
    return Accepted(id=said.id)


@router.post("/handoff")
async def ask_person(request: Request, asked: Asked, channel: ChannelOf, session: SessionOf) -> Accepted:
    await channel.hear(request, session, asked)
    return Accepted(id=asked.id)


@router.post("/seen", status_code=204)
async def saw(request: Request, which: OfThread, channel: ChannelOf, session: SessionOf) -> None:
    """The customer has read what people of the desk wrote; the desk sees that."""
    await channel.door.count_message(request, session)
    await channel.saw(session, which.thread)


@router.post("/feedback")
async def rate(request: Request, rating: Rating, channel: ChannelOf, session: SessionOf) -> Accepted:
    """Thumbs up (1) or down (-1) on the bot message `id`; the last one counts."""
    await channel.door.count_message(request, session)
    await channel.rate(session, rating)
    return Accepted(id=rating.id)


@router.post("/close", status_code=204)
async def close(request: Request, which: OfThread, channel: ChannelOf, session: SessionOf) -> None:
    """The customer ends the conversation; a later message opens it again."""
    await channel.door.count_message(request, session)
    await channel.close(session, which.thread)


@router.post("/score", status_code=204)
async def score(request: Request, score: Score, channel: ChannelOf, session: SessionOf) -> None:
    """1 to 5 for a conversation that has been closed; the last one counts."""
    await channel.door.count_message(request, session)
    await channel.score(session, score)


@router.get("/events")
async def events(channel: ChannelOf, session: SessionOf, offset: int = 0, thread: Thread = 1) -> EventSourceResponse:
    """Frames `{"type": "events", "next", "events"}` from `offset` on, as server-sent events."""

    async def stream() -> AsyncIterator[dict[str, str]]:
        # The store is gone: the stream ends, and the widget comes back with its offset.
        with suppress(Unavailable):
            async for frame in channel.feed(session, thread, max(offset, 0)):
                yield {"data": json.dumps(frame)}

    return EventSourceResponse(stream(), headers={"cache-control": "no-store", "x-accel-buffering": "no"})


@router.get("/poll")
async def poll(
    channel: ChannelOf, session: SessionOf, offset: int = 0, thread: Thread = 1, wait: bool = True
) -> dict[str, Any]:
    """One frame: what was said since `offset`, or else the next thing that happens, after 20 s at the latest."""
    async with aclosing(channel.feed(session, thread, max(offset, 0))) as frames:
        frame = await anext(frames)
        if wait and not frame["events"] and "reset" not in frame and frame["next"] == offset:
            frame = await anext(frames)
        return frame
