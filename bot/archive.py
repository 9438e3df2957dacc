"""Closed conversations become transcripts: redacted, kept in SQL, then written to the folder that training reads.

Each step may be repeated after a crash: SQL fixes what a transcript holds, the folder takes an id once, and a
conversation leaves Redis' indexes only when SQL has all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from bot.conversation import Conversation, Mode
from bot.events import (
    ActionRan,
    BotSaid,
    Closed,
    Event,
    HandedOff,
    PersonJoined,
    PersonSaid,
    Rated,
    Scored,
    SessionStarted,
    UserSaid,
    now,
)
from bot.gaps import Gap, gaps_of
from bot.payload import parse_payload
from bot.redaction import Redactor, redact
from bot.stores.sql import Archived, Rating, Records
from bot.stores.store import ConversationStore
from bot.transcript import TranscriptFolder
from bot.transcript_schema import Outcome, Transcript, Turn, clean, dumps, iso, loads

log = structlog.get_logger()

SOURCE = "deskhand"
BATCH = 200
IDLE_MODES: tuple[Mode, ...] = ("bot", "person")


@dataclass(frozen=True)
class Report:
    """`closed`: idle ones that were closed now; `archived`: conversations; `written`: new transcripts in the folder."""

    closed: int = 0
    archived: int = 0
    written: int = 0


class Archive:
    def __init__(
        self,
        *,
        store: ConversationStore,
        records: Records,
        folder: TranscriptFolder,
        redactor: Redactor,
        idle_s: float,
        keep_s: float,
    ) -> None:
        """`idle_s`: silent for so long, a conversation is closed; `keep_s`: how long Redis keeps an archived one."""
        self._store = store
        self._records = records
        self._folder = folder
        self._redactor = redactor
        self._idle_s = idle_s
        self._keep_s = keep_s

    async def run(self) -> Report:
        """Raises Unavailable when Redis or SQL is gone; running again goes on where it stopped."""
        closed = await self._close_idle()
        archived = 0
        while batch := await self._store.listed("closed", limit=BATCH, oldest_first=True):
            done = [await self._archive(item.id) for item in batch]
            archived += sum(done)
            if not any(done):
                break  # all of them were written to in the meantime: their turn comes with the next run
        written = await asyncio.to_thread(self._write)
        if archived or written:
            log.info("archived", closed=closed, conversations=archived, transcripts=written)
        return Report(closed, archived, written)

    async def _close_idle(self) -> int:
        """Conversations that wait for a person are left alone: closing them would drop them from the inbox."""
        closed, before = 0, now() - self._idle_s
        for mode in IDLE_MODES:
            for item in await self._store.listed(mode, before=before, limit=10_000, oldest_first=True):
                async with self._store.turn(item.id) as turn:
                    if turn.conversation.mode == mode and turn.conversation.events[-1].at < before:
                        turn.add(Closed())
                        await turn.commit()
                        closed += 1
        return closed

    async def _archive(self, conversation_id: str) -> bool:
        conversation = await self._store.read(conversation_id)
        await asyncio.to_thread(self._record, conversation)
        # Another worker may have archived a shorter reading of it: only what SQL has all of may leave the index.
        if await asyncio.to_thread(self._records.archived_to, conversation_id) != conversation.version:
            return False
        return await self._store.retire(conversation_id, version=conversation.version, keep_s=self._keep_s)

    def _record(self, conversation: Conversation) -> None:
        begin = self._records.archived_to(conversation.id)
        redactor = self._redactor.knowing(_people(conversation.events))
        for start, end in sessions(conversation.events, begin):
            transcript = self._transcript(conversation, start, end)
            line = dumps(redact(transcript, redactor)) if transcript.turns else ""
            self._records.add_archived(Archived(conversation.id, start, end, line))
        self._records.add_gaps(self._masked(gap) for gap in gaps_of(conversation.id, conversation.events[begin:]))
        self._records.add_ratings(_ratings(conversation, self._redactor))

    def _transcript(self, conversation: Conversation, start: int, end: int) -> Transcript:
        made = to_transcript(conversation.id, conversation.events[start:end], ratings=_rating_of(conversation.events))
        name = self._redactor.pseudonym(conversation.id)
        return replace(made, id=f"{SOURCE}-{name}-{start}")

    def _masked(self, gap: Gap) -> Gap:
        return replace(gap, text=self._redactor.start().text(clean(gap.text), "customer"))

    def _write(self) -> int:
        written = 0
        while rows := self._records.unwritten(limit=1000):
            written += self._folder.add([loads(row.transcript) for row in rows], SOURCE).new
            self._records.mark_written(rows)
        return written


def sessions(events: Sequence[Event], begin: int) -> Iterator[tuple[int, int]]:
    """`[start, end)` of each session from `begin` on: one ends where it was closed, with the customer's score behind
    it. What follows the last close (a late rating) is a part of its own."""
    start = begin
    for position in range(begin, len(events)):
        following = events[position + 1] if position + 1 < len(events) else None
        over = isinstance(events[position], Closed | Scored) and not isinstance(following, Scored)
        if over or following is None:
            yield start, position + 1
            start = position + 1


def to_transcript(conversation_id: str, events: Sequence[Event], *, ratings: dict[str, int]) -> Transcript:
    """Not yet redacted, with the conversation's id for the customer."""
    made = (turn for event, action in _with_actions(events) if (turn := _turn(event, action, ratings)) is not None)
    turns = tuple(replace(turn, text=clean(turn.text)) for turn in made)
    started = next((event for event in events if isinstance(event, SessionStarted)), None)
    said = next((event for event in events if isinstance(event, UserSaid)), None)
    closed = next((event for event in events if isinstance(event, Closed)), Closed())
    scores = [event.score for event in events if isinstance(event, Scored)]
    csat = scores[-1] if scores else closed.csat
    handed = next((event for event in events if isinstance(event, HandedOff)), None)
    return Transcript(
        id=conversation_id,
        source=SOURCE,
        channel=said.channel if said else started.channel if started else "",
        started_at=iso(turns[0].at) if turns and turns[0].at is not None else None,
        customer=conversation_id,
        outcome=Outcome(closed.resolved, csat, handed is not None, handed.reason if handed else None),
        turns=turns,
    )


