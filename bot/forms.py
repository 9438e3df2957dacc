"""Forms and slot filling: what a message fills, what is asked next. Pure; `actions` runs them.

The semantics are Rasa's: for each slot the first mapping that applies fills it; a form asks for the first required slot
that is empty; a message that fills nothing while a slot is asked for makes the form reject.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bot.conversation import Conversation
from bot.events import ActionRan, ActionRejected, SlotSet, UserSaid
from bot.problems import Problems
from bot.slots import REQUESTED, Mapping, Slot, names
from bot.wording import correction
from bot.yaml_file import NOWHERE, Block, Items, Place

if TYPE_CHECKING:
    from bot.domain import Domain

GUESS = 0.3
"""Below this confidence an intent is a guess that no mapping goes by (the threshold of Rasa's FallbackClassifier)."""


FORM_KEYS = ("required_slots", "ignored_intents")


@dataclass(frozen=True)
class Form:
    name: str
    required: tuple[str, ...] = ()
    ignored_intents: tuple[str, ...] = ()
    place: Place = NOWHERE


def read_form(name: str, block: Any, place: Place, problems: Problems) -> Form:
    if block is None:
        return Form(name, place=place)
    if not isinstance(block, Block):
        problems.error(place, f"form {name!r} must be a mapping with `required_slots:`")
        return Form(name, place=place)
    if isinstance(block.get("required_slots"), Block) or any(isinstance(value, Items) for value in _unknown(block)):
        text = f"form {name!r} says how slots are filled, as in Rasa 2; list their names under `required_slots:`"
        problems.error(place, f"{text} and move what fills them to `mappings:` of the slots")
        return Form(name, place=place)
    problems.keys(place, block, FORM_KEYS, f"form {name!r}")
    required = tuple(
        str(slot) for slot in problems.items(place, block.get("required_slots"), f"slots of form {name!r}")
    )
    return Form(name, required, names(block.get("ignored_intents")), place)


def _unknown(block: Block) -> list[Any]:
    return [value for key, value in block.items() if key not in FORM_KEYS]


def extract(conversation: Conversation, domain: Domain) -> list[SlotSet]:
    """The slots that the latest message fills, in the order of the domain."""
    said = conversation.latest
    if said is None:
        return []
    if corrected := _corrected(said, conversation, domain):
        return corrected
    values = ((slot.name, _value(slot, said, conversation, domain)) for slot in domain.slots.values())
    # A correction that an entity explains is no text for the slot that is asked for.
    unless = said.text if conversation.loop and correction(said.text) and said.entities else None
    return [SlotSet(name=name, value=value) for name, value in values if value is not None and value != unless]


def _corrected(said: UserSaid, conversation: Conversation, domain: Domain) -> list[SlotSet]:
    """ "No, I meant Tuesday" inside a form, where no entity says what it is about, changes what was filled last."""
    form, meant = domain.forms.get(conversation.loop or ""), correction(said.text)
    if form is None or meant is None or any(_wanted(entity, form, domain) for entity in said.entities):
        return []
    before = next((e.name for e in reversed(conversation.trail) if isinstance(e, SlotSet) and _filled(e, form)), None)
    slot = domain.slots.get(before or str(conversation.slots.get(REQUESTED)))
    if slot is None:
        return []
    asked = replace(conversation, slots={**conversation.slots, REQUESTED: slot.name})
    value = _value(slot, replace(said, text=meant), asked, domain)
    return [] if value is None else [SlotSet(name=slot.name, value=value)]


def _wanted(entity: Mapping_[str, Any], form: Form, domain: Domain) -> bool:
    slots = (domain.slots[name] for name in form.required if name in domain.slots)
    return any(mapping.entity == entity.get("entity") for slot in slots for mapping in slot.mappings)


def _filled(event: SlotSet, form: Form) -> bool:
    return event.name in form.required and event.value is not None


def _value(slot: Slot, said: UserSaid, conversation: Conversation, domain: Domain) -> Any:
    for mapping in slot.mappings:
        if not _applies(slot, mapping, said, conversation, domain):
            continue
        value = _mapped(slot, mapping, said)
        if value is not None:
            return value
    return None


def _applies(slot: Slot, mapping: Mapping, said: UserSaid, conversation: Conversation, domain: Domain) -> bool:
    requested = conversation.slots.get(REQUESTED)
    if mapping.conditions and not any(c.holds(conversation.loop, requested) for c in mapping.conditions):
        return False
    if not mapping.wants(_intent(said)):
        return False
    form = domain.forms.get(conversation.loop or "")
    if form is None:
        return mapping.type != "from_text" or bool(mapping.conditions) or slot.name not in _all_required(domain)
    if _intent(said) in form.ignored_intents and slot.name in form.required:
        return False
    if mapping.type == "from_trigger_intent":
        return _is_activating(conversation, form)
    if slot.name not in form.required or requested == slot.name:
        return True
    if mapping.type == "from_text":
        return bool(mapping.conditions)
    return mapping.type != "from_entity" or not _shared(slot, mapping, form, domain)


def mapping_actions(conversation: Conversation, domain: Domain) -> list[str]:
    """The actions of `custom` mappings that run on the latest message (`action_extract_slots` of Rasa), each once."""
    said = conversation.latest
    if said is None:
        return []
    found = {
        mapping.action: None
        for slot in domain.slots.values()
        for mapping in slot.mappings
        if mapping.action in domain.actions and _applies(slot, mapping, said, conversation, domain)
    }
    return [str(name) for name in found]


def _intent(said: UserSaid) -> str | None:
    return said.intent if said.confidence >= GUESS else None


def _all_required(domain: Domain) -> set[str]:
    return {name for form in domain.forms.values() for name in form.required}


def _is_activating(conversation: Conversation, form: Form) -> bool:
    """Whether the latest message is the one that opened the form: nothing was asked yet."""
    return conversation.slots.get(REQUESTED) is None and conversation.loop == form.name


def _shared(slot: Slot, mapping: Mapping, form: Form, domain: Domain) -> bool:
    """Whether another slot of the form is filled from the same entity, so that only the question asked can tell."""
    key = (mapping.entity, mapping.role, mapping.group)
    others = (domain.slots[name] for name in form.required if name in domain.slots and name != slot.name)
    return any(
        m.type == "from_entity" and (m.entity, m.role, m.group) == key for other in others for m in other.mappings
    )


def _mapped(slot: Slot, mapping: Mapping, said: UserSaid) -> Any:
    match mapping.type:
        case "from_entity":
            values = list(entity_values(said, mapping.entity, mapping.role, mapping.group))
            if slot.type == "list":
                return values or None
            return values[-1] if values else None
        case "from_text":
            return said.text or None
        case "from_intent" | "from_trigger_intent":
            return mapping.value
        case _:
            return None


def entity_values(said: UserSaid, name: str | None, role: str | None = None, group: str | None = None) -> Iterator[Any]:
    for entity in said.entities:
        if entity.get("entity") == name and (role is None or entity.get("role") == role):
            if group is None or entity.get("group") == group:
                yield entity.get("value")


def filled_now(conversation: Conversation, form: Form) -> list[SlotSet]:
    """What was set since the customer's message of the slots the form asks for: the candidates for validation.

    A slot that only the action server's `required_slots` knows is among them when it was asked for.
    """
    found: dict[str, SlotSet] = {}
    wanted = {*form.required, conversation.slots.get(REQUESTED)}
    for event in reversed(conversation.trail):
        if isinstance(event, UserSaid):
            break
        if isinstance(event, SlotSet) and event.name in wanted:
            found.setdefault(event.name, event)
    return list(reversed(found.values()))


def prefilled(conversation: Conversation, form: Form) -> list[SlotSet]:
    """The required slots that have a value before the form asks anything."""
    values = ((name, conversation.slots.get(name)) for name in form.required)
    return [SlotSet(name=name, value=value) for name, value in values if value is not None]


def next_slot(conversation: Conversation, form: Form, validated: Sequence[Any], domain: Domain) -> str | None:
    """The slot to ask for, None when the form is complete. A validation that names the next slot is obeyed."""
    for event in reversed(validated):
        if isinstance(event, SlotSet) and event.name == REQUESTED:
            return None if event.value is None else str(event.value)
    return next((name for name in form.required if domain.value(conversation, name) is None), None)


def ask_names(form: str, slot: str) -> tuple[str, ...]:
    """What may ask for a slot, first that exists."""
    return (f"action_ask_{form}_{slot}", f"utter_ask_{form}_{slot}", f"action_ask_{slot}", f"utter_ask_{slot}")


def misses(conversation: Conversation) -> int:
    """How many messages in a row, up to the latest, neither the open form nor anything else could use."""
    count, rejected = 0, False
    for event in reversed(conversation.trail):
        if isinstance(event, UserSaid):
            if not rejected:
                break
            count, rejected = count + 1, False
        elif isinstance(event, ActionRejected):
            rejected = True
        elif isinstance(event, ActionRan) and event.policy in ("rule", "story"):
            break
        elif isinstance(event, SlotSet) and event.name != REQUESTED and event.value is not None:
            break
    return count
