"""A conversation as Rasa's API shows it: whole, or up to a time, with all its events or some. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from bot.conversation import LISTEN, SILENT, Conversation, fold
from bot.domain import Domain
from bot.events import ActionRan, Event, HandedOff, Restarted, SessionStarted, UserSaid
from bot.rasa_api.applied import without_form_turns
from bot.rasa_api.failure import Failure
from bot.rasa_api.parsing import parse_data
from bot.session import METADATA, session_metadata
from bot.tracker import POLICIES, opened_by, to_rasa, to_tracker

Verbosity = Literal["NONE", "APPLIED", "AFTER_RESTART", "ALL"]
VERBOSITIES: tuple[Verbosity, ...] = get_args(Verbosity)
KNOWLEDGE = ("knowledge_base_listed_objects", "knowledge_base_last_object", "knowledge_base_last_object_type")
SILENT_MESSAGE: dict[str, Any] = {"intent": {}, "entities": [], "text": None, "message_id": None, "metadata": {}}


def verbosity(given: str | None, default: Verbosity = "AFTER_RESTART") -> Verbosity:
    for known in VERBOSITIES:
        if (given or default).upper() == known:
            return known
    raise Failure(
        400, "BadRequest",
        f"Invalid parameter value for 'include_events'. Should be one of {', '.join(VERBOSITIES)}",
        parameter="include_events", within="query",
    )  # fmt: skip


def until(conversation: Conversation, at: float | None) -> Conversation:
    if at is None:
        return conversation
    return fold(conversation.id, [event for event in conversation.events if event.at <= at])


def tracker(conversation: Conversation, domain: Domain, shown: Verbosity, *, model: str | None) -> dict[str, Any]:
    """`model` is the bundle in service; every event names it, as Rasa's do."""
    events = rasa_events(_shown(conversation, shown), domain, shown, model)
    if shown == "APPLIED":
        events = without_form_turns(events, domain.forms)
    whole = to_tracker(conversation, domain)
    latest = conversation.latest
    last = next((event["name"] for event in reversed(events) if event["event"] == "action"), LISTEN)
    if opening := opened_by(conversation):
        whole["active_loop"]["trigger_message"] = parse_data(opening, domain)
    return {
        **whole,
        "slots": _slots(conversation, domain),
        "latest_message": parse_data(latest, domain) if latest else SILENT_MESSAGE,
        "latest_event_time": conversation.events[-1].at if conversation.events else None,
        "events": None if shown == "NONE" else events,
        "latest_input_channel": (latest.channel or None) if latest else None,
        "latest_action": {"action_name": last},
        "latest_action_name": last,
    }


def _shown(conversation: Conversation, shown: Verbosity) -> Sequence[Event]:
    events = conversation.events
    if shown == "ALL":
        return events
    if shown == "APPLIED":
        begun = [event for event in events if isinstance(event, SessionStarted)][-1:]
        return [*begun, *conversation.trail]
    after = max((i + 1 for i, event in enumerate(events) if isinstance(event, Restarted)), default=0)
    return events[after:]


def _slots(conversation: Conversation, domain: Domain) -> dict[str, Any]:
    """Those of the domain, as Rasa has them: no `requested_slot` without a form, three more with a knowledge base."""
    values = domain.values(conversation)
    known = [name for name in domain.slots if name != "requested_slot"]
    known += ["requested_slot"] * bool(domain.forms)
    known += KNOWLEDGE if "action_query_knowledge_base" in domain.actions else ()
    return {**{name: values.get(name) for name in known}, METADATA: session_metadata(conversation)}


def rasa_events(events: Sequence[Event], domain: Domain, shown: Verbosity, model: str | None) -> list[dict[str, Any]]:
    """With `action_listen` where Rasa has it: after a session began, and at the end of each turn."""
    marks = {"model_id": model, "assistant_id": str(domain.raw.get("assistant_id") or "deskhand")}
    found: list[dict[str, Any]] = []
    policy: str | None = None  # of the turn that still has to end with `action_listen`; "" for nobody's
    for number, event in enumerate(events):
        if isinstance(event, UserSaid) and policy is not None:
            found.append(_listen(events[number - 1].at, policy))
        found += _written(event, domain, begins=shown != "APPLIED", again=bool(found) and _is_listen(found[-1]))
        if isinstance(event, ActionRan | HandedOff) and not _silent(event):
            policy = event.policy or None if isinstance(event, ActionRan) else "fallback"
        elif isinstance(event, UserSaid | SessionStarted):
            policy = None
    if policy is not None:
        found.append(_listen(events[-1].at, policy))
    return [{**one, "metadata": {**(one.get("metadata") or {}), **marks}} for one in found]


def _written(event: Event, domain: Domain, *, begins: bool, again: bool) -> list[dict[str, Any]]:
    """One event of ours as Rasa's. `begins`: with the action that began a session; `again`: Rasa listens already."""
    match event:
        case SessionStarted():
            slot = [_metadata_slot(event)] if event.metadata else []
            return [*(slot + to_rasa(event) if begins else []), *slot, _listen(event.at, "")]
        case UserSaid():
            return [
                {**one, "parse_data": parse_data(event, domain)} for one in to_rasa(event) if one["event"] == "user"
            ]
        case ActionRan(name="action_session_start"):
            return []  # the session that it began says so itself
        case ActionRan(name=name, at=at) if name == LISTEN:
            return [] if again else [_listen(at, "")]
        case _:
            return to_rasa(event)


def _silent(event: Event) -> bool:
    return isinstance(event, ActionRan) and event.name in SILENT


def _is_listen(event: dict[str, Any]) -> bool:
    return bool(event["event"] == "action" and event["name"] == LISTEN)


def _metadata_slot(event: SessionStarted) -> dict[str, Any]:
    return {"event": "slot", "timestamp": event.at, "metadata": {}, "name": METADATA, "value": event.metadata}


def _listen(at: float, policy: str) -> dict[str, Any]:
    return {
        "event": "action", "timestamp": at, "metadata": {}, "name": LISTEN, "policy": POLICIES.get(policy),
        "confidence": 1.0 if policy else None, "action_text": None, "hide_rule_turn": False,
    }  # fmt: skip
