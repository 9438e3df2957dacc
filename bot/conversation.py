"""A conversation is the fold of its events. Nothing here does I/O and nothing is changed in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bot.events import (
    ActionRan,
    ActionRejected,
    BotSaid,
    Closed,
    Event,
    HandedOff,
    LoopChanged,
    PersonJoined,
    PersonSaid,
    Released,
    Restarted,
    SessionStarted,
    SlotSet,
    UserSaid,
)

Mode = Literal["bot", "waiting", "person", "closed"]


@dataclass(frozen=True)
class Conversation:
    """`mode`: bot (we answer) | waiting (handed off, nobody there yet) | person (a person has it) | closed.

    `actions` are the names of the actions since the customer's last message, `rejected` those that refused to run.
    """

    id: str
    events: tuple[Event, ...] = ()
    slots: dict[str, Any] = field(default_factory=dict)
    loop: str | None = None
    mode: Mode = "bot"
    person: str | None = None
    latest: UserSaid | None = None
    actions: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        return len(self.events)

    @property
    def context(self) -> tuple[str, ...]:
        """What was said before the next customer message: (previous desk text, previous customer text), "" if none."""
        desk = customer = ""
        for event in self.events:
            if isinstance(event, UserSaid):
                customer = event.text
            elif isinstance(event, BotSaid | PersonSaid) and event.text:
                desk = event.text
            elif isinstance(event, Restarted | SessionStarted):
                desk = customer = ""
        return (desk, customer)

    def replies_to(self, message_id: str) -> tuple[BotSaid, ...] | None:
        """The replies that a message already got, or None when it was never handled."""
        if not any(isinstance(e, UserSaid) and e.message_id == message_id for e in self.events):
            return None
        return tuple(e for e in self.events if isinstance(e, BotSaid) and e.in_reply_to == message_id)

    def apply(self, event: Event) -> Conversation:
        now = replace(self, events=(*self.events, event))
        match event:
            case UserSaid():
                mode: Mode = "bot" if self.mode == "closed" else self.mode
                return replace(now, latest=event, actions=(), rejected=(), mode=mode)
            case SlotSet(name=name, value=value):
                return replace(now, slots={**self.slots, name: value})
            case ActionRan(name=name):
                return replace(now, actions=(*self.actions, name))
            case ActionRejected(name=name):
                return replace(now, rejected=(*self.rejected, name))
            case LoopChanged(name=name):
                return replace(now, loop=name)
            case HandedOff():
                return replace(now, mode="waiting", loop=None)
            case PersonJoined(person=person) | PersonSaid(person=person):
                return replace(now, mode="person", person=person)
            case Released():
                return replace(now, mode="bot", person=None)
            case Closed():
                return replace(now, mode="closed", person=None, loop=None)
            case Restarted():
                return replace(now, slots={}, loop=None, mode="bot", person=None, latest=None, actions=(), rejected=())
            case _:
                return now


def fold(conversation_id: str, events: Iterable[Event]) -> Conversation:
    conversation = Conversation(conversation_id)
    for event in events:
        conversation = conversation.apply(event)
    return conversation
