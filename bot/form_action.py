"""Runs a form: opens it, validates what was given, asks for the next slot, closes it. `forms` decides."""

from __future__ import annotations

from collections.abc import Sequence

from bot.action_server import ActionFailed, ActionRefused, ActionServer
from bot.conversation import Conversation
from bot.domain import Domain
from bot.events import ActionRan, ActionRejected, BotSaid, Event, LoopChanged, SlotSet
from bot.forms import Form, ask_names, extract, filled_now, next_slot, prefilled
from bot.respond import render
from bot.script import acted
from bot.slots import REQUESTED


async def run_form(
    ran: ActionRan, conversation: Conversation, domain: Domain, server: ActionServer | None
) -> Sequence[Event]:
    """The events of one run. The only `ActionRejected` means that the message gave nothing that the form asked for."""
    form = domain.forms[ran.name]
    opening = conversation.loop != form.name
    answers = not opening and _is_answer(ran, conversation)
    asked = conversation.slots.get(REQUESTED)
    events: list[Event] = [ran]
    if opening:
        events.append(LoopChanged(name=form.name))
        # Nothing has been asked yet, whatever the form before this one was asking.
        given = _given_at_opening(conversation.apply(*events, SlotSet(name=REQUESTED)), form, domain)
    else:
        given = filled_now(conversation, form) if answers else []
    try:
        validated = await _validate(form, conversation.apply(*events), given, domain, server)
    except ActionRefused:
        return [ActionRejected(name=form.name)]
    if answers and asked and not any(isinstance(event, SlotSet) and event.name != REQUESTED for event in validated):
        return [*(event for event in validated if isinstance(event, BotSaid)), ActionRejected(name=form.name)]
    events += validated
    slot = next_slot(conversation.apply(*events), form, validated, domain)
    events = [event for event in events if not (isinstance(event, SlotSet) and event.name == REQUESTED)]
    events.append(SlotSet(name=REQUESTED, value=slot))
    if slot is None:
        return [*events, LoopChanged(name=None)]
    return [*events, *await _ask(form, slot, conversation.apply(*events), domain, server)]


def _is_answer(ran: ActionRan, conversation: Conversation) -> bool:
    """Whether the customer speaks to the form, rather than the form coming back after something else was said."""
    interrupted = conversation.loop in conversation.rejected or ran.policy in ("story", "rule", "fallback")
    return not (interrupted or acted(conversation) or conversation.replied)


def _given_at_opening(opened: Conversation, form: Form, domain: Domain) -> list[SlotSet]:
    """Slots filled before the form, and those that the opening message fills now that the form is open."""
    slots = {slot.name: slot for slot in prefilled(opened, form)}
    slots |= {slot.name: slot for slot in extract(opened, domain) if slot.name in form.required}
    return [slots[name] for name in form.required if name in slots]


async def _validate(
    form: Form, conversation: Conversation, given: Sequence[SlotSet], domain: Domain, server: ActionServer | None
) -> list[Event]:
    name = f"validate_{form.name}"
    if name not in domain.actions:
        return list(given)
    # The SDK takes the slot events at the very end of the tracker as what is to be validated.
    done = await custom(name, conversation.apply(*given), domain, server)
    return [*done, *unjudged(given, done)]


def unjudged(given: Sequence[Event], done: Sequence[Event]) -> list[Event]:
    """The slots that a validation did not speak of are valid, as in Rasa; it returns None for one that is not."""
    names = {event.name for event in done if isinstance(event, SlotSet)}
    return [event for event in given if isinstance(event, SlotSet) and event.name not in names]


async def _ask(
    form: Form, slot: str, conversation: Conversation, domain: Domain, server: ActionServer | None
) -> Sequence[Event]:
    name = next((name for name in ask_names(form.name, slot) if domain.has_action(name)), None)
    if name is None:
        return [BotSaid(text=f"Please tell me: {slot.replace('_', ' ')}", source="system")]
    if domain.response_of(name) is not None:
        return [render(name, conversation, domain)]
    return await custom(name, conversation, domain, server)


async def custom(name: str, conversation: Conversation, domain: Domain, server: ActionServer | None) -> list[Event]:
    """A custom action's events. Raises ActionFailed, also when no server is set, and ActionRefused."""
    if server is None:
        cure = "start one and set DESKHAND_ACTIONS_URL to its address"
        raise ActionFailed(f"custom action {name!r} needs an action server and none is set; {cure}")
    return await server.call(name, conversation, domain)
