"""What a customer sees of a conversation: an allow-list. Intents, slots, scores and provenance stay inside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from bot.events import BotSaid, Closed, Event, HandedOff, Held, PersonJoined, PersonSaid, Rated, Released, UserSaid
from bot.stores.store import ConversationStore

ALIVE_S = 20.0
"""Something is said at least this often, so that both ends notice a dead line. The widget waits 45 s."""

RATABLE = frozenset({"answer", "passage", "action"})
"""Sources of answers. Greetings and questions of a form are not worth a thumb."""

Frame = dict[str, Any]


def public(offset: int, event: Event) -> Frame | None:
    """One event as the widget gets it, or None when it is not the customer's business.

    `kind` is customer | bot | person | notice | rating; a notice says waiting | joined | released | closed.
    """
    seen = _seen(event)
    return None if seen is None else {"offset": offset, "at": event.at, **seen}


def _seen(event: Event) -> Frame | None:
    match event:
        case Held():
            return {"kind": "customer", "id": event.message_id, "text": event.text}
        case UserSaid() if event.by_customer and not _shown(event):
            return {"kind": "customer", "id": event.message_id, "text": _words(event)}
        case BotSaid():
            return _bot(event)
        case PersonSaid():
            return {"kind": "person", "id": event.message_id, "text": event.text, "person": event.person}
        case Rated():
            return {"kind": "rating", "in_reply_to": event.message_id, "rating": event.rating}
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


def _words(event: UserSaid) -> str:
    """What the customer saw: the label of the button, not the payload behind it; of several parts the last."""
    title = event.metadata.get("title")
    if isinstance(title, str) and title:
        return title
    return str(event.parts[-1].get("text")) if event.parts else event.text


def _bot(event: BotSaid) -> Frame | None:
    if not event.text and not event.buttons:
        return None
    return {
        "kind": "bot",
        "id": event.message_id,
        "in_reply_to": event.in_reply_to,
        "text": event.text or "",
        "ratable": event.source in RATABLE,
        "buttons": [_button(button) for button in event.buttons if button.get("title")],
        "citations": [{"title": c.get("title") or "", "url": c.get("url") or ""} for c in event.citations],
    }


def _button(button: dict[str, Any]) -> Frame:
    return {"title": str(button["title"]), "payload": str(button.get("payload") or button["title"])}


def frame(offset: int, events: Sequence[Event], *, reset: bool = False) -> Frame:
    """The events from `offset` on as one message; `next` is where to go on from."""
    shown: Iterable[Frame | None] = (public(offset + i, event) for i, event in enumerate(events))
    body = {"type": "events", "next": offset + len(events), "events": [one for one in shown if one is not None]}
    return {**body, "reset": True} if reset else body


async def feed(store: ConversationStore, conversation_id: str, offset: int) -> AsyncIterator[Frame]:
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
            elif events := await store.since(conversation_id, offset):
                yield frame(offset, events)
                offset += len(events)
