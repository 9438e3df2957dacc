"""What goes in and out of `/api/v1/conversations`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.api.route import Body
from bot.conversation import Conversation, Mode
from bot.events import BotSaid, Event, PersonSaid, UserSaid, encode
from bot.manager import Replies
from bot.stores.store import Listed

Id = Annotated[str, Field(min_length=1, max_length=255)]
Person = Annotated[str, Field(min_length=1, max_length=100)]


class EventView(BaseModel):
    """A fact of the conversation; further fields depend on `event` (docs/serving.md)."""

    model_config = ConfigDict(extra="allow")

    offset: int
    event: str
    at: float = Field(description="Seconds since the epoch.")


class ConversationView(BaseModel):
    """`mode`: bot | waiting (for a person) | person | closed."""

    id: str
    mode: Mode
    person: str | None
    version: int = Field(description="How many events there are: the offset of the next.")
    slots: dict[str, Any]
    events: list[EventView]

    @classmethod
    def of(cls, conversation: Conversation, offset: int = 0) -> ConversationView:
        return cls(
            id=conversation.id,
            mode=conversation.mode,
            person=conversation.person,
            version=conversation.version,
            slots=conversation.slots,
            events=event_views(conversation.events[offset:], offset),
        )


class ListedView(BaseModel):
    id: str
    mode: Mode
    at: float = Field(description="Of its last event, in seconds since the epoch.")

    @classmethod
    def of(cls, mode: Mode, listed: Listed) -> ListedView:
        return cls(id=listed.id, mode=mode, at=listed.at)


class MessageView(BaseModel):
    """`by`: customer | bot | person; `id` is the message's own."""

    offset: int
    id: str
    by: Literal["customer", "bot", "person"]
    text: str
    at: float
    person: str | None = None
    in_reply_to: str | None = None


class Events(BaseModel):
    events: list[EventView]
    next: int = Field(description="The offset to go on from.")


class Reply(BaseModel):
    id: str
    text: str | None
    buttons: list[dict[str, Any]]
    image: str | None
    attachment: Any
    custom: Any
    source: str = Field(description="domain | action | answer | passage | clarify | system")
    citations: list[dict[str, Any]]

    @classmethod
    def of(cls, said: BotSaid) -> Reply:
        return cls(
            id=said.message_id,
            text=said.text,
            buttons=list(said.buttons),
            image=said.image,
            attachment=said.attachment,
            custom=said.custom,
            source=said.source,
            citations=list(said.citations),
        )


class Answered(BaseModel):
    """What the desk said to a customer's message; `replies` is empty while a person has the conversation."""

    conversation: str
    message_id: str
    mode: Mode
    replies: list[Reply]

    @classmethod
    def of(cls, message_id: str, replies: Replies) -> Answered:
        said = [Reply.of(one) for one in replies.messages]
        return cls(conversation=replies.conversation_id, message_id=message_id, mode=replies.mode, replies=said)


class Accepted(BaseModel):
    """The message is kept and will be answered: as events, and as `message.created` to your webhook."""

    conversation: str
    message_id: str
    status: Literal["accepted"] = "accepted"


class Begin(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"id": "order-4711", "metadata": {"plan": "pro"}}]}
    )

    id: Id | None = Field(default=None, description="Your own; without it one is made.")
    metadata: dict[str, Any] = Field(default_factory=dict)


class Message(Body):
    """Of the customer, or with `person` of somebody at the desk, who joins when they have not."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"text": "Do you ship to Norway?", "message_id": "m-17"}, {"text": "We do.", "person": "Ada"}]
        },
    )

    text: str = Field(default="", max_length=20_000)
    message_id: Id | None = Field(default=None, description="The same id again is the same message.")
    person: Person | None = None
    files: list[Id] = Field(
        default=[], max_length=10, description="Of the person: ids of what was sent to /api/v1/files."
    )
    metadata: dict[str, Any] = Field(default_factory=dict)
    wait: bool = Field(default=True, description="false: 202 at once, and the reply as events and webhooks.")
    stream: bool = Field(
        default=False,
        description="Server-sent events: `draft` for a reply as far as it is made, a later one of the same `id` in its "
        "place, and `answered` at the end.",
    )


class Rate(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"message_id": "b-3", "rating": 1, "comment": "Quick!"}]}
    )

    message_id: Id
    rating: Literal[-1, 1]
    comment: str = Field(default="", max_length=2000)


class HandOver(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"note": "wants an invoice"}]})

    reason: str = Field(default="asked", pattern=r"^[a-z_]{1,40}$")
    note: str = Field(default="", max_length=2000)


class Join(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"person": "Ada"}]})

    person: Person


class Release(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"person": "Ada"}]})

    person: str = Field(default="", max_length=100)


class Close(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"resolved": True, "csat": 5}]})

    resolved: bool | None = None
    csat: int | None = Field(default=None, ge=1, le=5)


def event_views(events: tuple[Event, ...] | list[Event], offset: int) -> list[EventView]:
    return [EventView(offset=offset + n, **encode(event)) for n, event in enumerate(events)]


def message_view(offset: int, event: Event) -> MessageView | None:
    """None for what is no message."""
    match event:
        case UserSaid():
            return MessageView(offset=offset, id=event.message_id, by="customer", text=event.text, at=event.at)
        case BotSaid():
            return MessageView(
                offset=offset,
                id=event.message_id,
                by="bot",
                text=event.text or "",
                at=event.at,
                in_reply_to=event.in_reply_to,
            )
        case PersonSaid():
            return MessageView(
                offset=offset, id=event.message_id, by="person", text=event.words, at=event.at, person=event.person
            )
        case _:
            return None
