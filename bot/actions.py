"""Runs one action by its name: a response, a form, a default action of Rasa's, or a custom action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from bot.action_server import ActionFailed, ActionRefused, ActionServer
from bot.conversation import EXTRACT, LISTEN, Conversation
from bot.domain import Domain
from bot.events import (
    REPEATS,
    ActionRan,
    ActionRejected,
    BotSaid,
    Event,
    FollowupSet,
    GapFound,
    HandedOff,
    LoopChanged,
    Restarted,
    Rewound,
    SessionStarted,
    SlotSet,
    now,
)
from bot.fallback import TWO_STAGE, affirmed, meant, since_opening
from bot.form_action import custom, run_form, unjudged
from bot.forms import extract, mapping_actions
from bot.respond import render
from bot.session import METADATA, begin_session
from bot.slots import REQUESTED
from retrieval.errors import NotFound

__all__ = ["ActionFailed", "hand_off", "run"]

AFFIRMATION = "action_default_ask_affirmation"
SENTENCES = {
    "asked": "I am passing you on to one of my colleagues.",
    "unknown": "I do not know the answer to that. I am passing your question on to one of my colleagues.",
    "action_failed": "Sorry, something went wrong on our side. I am passing you on to one of my colleagues.",
}


async def run(
    name: str,
    conversation: Conversation,
    domain: Domain,
    server: ActionServer | None,
    *,
    policy: str = "",
    confidence: float = 1.0,
) -> Sequence[Event]:
    """The events of running an action, `ActionRan` (or only `ActionRejected`) first.

    `policy` is that of the `RunAction` step; a form asks again instead of validating when a rule or story sent it.
    Raises ActionFailed when a custom action cannot be run (then say so and `hand_off` with `action_failed`), NotFound
    for a name that the domain does not have.
    """
    ran = ActionRan(name=name, policy=policy, confidence=confidence)
    if name in domain.forms:
        return await run_form(ran, conversation, domain, server)
    if name == EXTRACT:
        return [ran, *await _extract_slots(conversation, domain, server)]
    if name == TWO_STAGE and conversation.loop != TWO_STAGE and AFFIRMATION in _overridden(domain):
        return [ran, LoopChanged(name=TWO_STAGE), *await custom(AFFIRMATION, conversation, domain, server)]
    if name in _DEFAULTS and name not in _overridden(domain):
        return [ran, *_DEFAULTS[name](conversation, domain)]
    if domain.response_of(name) is not None:
        return [ran, render(name, conversation, domain)]
    if name in domain.utterances:
        return [ran, BotSaid(text=name)]
    if name not in domain.actions:
        raise NotFound(f"action {name!r} is not in the domain; add it under `actions:` or `responses:`")
    try:
        return [ran, *await custom(name, conversation, domain, server)]
    except ActionRefused:
        return [ActionRejected(name=name)]


def _overridden(domain: Domain) -> set[str]:
    """The default actions that the domain lists are the project's own, as in Rasa; handing off stays ours."""
    return domain.actions.keys() & _DEFAULTS.keys() - {"action_handoff", LISTEN}


async def opened(
    events: Sequence[Event], conversation: Conversation, domain: Domain, server: ActionServer | None
) -> Sequence[Event]:
    """The events that open a session, those of the project's own `action_session_start` where it has one: that action
    sees the slots of the session before, and decides what is carried over. Raises ActionFailed."""
    start = next((event for event in events if isinstance(event, SessionStarted)), None)
    if start is None or "action_session_start" not in _overridden(domain):
        return events
    seen = conversation.apply(SlotSet(name=METADATA, value=start.metadata or None))
    try:
        done = await custom("action_session_start", seen, domain, server)
    except ActionRefused:
        return events
    return [start, *(event for event in done if not isinstance(event, SessionStarted | ActionRan))]


