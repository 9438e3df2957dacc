"""Conversations in Rasa's tracker JSON, and Rasa's events as ours. Pure.

Rasa writes `action_listen` before every customer message and around sessions; we do not keep it, so it is put in here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from bot.conversation import EXTRACT, LISTEN, Conversation
from bot.domain import Domain
from bot.events import (
    ActionRan,
    ActionRejected,
    BotSaid,
    Event,
    FollowupSet,
    LoopChanged,
    Noted,
    Paused,
    PersonSaid,
    ReminderCancelled,
    ReminderSet,
    Restarted,
    Resumed,
    Rewound,
    SessionStarted,
    SlotSet,
    SlotsReset,
    Undone,
    UserSaid,
)
from bot.session import METADATA, session_metadata
from retrieval.errors import BadInput

POLICIES = {
    "rule": "RulePolicy", "form": "RulePolicy", "fallback": "RulePolicy", "builtin": "RulePolicy",
    "story": "MemoizationPolicy", "learned": "TEDPolicy", "followup": "followup_action",
}  # fmt: skip


def to_tracker(conversation: Conversation, domain: Domain) -> dict[str, Any]:
    """The whole tracker as an action server gets it."""
    latest = conversation.latest
    opening = opened_by(conversation)
    trigger = _parse_data(opening) if opening else {}
    loop = {"name": conversation.loop, "is_interrupted": False, "rejected": conversation.loop_rejected}
    last = conversation.actions[-1] if conversation.actions else LISTEN
    return {
        "sender_id": conversation.id,
        "slots": {METADATA: session_metadata(conversation), **domain.values(conversation)},
        "latest_message": _parse_data(latest) if latest else {},
        "latest_event_time": conversation.events[-1].at if conversation.events else None,
        "followup_action": conversation.followup,
        "paused": conversation.paused,
        "events": [event for one in conversation.events for event in to_rasa(one)],
        "latest_input_channel": latest.channel if latest else None,
        "active_loop": {**loop, "trigger_message": trigger} if conversation.loop else {},
        "latest_action": {"action_name": last},
        "latest_action_name": last,
    }


def opened_by(conversation: Conversation) -> UserSaid | None:
    """The message that opened the form."""
    return next(_triggers(conversation), None)


def _triggers(conversation: Conversation) -> Iterator[UserSaid]:
    marks = conversation.marks
    for index in range(len(marks) - 1, -1, -1):
        if marks[index].loop != conversation.loop:
            return
        event = marks[index].event
        if isinstance(event, ActionRan) and event.name == conversation.loop and index:
            before = [mark.event for mark in marks[:index] if isinstance(mark.event, UserSaid)]
            if marks[index - 1].loop != conversation.loop and before:
                yield before[-1]


def _parse_data(said: UserSaid) -> dict[str, Any]:
    intent = {"name": said.intent, "confidence": said.confidence}
    return {
        "intent": intent,
        "entities": [{"confidence_entity": entity.get("confidence", 1.0), **entity} for entity in said.entities],
        "text": said.text,
        "message_id": said.message_id,
        "metadata": said.metadata,
        "intent_ranking": list(said.ranking) or [intent],
    }


def to_rasa(event: Event) -> list[dict[str, Any]]:
    """Our event as Rasa's, none for what Rasa does not know."""
    head = {"timestamp": event.at, "metadata": {}}
    match event:
        case UserSaid():
            said = {
                "event": "user", **head, "metadata": event.metadata, "text": event.text,
                "parse_data": _parse_data(event),
                "input_channel": event.channel or None, "message_id": event.message_id,
            }  # fmt: skip
            return [_action(LISTEN, event.at), said]
        case BotSaid():
            keys = ("elements", "quick_replies", "buttons", "attachment", "image", "custom")
            data = {**dict.fromkeys(keys), "buttons": list(event.buttons) or None, "image": event.image}
            data |= {"custom": event.custom, "attachment": event.attachment}
            metadata = {"utter_action": event.response} if event.response else {}
            if event.response and event.source == "action":
                metadata["template"] = event.response
            return [{"event": "bot", **head, "metadata": metadata, "text": event.text, "data": data}]
        case PersonSaid():
            return [{"event": "agent", **head, "text": event.words, "data": {"person": event.person}}]
        case ActionRan(name=name):
            return [] if name == EXTRACT else [_action(name, event.at, POLICIES.get(event.policy), event.confidence)]
        case ActionRejected(name=name):
            return [
                {"event": "action_execution_rejected", **head, "name": name, "policy": "RulePolicy", "confidence": 1.0}
            ]
        case SessionStarted():
            return [_action("action_session_start", event.at), {"event": "session_started", **head}]
        case SlotSet(name=name, value=value):
            return [{"event": "slot", **head, "name": name, "value": value}]
        case LoopChanged(name=name) | FollowupSet(name=name):
            return [{"event": "active_loop" if isinstance(event, LoopChanged) else "followup", **head, "name": name}]
        case ReminderSet():
            return [
                {
                    "event": "reminder", **head, "intent": event.intent, "entities": event.entities,
                    "date_time": event.due,
                    "name": event.name, "kill_on_user_msg": event.cancelled_by_message,
                }
            ]  # fmt: skip
        case ReminderCancelled():
            which = {"intent": event.intent, "entities": event.entities, "name": event.name}
            said = {key: value for key, value in which.items() if value is not None}
            return [{"event": "cancel_reminder", **head, **said}]
        case Noted(data=data):
            return [{**head, **{key: value for key, value in data.items() if value is not None}}]
        case _:
            name_of = _PLAIN.get(type(event))
            return [{"event": name_of, **head}] if name_of else []


