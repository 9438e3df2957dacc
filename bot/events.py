"""The facts of a conversation: frozen, appended, never changed.

Every event knows when it happened (`at`, seconds since the epoch) and turns into one JSON object with its class name
under `event`. `decode` refuses an unknown name or field, so a store can never hold what the fold does not understand.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from retrieval.errors import BadInput

# Keys of `UserSaid.metadata` for what no customer wrote: a reminder or a program triggered an intent (Rasa's key); the
# id of the message that is read again, in other words or in part.
EXTERNAL, REPEATS = "is_external", "repeats"


def now() -> float:
    return time.time()


@dataclass(frozen=True, kw_only=True)
class Event:
    at: float = field(default_factory=now)


@dataclass(frozen=True, kw_only=True)
class SessionStarted(Event):
    channel: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UserSaid(Event):
    """A customer message with what was understood.

    `entities` are `{entity, value, start, end, confidence}`, `ranking` are `{name, confidence}`, best first. Messages
    that were read as one are its `parts`, `{id, text}` in their order.
    """

    text: str
    message_id: str
    intent: str | None = None
    confidence: float = 0.0
    in_scope: float = 1.0
    entities: tuple[dict[str, Any], ...] = ()
    ranking: tuple[dict[str, Any], ...] = ()
    bundle: str = ""
    channel: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    parts: tuple[dict[str, Any], ...] = ()

    @property
    def whole(self) -> str:
        """All that the customer wrote: `text` is the part of it that is dealt with."""
        return " ".join(str(part.get("text", "")).strip() for part in self.parts) if self.parts else self.text

    @property
    def by_customer(self) -> bool:
        return not (self.metadata.get(EXTERNAL) or self.metadata.get(REPEATS))


@dataclass(frozen=True, kw_only=True)
class Held(Event):
    """The customer wrote something short that the next words may go on from; a `UserSaid` that has it among its
    `parts` follows."""

    text: str
    message_id: str


@dataclass(frozen=True, kw_only=True)
class Queued(Event):
    """A further request of the same message; it has its turn when the one before has been dealt with."""

    text: str
    message_id: str


@dataclass(frozen=True, kw_only=True)
class BotSaid(Event):
    """One message of the bot. `source` is domain | action | answer | passage | clarify | waiting | system.

    `answer` is the id of the mined answer, `citations` are `{title, url}`; `message_id` is this reply's own id, and
    `in_reply_to` the customer message that it answers.
    """

    text: str | None = None
    message_id: str = ""
    in_reply_to: str = ""
    buttons: tuple[dict[str, Any], ...] = ()
    image: str | None = None
    attachment: Any = None
    custom: Any = None
    source: str = "domain"
    response: str | None = None
    answer: str | None = None
    p_correct: float | None = None
    citations: tuple[dict[str, Any], ...] = ()
    bundle: str = ""


@dataclass(frozen=True, kw_only=True)
class PersonSaid(Event):
    """A person of the support team wrote to the customer. `channel` is where they wrote it, if not at our desk: it is
    not sent there again. `files` are `{id, name, type, size}`, as those of a customer in `metadata.files`."""

    text: str
    person: str
    message_id: str = ""
    channel: str = ""
    files: tuple[dict[str, Any], ...] = ()

    @property
    def words(self) -> str:
        """The text, or the names of the files when it is empty."""
        return self.text or ", ".join(str(file.get("name", "")) for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Seen(Event):
    """All that stands before this was read: by this person of the desk, or by the customer when there is none."""

    person: str = ""


@dataclass(frozen=True, kw_only=True)
class DeliveryFailed(Event):
    """A message did not reach the customer's platform and is not tried again: `message_id` of what was said."""

    message_id: str
    channel: str
    error: str


@dataclass(frozen=True, kw_only=True)
class SlotSet(Event):
    name: str
    value: Any = None


@dataclass(frozen=True, kw_only=True)
class SlotsReset(Event):
    """Every slot has its initial value again."""


@dataclass(frozen=True, kw_only=True)
class ActionRan(Event):
    """`policy` says who chose it: rule | story | learned | form | followup | fallback | builtin,
    or "" for none."""

    name: str
    policy: str = ""
    confidence: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ActionRejected(Event):
    """An action or form would not run on this message; something else may answer it."""

    name: str


@dataclass(frozen=True, kw_only=True)
class FollowupSet(Event):
    """An action asked for this action to run next; `action_listen` ends the turn."""

    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rewound(Event):
    """The last customer message and all that followed no longer count."""


@dataclass(frozen=True, kw_only=True)
class Undone(Event):
    """The last action and all that followed no longer count."""


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    """An action silenced the bot until `Resumed`."""


@dataclass(frozen=True, kw_only=True)
class Resumed(Event):
    pass


@dataclass(frozen=True, kw_only=True)
class ReminderSet(Event):
    """An action asked to be reminded: `due` is an ISO 8601 time, `intent` what the reminder triggers."""

    name: str
    intent: str
    due: str
    entities: Any = None
    cancelled_by_message: bool = True


@dataclass(frozen=True, kw_only=True)
class ReminderCancelled(Event):
    """Without any field set, all reminders are cancelled."""

    name: str | None = None
    intent: str | None = None
    entities: Any = None


@dataclass(frozen=True, kw_only=True)
class ReminderFired(Event):
    """A reminder was due; the message that it triggers follows."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """An event of Rasa's that has no effect here; the action server gets it back as it was."""

    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LoopChanged(Event):
    """`name` is the form that is now open, None when none is."""

    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class HandedOff(Event):
    """The bot gave the conversation to the people. `reason` is one word: asked, unknown, action_failed, ..."""

    reason: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class PersonJoined(Event):
    person: str


@dataclass(frozen=True, kw_only=True)
class Released(Event):
    """A person gave the conversation back to the bot."""

    person: str = ""


@dataclass(frozen=True, kw_only=True)
class GapFound(Event):
    """A question the bot could not answer; gaps are grouped and counted for the operator."""

    text: str
    message_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Rated(Event):
    message_id: str
    rating: int
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class Scored(Event):
    """The customer's verdict on a closed conversation: 1 (bad) to 5 (good)."""

    score: int
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class Restarted(Event):
    pass


@dataclass(frozen=True, kw_only=True)
class Closed(Event):
    resolved: bool | None = None
    csat: int | None = None


_TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in Event.__subclasses__()}

_TUPLES = {"UserSaid": {"entities", "ranking", "parts"}, "BotSaid": {"buttons", "citations"}, "PersonSaid": {"files"}}


def encode(event: Event) -> dict[str, Any]:
    return {"event": type(event).__name__, **vars(event)}


def decode(data: dict[str, Any]) -> Event:
    """The event of one JSON object. Raises BadInput for an unknown name or field."""
    fields: dict[str, Any] = dict(data)
    name = fields.pop("event", None)
    cls = _TYPES.get(name) if isinstance(name, str) else None
    if cls is None:
        raise BadInput(f"unknown event {name!r}; known: {', '.join(sorted(_TYPES))}")
    for key in _TUPLES.get(cls.__name__, ()):
        if isinstance(fields.get(key), list):
            fields[key] = tuple(fields[key])
    try:
        build: Any = cls
        event: Event = build(**fields)
    except TypeError as error:
        raise BadInput(f"event {name} does not fit: {error}") from error
    return event
