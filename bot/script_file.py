"""The steps of rules and stories as written in the files, checked for shape, with `or` spelled out."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.problems import Problems
from bot.script import Expected, slot_steps
from bot.slots import Slot
from bot.yaml_file import NOWHERE, Block, Place

SET = "<set>"
"""The feature that any set value has."""

KINDS = ("intent", "user", "action", "bot", "slot_was_set", "active_loop", "checkpoint", "or")


FORMER = {"form": "write `- active_loop: NAME`", "slot": "write `- slot_was_set:` with a list"}
STEP_KEYS = {*KINDS, "entities", "metadata"}


@dataclass(frozen=True)
class Line:
    """One step. `name` is the intent, action, form or checkpoint; `slots` are (slot, value, has a value). `said` are
    the words of a customer, also where the step names an intent and rules and stories go by that, or of the bot."""

    kind: Literal["user", "action", "slots", "loop", "checkpoint"]
    name: str | None = None
    text: str | None = None
    entities: tuple[str, ...] | None = None
    slots: tuple[tuple[str, Any, bool], ...] = ()
    said: str | None = None
    place: Place = NOWHERE


Script = tuple[Line, ...]


def read_steps(value: Any, place: Place, problems: Problems, *, what: str) -> list[Script]:
    """The steps as one script for every choice of the `or` steps."""
    choices: list[list[Line]] = []
    for at, step in problems.items(place, value, f"steps of {what}").placed():
        if not isinstance(step, Block):
            problems.error(at, f"a step of {what} must look like `- intent: x` or `- action: y`, found {step!r}")
        elif "or" in step:
            inner = problems.items(at, step["or"], f"`or` in {what}").placed()
            choices.append([line for spot, item in inner for line in _lines(item, spot, problems, what)])
        else:
            choices += [[line] for line in _lines(step, at, problems, what)]
    return list(itertools.islice(itertools.product(*choices), 512))


def _lines(step: Any, place: Place, problems: Problems, what: str) -> list[Line]:
    kind = next((key for key in KINDS if isinstance(step, Block) and key in step), None)
    if isinstance(step, Block) and (former := FORMER.keys() & step.keys()) and kind is None:
        key = min(former)
        problems.error(place, f"`{key}:` in {what} is of an older Rasa; {FORMER[key]}")
        return []
    if kind is None:
        problems.error(place, f"a step of {what} has none of the keys {', '.join(KINDS)}; found {step!r}")
        return []
    for key in step.keys() - STEP_KEYS:
        problems.warn(step.at(key), f"nothing reads {key!r} in a step of {what}; remove it")
    value = step[kind]
    if "checkpoint" in step and kind == "slot_was_set":  # a checkpoint may ask for slots
        return [
            Line("checkpoint", str(step["checkpoint"]), place=place),
            Line("slots", slots=_slots(value), place=place),
        ]
    match kind:
        case "intent" | "user":
            return [_user_line(step, place)]
        case "action" | "bot":
            # End-to-end: what the bot says is the action.
            return [Line("action", str(value).strip(), said=str(value).strip() if kind == "bot" else None, place=place)]
        case "slot_was_set":
            return [Line("slots", slots=_slots(value), place=place)]
        case "active_loop":
            return [Line("loop", None if value in (None, "null", "None") else str(value), place=place)]
        case _:
            return [Line("checkpoint", str(value), place=place)]


def _slots(value: Any) -> tuple[tuple[str, Any, bool], ...]:
    return tuple(slot_steps(value))


def _user_line(step: Block, place: Place) -> Line:
    entities = step.get("entities")
    found = None
    if isinstance(entities, list):
        found = tuple(sorted({next(iter(item)) if isinstance(item, dict) else str(item) for item in entities if item}))
    intent = step.get("intent")
    said = str(step["user"]).strip() if "user" in step else None
    text = None if intent else said or ""
    return Line("user", str(intent) if intent else None, text=text, entities=found, said=said, place=place)


def expect(script: Script, slots: Mapping[str, Slot], *, exact: bool) -> tuple[Expected, tuple[Expected, ...]]:
    """The state that the steps before the first point ask for, and the points.

    What a step says of forms and slots holds from there on. With `exact` no form is open unless a step says so.
    """
    start = state = Expected(False, None, any_loop=not exact)
    found: list[Expected] = []
    for line in script:
        if line.kind == "slots":
            state = replace(state, slots={**state.slots, **_features(line, slots)})
        elif line.kind == "loop":
            state = replace(state, loop=line.name, any_loop=False)
        elif line.kind in ("user", "action"):
            said = line.kind == "user"
            entities = frozenset(line.entities) if line.entities is not None else None
            point = Expected(said, line.name, entities, line.text, place=line.place)
            found.append(replace(point, loop=state.loop, any_loop=state.any_loop, slots=state.slots))
            continue
        if not found:
            start = state
        else:
            found[-1] = replace(found[-1], loop=state.loop, any_loop=state.any_loop, slots=state.slots)
    return start, tuple(found)


def _features(line: Line, slots: Mapping[str, Slot]) -> dict[str, Hashable]:
    features: dict[str, Hashable] = {}
    for name, value, given in line.slots:
        slot = slots.get(name, Slot(name))
        features[name] = slot.feature(value) if given else SET
    return features