_PLAIN: dict[type[Event], str] = {
    SlotsReset: "reset_slots", Rewound: "rewind", Undone: "undo", Paused: "pause", Resumed: "resume",
    Restarted: "restart",
}  # fmt: skip


def _action(name: str, at: float, policy: str | None = None, confidence: float | None = None) -> dict[str, Any]:
    return {
        "event": "action", "timestamp": at, "metadata": {}, "name": name, "policy": policy, "confidence": confidence,
        "action_text": None, "hide_rule_turn": False,
    }  # fmt: skip


WITHOUT_EFFECT = frozenset(
    {"agent", "entities", "export", "form_validation", "loop_interrupted", "session_ended", "user_featurization"}
)


def from_rasa(data: dict[str, Any]) -> Event:
    """An event that an action returned. Raises BadInput for an unknown one."""
    kind = data.get("event")
    if kind in WITHOUT_EFFECT:
        return Noted(data=data)
    make = _MAKE.get(str(kind))
    if make is None:
        raise BadInput(f"unknown event {kind!r}; known: {', '.join(sorted(_MAKE))}")
    try:
        return make(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"event {kind!r} does not fit: {error!r}") from error


def _user(data: dict[str, Any]) -> UserSaid:
    parsed = data.get("parse_data") or {}
    intent = parsed.get("intent") or {}
    return UserSaid(
        text=str(data.get("text") or ""),
        message_id=str(data.get("message_id") or ""),
        intent=intent.get("name"),
        confidence=float(intent.get("confidence") or 0.0),
        entities=tuple(parsed.get("entities") or ()),
        ranking=tuple(parsed.get("intent_ranking") or ()),
        channel=str(data.get("input_channel") or ""),
    )


def _bot(data: dict[str, Any]) -> BotSaid:
    parts = data.get("data") or {}
    return BotSaid(
        text=data.get("text"),
        buttons=tuple(parts.get("buttons") or ()),
        image=parts.get("image"),
        custom=parts.get("custom"),
        attachment=parts.get("attachment"),
        source="action",
    )


def _reminder(data: dict[str, Any]) -> ReminderSet:
    return ReminderSet(
        name=str(data.get("name")),
        intent=str(data["intent"]),
        due=_time(data["date_time"]),
        entities=data.get("entities"),
        cancelled_by_message=bool(data.get("kill_on_user_msg", True)),
    )


def _time(value: Any) -> str:
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC).isoformat()
    except ValueError as error:
        raise BadInput(f"a reminder is due at {value!r}, which is no ISO 8601 time") from error


_MAKE: dict[str, Callable[[dict[str, Any]], Event]] = {
    "slot": lambda d: SlotSet(name=str(d["name"]), value=d.get("value")),
    "active_loop": lambda d: LoopChanged(name=d.get("name")),
    "form": lambda d: LoopChanged(name=d.get("name")),
    "followup": lambda d: FollowupSet(name=d.get("name")),
    "reset_slots": lambda d: SlotsReset(),
    "restart": lambda d: Restarted(),
    "session_started": lambda d: SessionStarted(),
    "rewind": lambda d: Rewound(),
    "undo": lambda d: Undone(),
    "pause": lambda d: Paused(),
    "resume": lambda d: Resumed(),
    "action": lambda d: ActionRan(name=str(d["name"]), policy=str(d.get("policy") or "")),
    "action_execution_rejected": lambda d: ActionRejected(name=str(d["name"])),
    "user": _user,
    "bot": _bot,
    "reminder": _reminder,
    "cancel_reminder": lambda d: ReminderCancelled(
        name=d.get("name"), intent=d.get("intent"), entities=d.get("entities")
    ),
}
