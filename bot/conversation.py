"""A conversation is the fold of its events. Nothing here does I/O and nothing is changed in place.

`fold` costs the same per event however long the conversation is; `apply` copies once per call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from bot.events import (
    REPEATS,
    ActionRan,
    ActionRejected,
    BotSaid,
    Closed,
    Event,
    FollowupSet,
    HandedOff,
    Held,
    LoopChanged,
    Paused,
    PersonJoined,
    PersonSaid,
    Queued,
    Released,
    ReminderCancelled,
    ReminderFired,
    ReminderSet,
    Restarted,
    Resumed,
    Rewound,
    Seen,
    SessionStarted,
    SlotSet,
    SlotsReset,
    Undone,
    UserSaid,
)

Mode = Literal["bot", "waiting", "person", "closed"]

WIDGET = "w-"
"""Ids of the widget's conversations begin so; no other channel speaks in them, however it came by the id."""

LISTEN = "action_listen"
EXTRACT = "action_extract_slots"
# Actions that no rule or story speaks of; what they set belongs to the message or action before them.
SILENT = (LISTEN, EXTRACT, "action_session_start")

# Sources of what the bot says about something, rather than to lead the conversation.
INFORMATIVE = frozenset({"answer", "passage", "action"})
HISTORY = 12  # turns that articles are searched with

# No rule or story looks back further than this many messages and actions.
MARKS = 120


@dataclass(frozen=True, slots=True)
class Mark:
    """A customer message or an action, with the open form and the slots as they stood before the next mark."""

    event: UserSaid | ActionRan
    loop: str | None
    slots: dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """`mode`: bot (we answer) | waiting (handed off, nobody there yet) | person (a person has it) | closed.

    `trail` are the events of this session that still count (a rewind removes some). `actions` are the names of the
    actions since the customer's last message, `rejected` those that refused to run; `replied` says whether the customer
    got a message in this turn; `loop_rejected` whether the open form was left unanswered and has not run since. `held`
    are the short messages that nobody has read yet, `reminders` those that were asked for and have not fired,
    `queued` the requests of the customer's messages that wait for their turn.
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
    replied: bool = False
    loop_rejected: bool = False
    followup: str | None = None
    paused: bool = False
    trail: tuple[Event, ...] = ()
    marks: tuple[Mark, ...] = ()
    held: tuple[Held, ...] = ()
    reminders: tuple[ReminderSet, ...] = ()
    queued: tuple[Queued, ...] = ()

    @property
    def due(self) -> float | None:
        """When the next reminder fires, in seconds since the epoch."""
        return min((due_at(reminder) for reminder in self.reminders), default=None)

    @property
    def version(self) -> int:
        return len(self.events)

    @property
    def context(self) -> tuple[str, ...]:
        """What was said before the next customer message: (desk text, customer text) of the turn before, "" if none.

        Greetings, a form's questions and the like are no context, as they are none in training (`training.pairs`).
        """
        desk = ""
        for event in reversed(self.events):
            if isinstance(event, Restarted | SessionStarted):
                break
            if isinstance(event, UserSaid):
                return (desk, event.text)
            if isinstance(event, PersonSaid) or (isinstance(event, BotSaid) and event.source in INFORMATIVE):
                desk = desk or event.text or ""
        return (desk, "")

    @property
    def history(self) -> tuple[str, ...]:
        """What both sides said since the session began, oldest first, by the rule of `context`: what articles are
        searched with."""
        said: list[str] = []
        for event in self.events:
            if isinstance(event, Restarted | SessionStarted):
                said = []
            elif isinstance(event, UserSaid | PersonSaid) or (
                isinstance(event, BotSaid) and event.source in INFORMATIVE
            ):
                said.append(event.text or "")
        return tuple(text for text in said if text)[-HISTORY:]

    def replies_to(self, message_id: str) -> tuple[BotSaid, ...] | None:
        """The replies that a message already got, or None when it was never handled."""
        if not any(isinstance(e, UserSaid) and message_id in said_ids(e) for e in self.events):
            return None
        return tuple(e for e in self.events if isinstance(e, BotSaid) and e.in_reply_to == message_id)

    def apply(self, *events: Event) -> Conversation:
        fold = _Fold(self)
        for event in events:
            fold.add(event)
        return fold.conversation()


def unread(events: Sequence[Event], *, by_person: bool) -> bool:
    """Whether a person of the desk has not read what the customer said last, or the customer what a person did. Whoever
    answers has read it."""
    for event in reversed(events):
        match event:
            case Seen() if bool(event.person) == by_person:
                return False
            case UserSaid() if event.by_customer:
                return by_person
            case Held():
                return by_person
            case PersonSaid():
                return not by_person
    return False


def said_ids(said: UserSaid) -> tuple[str, ...]:
    """The ids of the message and of those that were read with it as one."""
    return (said.message_id, *(str(part.get("id")) for part in said.parts))


def due_at(reminder: ReminderSet) -> float:
    """A time without a zone is the server's own, one that is none (an old log) has come."""
    try:
        return datetime.fromisoformat(reminder.due).timestamp()
    except ValueError:
        return 0.0


def fold(conversation_id: str, events: Iterable[Event]) -> Conversation:
    return Conversation(conversation_id).apply(*events)


