"""What the people of the desk do with a conversation: take it, write, give it back, close it.

While a person has it, the bot is silent. Everything is an event, so the customer's channel hears of it at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.conversation import Conversation, Mode, unread
from bot.events import (
    BotSaid,
    Closed,
    Event,
    HandedOff,
    PersonJoined,
    PersonSaid,
    Rated,
    Released,
    Seen,
    SessionStarted,
    UserSaid,
)
from bot.gaps import Gap, gaps_of
from bot.manager import check_conversation
from bot.stores.store import MODES, ConversationStore, Lost
from retrieval.errors import BadInput, Conflict, NotFound

ATTEMPTS = 3
INBOX: tuple[Mode, ...] = ("waiting", "person")


@dataclass(frozen=True)
class Waiting:
    """A conversation in the inbox. `since` is when it was handed off, `question` the message that led to it, `latest`
    the customer's last words."""

    id: str
    mode: Mode
    person: str | None
    since: float
    reason: str
    question: str
    latest: str


class Desk:
    """Raises NotFound for a conversation that nobody began, Conflict when another person has it or it is closed."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    async def inbox(self, *, limit: int = 100) -> list[Waiting]:
        """Those that wait, longest first, then those that a person has."""
        found: list[Waiting] = []
        for mode in INBOX:
            listed = await self._store.listed(mode, limit=limit, oldest_first=True)
            found += [_waiting(await self._store.read(item.id)) for item in listed]
        return found

    async def read(self, conversation_id: str) -> Conversation:
        conversation = await self._store.read(conversation_id)
        if not conversation.events:
            raise _unknown(conversation_id)
        return conversation

    async def begin(self, conversation_id: str, *, channel: str, metadata: dict[str, Any]) -> Conversation:
        """Raises Conflict when there is one with this id."""
        check_conversation(conversation_id, channel)
        async with self._store.turn(conversation_id) as turn:
            if turn.conversation.events:
                raise Conflict(f"there is a conversation {conversation_id!r} already; write into it or give another id")
            turn.add(SessionStarted(channel=channel, metadata=metadata))
            await turn.commit()
            return turn.conversation

    async def rate(self, conversation_id: str, rated: Rated) -> Conversation:
        """Raises NotFound when the bot said no such message there."""

        def events(conversation: Conversation) -> Sequence[Event]:
            if not any(isinstance(e, BotSaid) and e.message_id == rated.message_id for e in conversation.events):
                raise NotFound(f"conversation {conversation_id!r} has no bot message {rated.message_id!r} to rate")
            return [rated]

        return await self._add(conversation_id, events)

    async def hand_off(self, conversation_id: str, reason: str, note: str = "") -> Conversation:
        """Into the inbox. Nothing happens when it is there already."""

        def events(conversation: Conversation) -> Sequence[Event]:
            if conversation.mode == "closed":
                raise Conflict(f"conversation {conversation_id!r} is closed; it opens again when the customer writes")
            return [HandedOff(reason=reason, note=note)] if conversation.mode == "bot" else []

        return await self._add(conversation_id, events)

    async def join(self, conversation_id: str, person: str) -> Conversation:
        def events(conversation: Conversation) -> Sequence[Event]:
            _may_write(conversation, person)
            return [] if conversation.mode == "person" else [PersonJoined(person=person)]

        return await self._add(conversation_id, events)

    async def say(
        self,
        conversation_id: str,
        person: str,
        text: str,
        message_id: str | None = None,
        *,
        files: Sequence[dict[str, Any]] = (),
    ) -> Conversation:
        """As this person, who joins when they have not; the same `message_id` again is said once."""
        if not text.strip() and not files:
            raise BadInput("text is empty and there is no file; write something to the customer")
        said = PersonSaid(text=text, person=person, message_id=message_id or uuid.uuid4().hex, files=tuple(files))

        def events(conversation: Conversation) -> Sequence[Event]:
            if any(isinstance(e, PersonSaid) and e.message_id == said.message_id for e in conversation.events):
                return []
            _may_write(conversation, person)
            return [said] if conversation.mode == "person" else [PersonJoined(person=person), said]

        return await self._add(conversation_id, events)

    async def saw(self, conversation_id: str, person: str) -> Conversation:
        """This person has read it; the customer's messages show that. Nothing happens when there is nothing new."""

        def events(conversation: Conversation) -> Sequence[Event]:
            new = conversation.mode != "closed" and unread(conversation.events, by_person=True)
            return [Seen(person=person)] if new else []

        return await self._add(conversation_id, events)

    async def typing(self, conversation_id: str, person: str) -> None:
        """Shows the customer for some seconds that this person is writing; it is not kept."""
        await self._store.tell(conversation_id, {"type": "typing", "person": person})

    async def release(self, conversation_id: str, person: str = "") -> Conversation:
        """Back to the bot."""

        def events(conversation: Conversation) -> Sequence[Event]:
            _may_write(conversation, person or conversation.person or "")
            return [] if conversation.mode == "bot" else [Released(person=person or conversation.person or "")]

        return await self._add(conversation_id, events)

    async def close(self, conversation_id: str, *, resolved: bool | None, csat: int | None) -> Conversation:
        def events(conversation: Conversation) -> Sequence[Event]:
            return [] if conversation.mode == "closed" else [Closed(resolved=resolved, csat=csat)]

        return await self._add(conversation_id, events)

    async def overheard(self, conversation_id: str, said: PersonSaid) -> Conversation:
        """What a person wrote on the customer's platform, whoever had the conversation; once a `message_id`."""

        def events(conversation: Conversation) -> Sequence[Event]:
            ids = (event.message_id for event in conversation.events if isinstance(event, PersonSaid))
            return [] if said.message_id in ids else [said]

        return await self._add(conversation_id, events)

    async def settle(self, conversation_id: str, mode: Mode, *, person: str = "", begin: bool = False) -> None:
        """Who has the conversation was decided elsewhere: `person`, the bot, or nobody as it is closed. One that nobody
        began is left alone, or with `begin` begun."""

        def events(conversation: Conversation) -> Sequence[Event]:
            if not conversation.events and not begin:
                return []
            if mode == "person" and conversation.mode != "person":
                return [PersonJoined(person=person)]
            if mode == "bot" and conversation.mode == "person":
                return [Released(person=conversation.person or "")]
            return [Closed()] if mode == "closed" and conversation.mode != "closed" else []

        await self._add(conversation_id, events, known=False)

    async def open_gaps(self, *, limit: int = 300) -> list[Gap]:
        """Gaps of conversations that are not archived yet; the archive keeps the others, redacted."""
        gaps: list[Gap] = []
        for mode in MODES:
            for item in await self._store.listed(mode, limit=limit):
                gaps += gaps_of(item.id, (await self._store.read(item.id)).events)
        return gaps

    async def _add(
        self, conversation_id: str, decide: Callable[[Conversation], Sequence[Event]], *, known: bool = True
    ) -> Conversation:
        for attempt in range(ATTEMPTS):
            try:
                async with self._store.turn(conversation_id) as turn:
                    if known and not turn.conversation.events:
                        raise _unknown(conversation_id)
                    turn.add(*decide(turn.conversation))
                    await turn.commit()
                    return turn.conversation
            except Lost:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")


def _waiting(conversation: Conversation) -> Waiting:
    events = conversation.events
    at = max((n for n, event in enumerate(events) if isinstance(event, HandedOff)), default=len(events) - 1)
    handed = events[at]
    return Waiting(
        id=conversation.id,
        mode=conversation.mode,
        person=conversation.person,
        since=handed.at,
        reason=handed.reason if isinstance(handed, HandedOff) else "",
        question=_last_words(events[: at + 1]),
        latest=_last_words(events),
    )


def _last_words(events: Sequence[Event]) -> str:
    said = (event for event in reversed(events) if isinstance(event, UserSaid) and event.by_customer)
    return next((event.whole for event in said), "")


def _may_write(conversation: Conversation, person: str) -> None:
    if conversation.mode == "closed":
        raise Conflict(f"conversation {conversation.id!r} is closed; it opens again when the customer writes")
    if conversation.mode == "person" and conversation.person != person:
        raise Conflict(f"{conversation.person} has conversation {conversation.id!r}; ask them to release it")


def _unknown(conversation_id: str) -> NotFound:
    return NotFound(f"no conversation {conversation_id!r}; GET /api/v1/handoffs lists those that wait")
