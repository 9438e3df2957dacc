"""Cross-checks the dialogue files as `rasa data validate` does: unknown, unused and contradicting names and rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bot.conversation import LISTEN
from bot.domain import Domain
from bot.domain_files import read_domain
from bot.domain_usage import DEFAULT_INTENTS, check_conflicts, check_examples, check_unused, state
from bot.forms import ask_names
from bot.problems import Problems, nearest
from bot.rules import Rule
from bot.rules import predict as predict_rule
from bot.script import Expected, Point
from bot.script_file import SET, Line, Script
from bot.yaml_file import Place

DEFAULT_ACTIONS = frozenset(
    {
        LISTEN, "action_restart", "action_session_start", "action_default_fallback", "action_deactivate_loop",
        "action_revert_fallback_events", "action_default_ask_affirmation", "action_default_ask_rephrase",
        "action_two_stage_fallback", "action_back", "action_extract_slots", "action_validate_slot_mappings",
        "action_unlikely_intent", "action_handoff", "action_send_text", "...",
    }
)  # fmt: skip
LOOPS = frozenset({"action_two_stage_fallback"})


def examine(path: Path) -> tuple[Domain, Problems]:
    """The domain of a folder and everything that is wrong with it, in the order of the files."""
    domain, problems = read_domain(path)
    for script in (*(rule.script for rule in domain.rules), *(story.script for story in domain.stories)):
        _script(script, domain, problems)
    _slots(domain, problems)
    _forms(domain, problems)
    _responses(domain, problems)
    _rules(domain, problems)
    _stories(domain, problems)
    check_conflicts(domain, problems)
    check_examples(domain, problems)
    check_unused(domain, problems)
    unique = Problems(sorted(set(problems)))
    return domain, unique


def _script(script: Script, domain: Domain, problems: Problems) -> None:
    for line in script:
        match line.kind:
            case "user" if line.name:
                _intent(line, domain, problems)
            case "action" if line.name and line.said is None:
                _action(line.name, line.place, domain, problems)
            case "loop" if line.name and line.name not in domain.forms and line.name not in LOOPS:
                problems.error(line.place, f"form {line.name!r} is not in the domain{nearest(line.name, domain.forms)}")
            case "slots":
                _slots_known((name for name, _, _ in line.slots), line.place, domain, problems)
                _in_range(line, domain, problems)


def _intent(line: Line, domain: Domain, problems: Problems) -> None:
    base = str(line.name).partition("/")[0]
    if base not in domain.intents and base not in DEFAULT_INTENTS:
        cure = f"add `- {base}` to `intents:` of the domain{nearest(base, domain.intents)}"
        problems.error(line.place, f"intent {line.name!r} is not in the domain; {cure}")
    for entity in line.entities or ():
        if entity not in domain.entities:
            problems.error(line.place, f"entity {entity!r} is not in the domain{nearest(entity, domain.entities)}")


def _action(name: str, place: Place, domain: Domain, problems: Problems) -> None:
    if name in DEFAULT_ACTIONS or (domain.has_action(name) and not _silent_response(name, domain)):
        return
    if name.startswith("utter_"):
        cure = f"add it under `responses:`{nearest(name, domain.responses)}"
        problems.error(place, f"response {name!r} is not in the domain; {cure}")
    else:
        known = (*domain.actions, *domain.forms)
        problems.error(place, f"action {name!r} is not in the domain; add it under `actions:`{nearest(name, known)}")


def _silent_response(name: str, domain: Domain) -> bool:
    return name.startswith("utter_") and domain.response_of(name) is None


def _slots_known(names: Iterable[str], place: Place, domain: Domain, problems: Problems) -> None:
    for name in names:
        if name not in domain.slots:
            problems.error(
                place, f"slot {name!r} is not in the domain; add it under `slots:`{nearest(name, domain.slots)}"
            )


def _in_range(line: Line, domain: Domain, problems: Problems) -> None:
    for name, value, _ in line.slots:
        slot = domain.slots.get(name)
        if slot and slot.type == "float" and isinstance(value, int | float) and slot.feature(value) != value:
            low, high = slot.range
            text = f"slot {name!r} goes from {low:g} to {high:g}, every value beyond counts as that"
            problems.warn(line.place, f"{text}; give the slot `min_value:` and `max_value:` that hold {value!r}")


def _slots(domain: Domain, problems: Problems) -> None:
    for slot in domain.slots.values():
        for mapping in slot.mappings:
            if mapping.action and mapping.action not in domain.actions:
                known = nearest(mapping.action, domain.actions)
                problems.error(slot.place, f"slot {slot.name!r} is set by the unknown action {mapping.action!r}{known}")
            if mapping.entity and mapping.entity not in domain.entities:
                known = nearest(mapping.entity, domain.entities)
                problems.error(
                    slot.place, f"slot {slot.name!r} is filled from the unknown entity {mapping.entity!r}{known}"
                )
            for intent in (*mapping.intents, *mapping.not_intents):
                if intent.partition("/")[0] not in domain.intents and intent not in DEFAULT_INTENTS:
                    known = nearest(intent, domain.intents)
                    problems.error(
                        slot.place, f"a mapping of slot {slot.name!r} names the unknown intent {intent!r}{known}"
                    )
            for condition in mapping.conditions:
                if condition.loop and condition.loop not in domain.forms:
                    known = nearest(condition.loop, domain.forms)
                    problems.error(
                        slot.place, f"a mapping of slot {slot.name!r} names the unknown form {condition.loop!r}{known}"
                    )


def _forms(domain: Domain, problems: Problems) -> None:
    for form in domain.forms.values():
        _slots_known(form.required, form.place, domain, problems)
        for slot in form.required:
            if not any(domain.has_action(name) for name in ask_names(form.name, slot)):
                problems.warn(form.place, f"nothing asks for slot {slot!r} of form {form.name!r}; add utter_ask_{slot}")


def _responses(domain: Domain, problems: Problems) -> None:
    for name, variations in domain.responses.items():
        for variation in variations:
            _slots_known((slot for slot, _ in variation.conditions), variation.place, domain, problems)
            for slot in re.findall(r"\{(\w+)\}", variation.text or ""):
                if slot not in domain.slots and not domain.actions:
                    problems.warn(
                        variation.place, f"{name!r} uses {{{slot}}}, which is no slot and no action can give it"
                    )
    for name, place in domain.actions.items():
        if _silent_response(name, domain):
            problems.warn(
                place, f"action {name!r} has no response; add it under `responses:`{nearest(name, domain.responses)}"
            )


def _rules(domain: Domain, problems: Problems) -> None:
    seen: dict[Any, tuple[str | None, Rule]] = {}
    for rule in domain.rules:
        for length in range(1, len(rule.points) + 1):
            following = _following(rule.points, length, waits=rule.waits)
            key = (rule.opening, state(rule.start), tuple(state(point) for point in rule.points[:length]))
            earlier, other = seen.setdefault(key, (following, rule))
            # A rule that does not wait leaves the next step to others, so it contradicts none.
            if earlier != following and None not in (earlier, following):
                problems.error(
                    rule.place,
                    f"rule {rule.name!r} wants {following!r} where rule {other.name!r} ({other.place}) "
                    f"wants {earlier!r}; "
                    "give one of them a `condition:` or remove it",
                )


def _following(points: tuple[Expected, ...], length: int, *, waits: bool = True) -> str | None:
    if length == len(points):
        return LISTEN if waits else None
    return LISTEN if points[length].said else points[length].name


def _stories(domain: Domain, problems: Problems) -> None:
    for story in domain.stories:
        points = [_as_point(expected) for expected in story.points]
        for length in range(1, len(points) + 1):
            wanted = _following(story.points, length)
            found = predict_rule((rule for rule in domain.rules if not rule.opening or length == 1), points[:length])
            # Inside a form the form itself comes before the rules.
            if found and found.action != wanted and points[length - 1].loop is None:
                problems.warn(
                    story.points[length - 1].place,
                    f"story {story.name!r} wants {wanted!r} here, "
                    f"but rule {found.rule.name!r} ({found.rule.place}) wants "
                    f"{found.action!r} and rules win; change one of them",
                )
                break


def _as_point(expected: Expected) -> Point:
    slots = {name: (True if feature == SET else feature) for name, feature in expected.slots.items()}
    slots = {name: feature for name, feature in slots.items() if feature is not None}
    return Point(expected.said, expected.name, expected.entities or frozenset(), expected.loop, slots, expected.text)