class _Fold:
    """The one mutable place: a conversation while events are being added to it.

    `slots` is replaced and never changed, because conversations and marks share it.
    """

    def __init__(self, start: Conversation) -> None:
        self.id = start.id
        self.events = list(start.events)
        self.mode: Mode = start.mode
        self.person = start.person
        self.paused = start.paused
        self.trail = list(start.trail)
        self.marks = list(start.marks)
        self.slots = start.slots
        self.loop = start.loop
        self.latest = start.latest
        self.actions = list(start.actions)
        self.rejected = list(start.rejected)
        self.replied = start.replied
        self.loop_rejected = start.loop_rejected
        self.followup = start.followup
        self.held = start.held
        self.reminders = start.reminders
        self.queued = start.queued

    def conversation(self) -> Conversation:
        return Conversation(
            id=self.id,
            events=tuple(self.events),
            slots=self.slots,
            loop=self.loop,
            mode=self.mode,
            person=self.person,
            latest=self.latest,
            actions=tuple(self.actions),
            rejected=tuple(self.rejected),
            replied=self.replied,
            loop_rejected=self.loop_rejected,
            followup=self.followup,
            paused=self.paused,
            trail=tuple(self.trail),
            marks=tuple(self.marks[-MARKS:]),
            held=self.held,
            reminders=self.reminders,
            queued=self.queued,
        )

    def add(self, event: Event) -> None:
        self.events.append(event)
        self._who(event)
        self._remind(event)
        match event:
            case Held():
                self.held = (*self.held, event)
            case Queued():
                self.queued = (*self.queued, event)
            case Restarted() | SessionStarted():
                self._begin()
            case Rewound():
                self._back_to(UserSaid)
                self.followup = LISTEN  # as in Rasa: what was said before got its answer
            case Undone():
                self._back_to(ActionRan)
            case _:
                self.trail.append(event)
                self._dialogue(event)

    def _who(self, event: Event) -> None:
        """Who has the conversation; a rewind does not touch this."""
        match event:
            case UserSaid():
                self.held = () if event.by_customer else self.held
                if self.queued and event.metadata.get(REPEATS) == self.queued[0].message_id:
                    self.queued = self.queued[1:]
                if self.mode == "closed":
                    self.mode = "bot"
            case HandedOff():
                self.mode = "waiting"
            case PersonJoined(person=person) | PersonSaid(person=person):
                self.mode, self.person = "person", person
            case Released() | Restarted():
                self.mode, self.person, self.paused = "bot", None, False
            case Closed():
                self.mode, self.person = "closed", None
            case Paused():
                self.paused = True
            case Resumed():
                self.paused = False

    def _remind(self, event: Event) -> None:
        """Reminders outlast rewinds and sessions; a new one replaces that of the same name."""
        match event:
            case ReminderSet():
                self.reminders = (*(one for one in self.reminders if one.name != event.name), event)
            case ReminderFired(name=name):
                self.reminders = tuple(one for one in self.reminders if one.name != name)
            case ReminderCancelled():
                self.reminders = tuple(one for one in self.reminders if not _cancels(event, one))
            case UserSaid() if self.reminders and event.by_customer:
                self.reminders = tuple(one for one in self.reminders if not one.cancelled_by_message)
            case Restarted():
                self.reminders = ()

    def _dialogue(self, event: Event) -> None:
        if isinstance(event, HandedOff | Closed):
            self.queued = ()  # the person sees all of it
        match event:
            case UserSaid():
                self.latest, self.actions, self.rejected = event, [], []
                self.replied, self.followup = False, None
                self._mark(event)
            case BotSaid():
                self.replied = True
            case ActionRan(name=name):
                self.actions.append(name)
                self.followup = None
                if name == self.loop:
                    self.loop_rejected = False
                if name not in SILENT:
                    self._mark(event)
            case ActionRejected(name=name):
                self.rejected.append(name)
                self.followup = None
                self.loop_rejected = self.loop_rejected or name == self.loop
            case SlotSet(name=name, value=value):
                self.slots = {**self.slots, name: value}
                self._mark_again()
            case SlotsReset():
                self.slots = {}
                self._mark_again()
            case LoopChanged(name=name):
                self._open(name)
            case HandedOff() | Closed():
                self._open(None)
            case FollowupSet(name=name):
                self.followup = name

    def _open(self, loop: str | None) -> None:
        self.loop, self.loop_rejected = loop, False
        self._mark_again()

    def _mark(self, event: UserSaid | ActionRan) -> None:
        self.marks.append(Mark(event, self.loop, self.slots))
        if len(self.marks) > 2 * MARKS:
            del self.marks[:MARKS]

    def _mark_again(self) -> None:
        if self.marks:
            self.marks[-1] = Mark(self.marks[-1].event, self.loop, self.slots)

    def _begin(self) -> None:
        self.queued = ()
        self.trail, self.marks, self.slots, self.loop, self.latest = [], [], {}, None, None
        self.actions, self.rejected, self.replied = [], [], False
        self.loop_rejected, self.followup = False, None

    def _back_to(self, kind: type[UserSaid] | type[ActionRan]) -> None:
        """Forget the last event of that kind and all after it, by replaying what came before."""
        cut = max((i for i, event in enumerate(self.trail) if isinstance(event, kind)), default=0)
        kept = self.trail[:cut]
        self._begin()
        for event in kept:
            self.trail.append(event)
            self._dialogue(event)


def _cancels(cancelled: ReminderCancelled, reminder: ReminderSet) -> bool:
    """Whether all that was said of the reminder fits; nothing said fits all."""
    return (
        cancelled.name in (None, reminder.name)
        and cancelled.intent in (None, reminder.intent)
        and cancelled.entities in (None, reminder.entities)
    )
