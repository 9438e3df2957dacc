"""What the widget sends and what it gets back, besides events."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from bot.config import FieldConfig
from bot.widget.door import Claim

MOST_THREADS = 20
MOST_FILES = 10
MOST_ATTRIBUTES = 2000
"""Characters of JSON."""

Thread = Annotated[int, Field(ge=1, le=MOST_THREADS)]
Value = str | int | float | bool | None


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Opening(Body):
    site_key: str = Field(max_length=64)
    token: str | None = Field(default=None, max_length=8000)
    locale: str = Field(default="en", max_length=35)
    user: Claim | None = None


class FilesAllowed(Body):
    """`accept` is for an `<input type=file>`."""

    accept: str
    bytes: int


class Opened(Body):
    """`greeting` is the first message to show, None for the widget's own; `starters` are suggested replies to it.
    `away` says that nobody is at the desk, until `back_at` (seconds since the epoch); `faces` are pictures by name."""

    token: str
    conversation: str
    expires_at: float
    name: str
    greeting: str | None
    starters: tuple[str, ...]
    max_chars: int
    away: bool
    away_text: str | None
    back_at: float | None
    csat: bool
    prechat: tuple[FieldConfig, ...]
    files: FilesAllowed | None
    faces: dict[str, str]
    strings: dict[str, str]


class OfThread(Body):
    """`thread` counts the conversations of a visitor from 1."""

    thread: Thread = 1


class Spoken(OfThread):
    """`attributes` are what the page and the form before the chat say about the customer, unverified."""

    id: str = Field(min_length=1, max_length=64)
    title: str = Field(default="", max_length=300)
    attributes: dict[str, Value] | None = None

    @field_validator("attributes")
    @classmethod
    def _short(cls, attributes: dict[str, Value] | None) -> dict[str, Value] | None:
        if attributes and len(json.dumps(attributes)) > MOST_ATTRIBUTES:
            raise ValueError(f"attributes are longer than {MOST_ATTRIBUTES} characters of JSON; send fewer")
        return attributes


class Said(Spoken):
    """A customer message. The same `id` again is the same message; `title` is what the customer saw on the button;
    `files` are ids of what was sent to /widget/files before."""

    text: str
    files: tuple[str, ...] | None = Field(default=None, max_length=MOST_FILES)


class Asked(Spoken):
    """The customer asks for a person."""

    text: str = ""
    files: None = None


class Rating(OfThread):
    id: str
    rating: Literal[-1, 1]
    comment: str = Field(default="", max_length=2000)


class Score(OfThread):
    score: int = Field(ge=1, le=5)
    comment: str = Field(default="", max_length=2000)


class Accepted(Body):
    id: str


class ThreadSummary(Body):
    """A conversation of the visitor: its last words, when they were said, and the offset behind its last event."""

    thread: int
    title: str
    at: float
    mode: str
    next: int


class Threads(Body):
    threads: list[ThreadSummary]


class SaidFrame(Said):
    type: Literal["messages"]


class AskedFrame(Asked):
    type: Literal["handoff"]


FRAMES: TypeAdapter[SaidFrame | AskedFrame] = TypeAdapter(
    Annotated[SaidFrame | AskedFrame, Field(discriminator="type")]
)


def metadata(said: Said | Asked, files: list[dict[str, Any]], user: dict[str, Any] | None) -> dict[str, Any]:
    """What is kept with a message, and what actions read: only what is there."""
    found = {"title": said.title, "attributes": said.attributes, "files": files, "user": user}
    return {key: value for key, value in found.items() if value}
