"""What the dialogue files never use, examples that contradict each other, and stories that do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.conversation import LISTEN
from bot.domain import Domain
from bot.forms import ask_names
from bot.problems import Problems, nearest
from bot.script import Expected
from bot.script_file import Line
from bot.stories import Story
from bot.yaml_file import Place

DEFAULT_INTENTS = frozenset(
    {"restart", "back", "session_start", "nlu_fallback", "out_of_scope", "talk_to_person", "handoff"}
)
KNOWN_RESPONSES = frozenset(
    {"utter_default", "utter_ask_rephrase", "utter_restart", "utter_session_start", "utter_handoff", "utter_clarify"}
)
HOOKS = (
    "validate_",
    "action_ask_",
    "utter_",
    "action_validate_slot_mappings",
    "action_default_",
    "action_session_start",
)
"""Actions that run without a rule or story naming them."""


def check_unused(domain: Domain, problems: Problems) -> None:
    scripts = [rule.script for rule in domain.rules] + [story.script for story in domain.stories]
    lines = [line for script in scripts for line in script]
    _intents(domain, lines, problems)
    _responses(domain, lines, problems)
    _actions(domain, lines, problems)
    _entities(domain, lines, problems)


def _intents(domain: Domain, lines: list[Line], problems: Problems) -> None:
    used = {str(line.name).partition("/")[0] for line in lines if line.kind == "user"}
    used |= {intent for slot in domain.slots.values() for mapping in slot.mappings for intent in mapping.intents}
    first = {example.intent.partition("/")[0]: example.place for example in reversed(domain.nlu.examples)}
    for name, intent in domain.intents.items():
        if name not in used and name not in first:
            problems.warn(
                intent.place, f"intent {name!r} has no examples and no rule or story uses it; remove it or use it"
            )
    for name, place in first.items():
        if name not in domain.intents and name not in DEFAULT_INTENTS:
            problems.warn(
                place, f"examples for intent {name!r}, which is not in the domain{nearest(name, domain.intents)}"
            )


def _responses(domain: Domain, lines: list[Line], problems: Problems) -> None:
    asked = {name for form in domain.forms.values() for slot in form.required for name in ask_names(form.name, slot)}
    said = {str(line.name).partition("/")[0] for line in lines if line.kind == "action"} | asked
    for name, variations in domain.responses.items():
        base = name.partition("/")[0]
        if base not in said and not domain.actions and base not in KNOWN_RESPONSES and variations:
            problems.warn(variations[0].place, f"response {name!r} is used by no rule, story or form")


def _actions(domain: Domain, lines: list[Line], problems: Problems) -> None:
    used = {line.name for line in lines if line.kind in ("action", "loop")}
    used |= {mapping.action for slot in domain.slots.values() for mapping in slot.mappings}
    for name, place in domain.actions.items():
        if name not in used and name not in domain.forms and not name.startswith(HOOKS):
            problems.warn(
                place, f"action {name!r} is in no rule and no story; unless another action asks for it, remove it"
            )
    for name, form in domain.forms.items():
        if name not in used:
            problems.warn(
                form.place, f"form {name!r} is opened by no rule and no story; add one with `- action: {name}`"
            )


def _entities(domain: Domain, lines: list[Line], problems: Problems) -> None:
    found = {str(entity["entity"]) for example in domain.nlu.examples for entity in example.entities}
    used = found | set(domain.nlu.lookups) | set(domain.nlu.regexes)
    used |= {str(mapping.entity) for slot in domain.slots.values() for mapping in slot.mappings}
    used |= {name for line in lines for name in line.entities or ()}
    for name, place in domain.entity_places.items():
        if name not in used:
            problems.warn(
                place, f"entity {name!r} is in no example, lookup, mapping, rule or story; remove it or use it"
            )


def check_examples(domain: Domain, problems: Problems) -> None:
    """One text under two intents, and annotations that the domain does not know."""
    seen: dict[str, Any] = {}
    for example in domain.nlu.examples:
        earlier = seen.setdefault(example.text.casefold(), example)
        if earlier.intent != example.intent:
            problems.warn(
                example.place,
                f"{example.text!r} is an example of {example.intent!r} here and of {earlier.intent!r} "
                f"({earlier.place}); keep one",
            )
    for name, role, group, place in _annotations(domain):
        if name not in domain.entities:
            cure = f"add it to `entities:`{nearest(name, domain.entities)}"
            problems.warn(place, f"entity {name!r} of this example is not in the domain; {cure}")
            continue
        for key, value, known in (("role", role, domain.roles), ("group", group, domain.groups)):
            if value is not None and value not in known.get(name, ()):
                cure = f"add it to `{key}s:`{nearest(value, known.get(name, ()))}"
                problems.warn(place, f"{key} {value!r} of entity {name!r} is not in the domain; {cure}")


def _annotations(domain: Domain) -> Iterator[tuple[str, str | None, str | None, Place]]:
    """(entity, role, group) of the examples, each with the first place where it is."""
    seen = set()
    for example in domain.nlu.examples:
        for entity in example.entities:
            role, group = (None if entity.get(key) is None else str(entity[key]) for key in ("role", "group"))
            found = (str(entity["entity"]), role, group)
            if found not in seen:
                seen.add(found)
                yield (*found, example.place)


def check_conflicts(domain: Domain, problems: Problems) -> None:
    """Stories that go the same way so far and differ in what the bot does next: none of them can be right."""
    seen: dict[Any, tuple[str, Story]] = {}
    told: set[tuple[Any, Any]] = set()
    for story in domain.stories:
        for length, following in _decisions(story):
            key = tuple(state(point) for point in story.points[:length])
            earlier, other = seen.setdefault(key, (following, story))
            if earlier != following and (story.place, other.place) not in told:
                told.add((story.place, other.place))
                problems.warn(
                    story.points[length - 1].place,
                    f"story {story.name!r} wants {following!r} here where story {other.name!r} ({other.place}) wants "
                    f"{earlier!r} after the same turns; make them differ or remove one",
                )


def _decisions(story: Story) -> Iterator[tuple[int, str]]:
    """(turns so far, what the bot does next); a story that ends with the customer says nothing of what follows."""
    for length in range(1, len(story.points) + 1):
        following = story.points[length] if length < len(story.points) else None
        if following is None and story.points[-1].said:
            continue
        yield length, LISTEN if following is None or following.said else str(following.name)


def state(point: Expected) -> Any:
    """What a point asks for, to compare it with others."""
    slots = tuple(sorted((name, str(feature)) for name, feature in point.slots.items()))
    return (point.said, point.name, point.text, point.entities, point.any_loop, point.loop, slots)
