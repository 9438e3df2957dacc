"""What a customer sees of a conversation: an allow-list. Intents, slots, scores and provenance stay inside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

from bot.events import (
    BotSaid,
    Closed,
    Event,
    HandedOff,
    Held,
    PersonJoined,
    PersonSaid,
    Rated,
    Released,
    Scored,
    Seen,
    UserSaid,
)
from bot.events import decode as decode_event
from bot.stores.store import ConversationStore, Note
from bot.widget.cards import cards, files

ALIVE_S = 20.0
"""Something is said at least this often, so that both ends notice a dead line. The widget waits 45 s."""

RATABLE = frozenset({"answer", "passage", "action"})
"""Sources of answers. Greetings and questions of a form are not worth a thumb."""

Frame = dict[str, Any]


def public(offset: int, event: Event) -> Frame | None:
    """One event as the widget gets it, or None when it is not the customer's business.

    `kind` is customer | bot | person | notice | rating | score | seen (by a person of the desk); a notice says
    waiting | joined | released | closed.
    """
    seen = _seen(event)
    return None if seen is None else {"offset": offset, "at": event.at, **seen}


def _seen(event: Event) -> Frame | None:
    match event:
        case Held():
            return {"kind": "customer", "id": event.message_id, "text": event.text}
        case UserSaid() if event.by_customer and not _shown(event):
            return {"kind": "customer", "id": event.message_id, "text": _words(event), **_attached(event)}
        case BotSaid():
            return _bot(event)
        case PersonSaid():
            return {
                "kind": "person",
                "id": event.message_id,
                "text": event.text,
                "person": event.person,
                **({"files": [dict(one) for one in event.files]} if event.files else {}),
            }
        case Seen(person=person) if person:
            return {"kind": "seen"}
        case Rated():
            return {"kind": "rating", "in_reply_to": event.message_id, "rating": event.rating}
        case Scored():
            return {"kind": "score", "score": event.score}
        case HandedOff():
            return {"kind": "notice", "notice": "waiting"}
        case PersonJoined():
            return {"kind": "notice", "notice": "joined", "person": event.person}
        case Released():
            return {"kind": "notice", "notice": "released", "person": event.person}
        case Closed():
            return {"kind": "notice", "notice": "closed"}
        case _:
            return None


def _shown(event: UserSaid) -> bool:
    """Whether the last of the messages that were read as one was held before, and seen then."""
    return bool(event.parts) and bool(event.parts[-1].get("held"))


def words_of(event: UserSaid | BotSaid | PersonSaid) -> str:
    if isinstance(event, UserSaid):
        return _words(event) or event.text
    return event.words if isinstance(event, PersonSaid) else event.text or ""


def _words(event: UserSaid) -> str:
    """What the customer saw: the label of the button, not the payload behind it; of several parts the last; nothing
    beside a file alone."""
    title = event.metadata.get("title")
    if isinstance(title, str) and title:
        return title
    if event.metadata.get("files_only"):
        return ""
    return str(event.parts[-1].get("text")) if event.parts else event.text


def _attached(event: UserSaid) -> Frame:
    found = event.metadata.get("files")
    return {"files": [dict(one) for one in found]} if found else {}


def _bot(event: BotSaid) -> Frame | None:
    body = {
        "text": event.text or "",
        "buttons": [_button(button) for button in event.buttons if button.get("title")],
        "image": event.image if isinstance(event.image, str) else "",
        "cards": cards(event.attachment),
        "files": files(event.attachment),
    }
    if not any(body.values()):
        return None
    return {
        "kind": "bot",
        "id": event.message_id,
        "in_reply_to": event.in_reply_to,
        "ratable": event.source in RATABLE,
        "citations": [_citation(citation) for citation in event.citations],
        **{key: value for key, value in body.items() if value or key in ("text", "buttons")},
    }


def _button(button: dict[str, Any]) -> Frame:
    return {"title": str(button["title"]), "payload": str(button.get("payload") or button["title"])}


def _citation(citation: dict[str, Any]) -> Frame:
    return {key: str(citation.get(key) or "") for key in ("title", "url", "quote") if key != "quote" or key in citation}


def frame(offset: int, events: Sequence[Event], *, reset: bool = False) -> Frame:
    """The events from `offset` on as one message; `next` is where to go on from."""
    shown: Iterable[Frame | None] = (public(offset + i, event) for i, event in enumerate(events))
    body = {"type": "events", "next": offset + len(events), "events": [one for one in shown if one is not None]}
    return {**body, "reset": True} if reset else body


def passing(note: Note) -> Frame | None:
    """What passes and is not kept: `{"type": "typing", "person"}`, None for the assistant that is at work; or
    `{"type": "draft", "event"}` for a reply whose turn still goes on. A later draft of the same id replaces the one
    before it, and the event replaces both."""
    match note:
        case {"type": "typing", "person": str(person)}:
            return {"type": "typing", "person": person}
        case {"type": "busy"}:
            return {"type": "typing", "person": None}
        case {"type": "draft", "event": dict(event)}:
            said = decode_event(event)
            seen = _seen(said)
            return None if seen is None else {"type": "draft", "event": {"at": said.at, **seen}}
        case _:
            return None


async def feed(store: ConversationStore, conversation_id: str, offset: int) -> AsyncGenerator[Frame, None]:
    """What was said since `offset`, at once, then whatever is said next; `{"type": "alive"}` in silence.

    An offset that lies behind the end means that the conversation has been forgotten here: the first frame then
    starts from 0 and says `reset`. Raises Unavailable when the store is gone.
    """
    async with store.watch(conversation_id) as watch:
        # From one earlier: an event there proves that the offset is not behind the end.
        events = await store.since(conversation_id, max(offset - 1, 0))
        reset = offset > 0 and not events
        if reset:
            offset, events = 0, await store.since(conversation_id, 0)
        elif offset > 0:
            events = events[1:]
        yield frame(offset, events, reset=reset)
        offset += len(events)
        while True:
            if not await watch.changed(ALIVE_S):
                yield {"type": "alive"}
                continue
            for note in watch.notes():
                if (shown := passing(note)) is not None:
                    yield shown
            if events := await store.since(conversation_id, offset):
                yield frame(offset, events)
                offset += len(events)