def hand_off(
    reason: str, conversation: Conversation, domain: Domain, *, gap: bool = False, note: str = ""
) -> Sequence[Event]:
    """Says that a person takes over and gives the conversation up.

    The sentence is the response `utter_handoff_<reason>`, for `asked` also `utter_handoff`, or our own. `gap` records
    the question.
    """
    names = (f"utter_handoff_{reason}", "utter_handoff" if reason == "asked" else "")
    found = next((name for name in names if name in domain.responses), None)
    text = SENTENCES.get(reason, SENTENCES["asked"])
    events: list[Event] = [render(found, conversation, domain) if found else BotSaid(text=text, source="system")]
    latest = conversation.latest
    if gap and latest:
        events.append(GapFound(text=latest.text, message_id=latest.message_id, reason=reason))
    return [*events, HandedOff(reason=reason, note=note)]


async def _extract_slots(conversation: Conversation, domain: Domain, server: ActionServer | None) -> Sequence[Event]:
    found: list[Event] = [*extract(conversation, domain)]
    extracting = conversation.apply(ActionRan(name=EXTRACT))
    for name in mapping_actions(conversation, domain):
        with suppress(ActionRefused):
            found += await custom(name, extracting.apply(*found), domain, server)
    if "action_validate_slot_mappings" not in domain.actions:
        return found
    try:
        done = await custom("action_validate_slot_mappings", extracting.apply(*found), domain, server)
    except ActionRefused:
        return found
    return [*done, *unjudged(found, done)]


def _hand_over(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    events = hand_off("asked", conversation, domain)
    return events[-1:] if conversation.replied else events


def _restart(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    said = _response("utter_restart", conversation, domain) or [BotSaid(text="Let us start over.", source="system")]
    return [*said, Restarted(), FollowupSet(name="action_session_start")]


def _session_start(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    latest = conversation.latest
    return begin_session(conversation, domain, channel=latest.channel if latest else "", at=now())


def _default_fallback(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    said = _response("utter_default", conversation, domain)
    return [*said, Rewound(), FollowupSet(name=LISTEN)]


def _deactivate_loop(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    return [LoopChanged(name=None), SlotSet(name=REQUESTED, value=None)]


def _back(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    """Undoes this message and the one before it."""
    return [Rewound(), Rewound(), FollowupSet(name=LISTEN)]


def _two_stage(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    """Opens with the first question; when it runs again, the customer has been understood: what came of it replaces the
    message that nobody could use, and all that was said in between."""
    latest = conversation.latest
    if latest is None or conversation.loop != TWO_STAGE:
        return [LoopChanged(name=TWO_STAGE), *_ask_affirmation(conversation, domain)]
    intent = affirmed(conversation) if latest.intent == "affirm" else latest.intent
    clear = replace(
        latest, intent=intent, confidence=1.0, in_scope=1.0, at=now(), message_id=f"{latest.message_id}#clear",
        metadata={**latest.metadata, REPEATS: latest.message_id},
    )  # fmt: skip
    return [*(Rewound() for _ in since_opening(conversation)), clear]


def _ask_affirmation(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    intent = meant(conversation.latest, domain) if conversation.latest else None
    if intent is None:
        return _ask_rephrase(conversation, domain)
    buttons = ({"title": "Yes", "payload": f"/{intent}"}, {"title": "No", "payload": "/out_of_scope"})
    return [BotSaid(text=f"Did you mean '{intent.replace('_', ' ')}'?", buttons=buttons, source="clarify")]


def _ask_rephrase(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    own = [BotSaid(text="I am sorry, I did not understand that. Could you rephrase it?", source="system")]
    return _response("utter_ask_rephrase", conversation, domain) or own


def _response(name: str, conversation: Conversation, domain: Domain) -> Sequence[Event]:
    return [render(name, conversation, domain)] if name in domain.responses else []


def _nothing(conversation: Conversation, domain: Domain) -> Sequence[Event]:
    return []


_DEFAULTS: dict[str, Callable[[Conversation, Domain], Sequence[Event]]] = {
    LISTEN: _nothing,
    "action_handoff": _hand_over,
    "action_restart": _restart,
    "action_session_start": _session_start,
    "action_default_fallback": _default_fallback,
    "action_deactivate_loop": _deactivate_loop,
    "action_back": _back,
    AFFIRMATION: _ask_affirmation,
    "action_default_ask_rephrase": _ask_rephrase,
    "action_unlikely_intent": _nothing,
    "action_revert_fallback_events": _nothing,
    "action_send_text": _nothing,
    TWO_STAGE: _two_stage,
}