def _with_actions(events: Sequence[Event]) -> Iterator[tuple[Event, str | None]]:
    """Each event with the action that it came from; one that the learned policy chose teaches it nothing."""
    action = None
    for event in events:
        if isinstance(event, ActionRan):
            action = event.name if event.policy != "learned" else None
        elif isinstance(event, UserSaid):
            action = None
        yield event, action


def _turn(event: Event, action: str | None, ratings: dict[str, int]) -> Turn | None:
    match event:
        case UserSaid() if event.by_customer:
            text = _words(event)
            said = Turn("customer", text, event.at, event.intent, event.entities, bundle=event.bundle)
            return said if text else None
        case BotSaid(text=str(text)) if text.strip():
            rating = ratings.get(event.message_id)
            given = action if event.source in ("domain", "action") else None
            return Turn("bot", text, event.at, answer=event.answer, bundle=event.bundle, rating=rating, action=given)
        case PersonSaid():
            return Turn("agent", event.words, event.at)
        case _:
            return None


def _words(event: UserSaid) -> str:
    """What the customer saw: the label of a button, not the payload behind it; nothing when there was no label."""
    if title := event.metadata.get("title"):
        return str(title)
    return "" if parse_payload(event.text) else event.whole


def _people(events: Sequence[Event]) -> set[str]:
    """Who of the desk joined: their names are masked as a customer's is."""
    return {event.person for event in events if isinstance(event, PersonJoined | PersonSaid)}


def _rating_of(events: Sequence[Event]) -> dict[str, int]:
    return {event.message_id: event.rating for event in events if isinstance(event, Rated)}


def _ratings(conversation: Conversation, redactor: Redactor) -> list[Rating]:
    return [
        Rating(conversation.id, e.message_id, e.rating, redactor.start().text(clean(e.comment), "customer"), e.at)
        for e in conversation.events
        if isinstance(e, Rated)
    ]
