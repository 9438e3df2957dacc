"""Which of Rasa's events still count, as its `APPLIED` trackers show them. Pure.

The messages and actions with which a form was answered are left out but for the first: what they filled and what was
said stays. A turn in which the form rejected or something else answered stays whole.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

Event = dict[str, Any]


def without_form_turns(events: Sequence[Event], forms: Collection[str]) -> list[Event]:
    """`forms` are the names of the domain's forms."""
    kept: list[Event] = []
    for event in events:
        name = event.get("name")
        if event["event"] == "action" and name in forms and _goes_on(str(name), kept):
            kept = _back_to(str(name), kept)
        else:
            kept.append(event)
    return kept


def _goes_on(form: str, before: Sequence[Event]) -> bool:
    """Whether the form ran before, and the customer has answered nothing but it since."""
    following = None
    for event in reversed(before):
        kind, name = event["event"], event.get("name")
        if kind == "active_loop" and name is None:
            return False
        if kind == "action_execution_rejected" and name == form:
            return False
        if kind == "user" and following not in (None, form):
            return False
        if kind == "action":
            if name == form:
                return True
            following = name
    return False


def _back_to(form: str, events: Sequence[Event]) -> list[Event]:
    """Without the messages and actions since the form last ran."""
    last = max(at for at, event in enumerate(events) if event["event"] == "action" and event.get("name") == form)
    return [*events[: last + 1], *(event for event in events[last + 1 :] if event["event"] not in ("action", "user"))]
