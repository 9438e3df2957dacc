"""What the API's routes ask for, over the manager's parts: messages understood, actions run, events written."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot import actions
from bot.channels.rest import render
from bot.conversation import Conversation, fold
from bot.domain import Domain
from bot.events import BotSaid, Event, Restarted, UserSaid, now
from bot.hearing import hear, listen, named
from bot.manager import Manager
from bot.messages import Replies, UserMessage
from bot.payload import parse_payload
from bot.rasa_api.failure import Failure
from bot.rasa_api.parsing import understood
from bot.rasa_api.predicting import action_names, predicted, prediction
from bot.rasa_api.trackers import Verbosity, tracker
from bot.session import open_session
from bot.steps import Candidates
from bot.tracker import from_rasa
from retrieval.errors import BadInput


@dataclass(frozen=True)
class Understood:
    said: UserSaid
    candidates: Candidates
    shown: dict[str, Any]


class Service:
    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self.store = manager.store
        self.domain: Domain = manager.domain

    @property
    def model(self) -> str | None:
        return self.manager.engines.id

    def shown(self, conversation: Conversation, verbosity: Verbosity) -> dict[str, Any]:
        return tracker(conversation, self.domain, verbosity, model=self.model)

    async def read(self, conversation_id: str) -> Conversation:
        """As Rasa does: one that nobody knows has just begun. Nothing is stored by reading."""
        conversation = await self.store.read(conversation_id)
        return conversation.apply(*open_session(conversation, self.domain)) if not conversation.events else conversation

    async def understand(self, text: str, conversation: Conversation | None = None) -> Understood:
        engine = self.manager.engines.engine
        if payload := named(text, engine, self.domain):
            said = UserSaid(text=text, message_id="", intent=payload[0], confidence=1.0, entities=tuple(payload[1]))
            return Understood(
                said, Candidates(), understood(text, (), payload[1], self.domain, explicit=True, said=said)
            )
        message = UserMessage("", text)
        before = conversation or Conversation("")
        heard = await asyncio.to_thread(listen, engine, message, before)
        said, candidates = await asyncio.to_thread(hear, engine, self.manager.finder, message, before, heard)
        ranking = [(one.name, one.confidence) for one in heard.ranking]
        return Understood(said, candidates, understood(text, ranking, said.entities, self.domain))

    async def write(self, conversation_id: str, make: Callable[[Conversation], Sequence[Event]]) -> Conversation:
        """Adds the events that `make` gives, after a session start when the conversation is new."""
        async with self.store.turn(conversation_id) as turn:
            if not turn.conversation.events:
                turn.add(*open_session(turn.conversation, self.domain))
            turn.add(*make(turn.conversation))
            await turn.commit()
            return turn.conversation

    async def log(self, conversation_id: str, text: str, parsed: dict[str, Any] | None) -> Conversation:
        """A message of the customer's that nobody answers."""
        if parsed is None:
            said = (await self.understand(text)).said
        else:
            said = _event({"event": "user", "text": text, "parse_data": parsed})
        kept = replace(said, message_id=uuid.uuid4().hex, at=now())
        return await self.write(conversation_id, lambda _: [kept])

    async def run(
        self, conversation_id: str, name: str, confidence: float
    ) -> tuple[Conversation, list[dict[str, Any]]]:
        """Runs one action outside any turn; the conversation, and what was said as the REST channel shows it."""
        if name not in action_names(self.domain) and not self.domain.has_action(name):
            known = "".join(f"\n\t - {one}" for one in action_names(self.domain))
            raise Failure(
                500, "ConversationError",
                f"An unexpected error occurred. Error: Cannot access action '{name}', as that name is not a registered "
                f"action for this domain. Available actions are: {known}",
            )  # fmt: skip
        async with self.store.turn(conversation_id) as turn:
            if not turn.conversation.events:
                turn.add(*open_session(turn.conversation, self.domain))
            before = turn.conversation.version
            server = self.manager.server
            ran = await actions.run(name, turn.conversation, self.domain, server, confidence=confidence)
            turn.add(*(_named(event) for event in ran))
            await turn.commit()
            said = [event for event in turn.conversation.events[before:] if isinstance(event, BotSaid)]
        return turn.conversation, [message for one in said for message in render(conversation_id, one)]

    async def trigger(self, conversation_id: str, intent: str, entities: Sequence[dict[str, Any]]) -> Replies:
        if intent.partition("/")[0] not in self.domain.intents:
            raise Failure(404, "NotFound", f"The intent {intent} does not exist in the domain.")
        latest = (await self.store.read(conversation_id)).latest
        return await self.manager.trigger(conversation_id, intent, entities, channel=latest.channel if latest else "")

    async def predict(self, conversation_id: str) -> tuple[Conversation, dict[str, Any]]:
        conversation = await self.read(conversation_id)
        latest, candidates = conversation.latest, Candidates()
        if latest is not None and parse_payload(latest.text) is None and latest.ranking:
            candidates = (await self.understand(latest.text, conversation)).candidates
        return conversation, self.next_of(conversation, candidates, ranked=True)

    def next_of(self, conversation: Conversation, candidates: Candidates, *, ranked: bool) -> dict[str, Any]:
        limits = self.manager.limits(self.manager.engines.engine)
        return prediction(predicted(conversation, self.domain, candidates, limits), self.domain, ranked=ranked)


def _named(event: Event) -> Event:
    if isinstance(event, BotSaid) and not event.message_id:
        return replace(event, message_id=uuid.uuid4().hex)
    return event


def read_events(data: Any) -> list[Event]:
    """One event or a list of them, each when its `timestamp` says. Raises Failure 400 for what is none."""
    items = data if isinstance(data, list) else [data]
    return [_event(item) for item in items]


def _event(item: Any) -> Any:
    try:
        if not isinstance(item, dict):
            raise BadInput(f"{item!r} is no object")
        made = from_rasa(item)
    except (BadInput, ValueError, TypeError) as error:
        raise Failure(
            400, "BadRequest",
            "Failed to validate the events format. For more information about the format visit the docs. "
            f"Error: {item!r} is not valid: {error}",
            help="docs/rasa.md",
        ) from error  # fmt: skip
    at = item.get("timestamp")
    return replace(made, at=float(at)) if isinstance(at, int | float) else made


def folded(data: Any, conversation_id: str = "default") -> Conversation:
    return fold(conversation_id, read_events(data))


def replaced(events: Sequence[Event]) -> list[Event]:
    """Facts are never deleted: what was before no longer counts, and only `include_events=ALL` still shows it."""
    return [Restarted(), *events]
