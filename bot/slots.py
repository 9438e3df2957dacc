"""Slots: what the desk remembers of a conversation, and the mappings that fill them from a message."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from bot.problems import Problems, nearest
from bot.yaml_file import NOWHERE, Block, Items, Place, plain

REQUESTED = "requested_slot"
TYPES = ("text", "bool", "categorical", "float", "list", "any")
UNIT = (0.0, 1.0)
OTHER = "__other__"
"""What Rasa calls every value of a categorical slot that is none of its `values`."""
MAPPINGS = ("from_entity", "from_text", "from_intent", "from_trigger_intent", "custom")


@dataclass(frozen=True)
class Condition:
    """When a mapping applies: in this form (`loop`, None for outside any; `any_loop` when not said) and question."""

    loop: str | None = None
    any_loop: bool = True
    requested: str | None = None

    def holds(self, loop: str | None, requested: Any) -> bool:
        return (self.any_loop or loop == self.loop) and (self.requested is None or requested == self.requested)


@dataclass(frozen=True)
class Mapping:
    type: str
    entity: str | None = None
    role: str | None = None
    group: str | None = None
    intents: tuple[str, ...] = ()
    not_intents: tuple[str, ...] = ()
    value: Any = None
    conditions: tuple[Condition, ...] = ()
    action: str | None = None

    def wants(self, intent: str | None) -> bool:
        return (not self.intents or intent in self.intents) and intent not in self.not_intents


@dataclass(frozen=True)
class Slot:
    name: str
    type: str = "any"
    influences: bool = True
    initial: Any = None
    values: tuple[str, ...] = ()
    range: tuple[float, float] = UNIT
    mappings: tuple[Mapping, ...] = ()
    place: Place = NOWHERE

    def feature(self, value: Any) -> Hashable:
        """What rules and stories compare, None when the slot counts as unset.

        As in Rasa, the content of `text` and `list` slots does not matter, only whether there is one.
        """
        if value is None:
            return None
        if self.name == REQUESTED:
            return str(value)
        match self.type:
            case "bool":
                return bool(value)
            case "categorical":
                given = str(value).lower()
                return given if not self.values or given in (one.lower() for one in self.values) else OTHER
            case "float":
                return self._capped(value)
            case "list":
                return True if value else None
            case _:
                return True

    def _capped(self, value: Any) -> float | None:
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        return min(max(number, self.range[0]), self.range[1])


def _type(kind: str) -> str:
    """Rasa's own slot classes (`rasa.shared.core.slots.FloatSlot`) are types, too."""
    short = kind.rpartition(".")[2].removesuffix("Slot").lower()
    return short if kind.startswith("rasa.") and short in TYPES else kind


def read_slot(name: str, block: Any, place: Place, problems: Problems) -> Slot:
    if not isinstance(block, Block):
        problems.error(place, f"slot {name!r} needs at least `type:`")
        return Slot(name, place=place)
    known = (
        "type",
        "influence_conversation",
        "initial_value",
        "values",
        "mappings",
        "min_value",
        "max_value",
        "auto_fill",
    )
    problems.keys(place, block, known, f"slot {name!r}")
    kind = _type(str(block.get("type", "any")))
    _check_type(name, kind, block, problems)
    values = tuple(str(value) for value in problems.items(place, block.get("values"), f"values of slot {name!r}"))
    if kind == "categorical" and not values:
        problems.error(place, f"categorical slot {name!r} lists no `values:`; add them")
    mappings = [
        read_mapping(name, item, at, problems)
        for at, item in problems.items(place, block.get("mappings"), f"mappings of slot {name!r}").placed()
    ]
    influences = bool(block.get("influence_conversation", True)) and kind != "any"
    initial = plain(block.get("initial_value"))
    return Slot(name, kind, influences, initial, values, _range(name, kind, block, problems), tuple(mappings), place)


def _check_type(name: str, kind: str, block: Block, problems: Problems) -> None:
    at = block.at("type")
    if kind == "unfeaturized":
        problems.error(at, f"slot {name!r}: `unfeaturized` is gone since Rasa 3: write `type: any`")
    elif "." in kind:
        text = f"slot {name!r}: the class {kind} is not loaded; rules and stories see only whether the slot is set"
        problems.warn(at, f"{text}; `type: categorical` with `values:` tells them more")
    elif kind not in TYPES:
        problems.error(at, f"slot {name!r} has the unknown type {kind!r}{nearest(kind, TYPES)}")
    if "auto_fill" in block:
        text = "nothing reads it since Rasa 3, write `mappings: [{type: from_entity, entity: ...}]`"
        problems.warn(block.at("auto_fill"), f"slot {name!r}, auto_fill: {text}")


def _range(name: str, kind: str, block: Block, problems: Problems) -> tuple[float, float]:
    """Beyond it rules and stories tell no values of a float slot apart; Rasa's defaults are 0 and 1."""
    if kind != "float":
        return UNIT
    try:
        low, high = float(block.get("min_value", 0)), float(block.get("max_value", 1))
    except (TypeError, ValueError):
        low = high = 0.0
    if low >= high:
        problems.error(block.place, f"slot {name!r}: min_value and max_value must be numbers, the first the smaller")
        return UNIT
    return low, high


def read_mapping(slot: str, block: Any, place: Place, problems: Problems) -> Mapping:
    if not isinstance(block, Block) or "type" not in block:
        problems.error(place, f"a mapping of slot {slot!r} needs `type:` ({', '.join(MAPPINGS)})")
        return Mapping("custom")
    kind = str(block["type"])
    known = ("type", "entity", "role", "group", "intent", "not_intent", "value", "conditions", "action")
    problems.keys(place, block, known, f"a mapping of slot {slot!r}")
    if kind not in MAPPINGS:
        problems.error(place, f"slot {slot!r} has a mapping of the unknown type {kind!r}{nearest(kind, MAPPINGS)}")
    if kind == "from_entity" and not block.get("entity"):
        problems.error(place, f"the from_entity mapping of slot {slot!r} names no `entity:`")
    if kind in ("from_intent", "from_trigger_intent") and "value" not in block:
        problems.error(place, f"the {kind} mapping of slot {slot!r} gives no `value:`")
    conditions = problems.items(place, block.get("conditions"), f"conditions of slot {slot!r}")
    return Mapping(
        type=kind,
        entity=block.get("entity"),
        role=block.get("role"),
        group=block.get("group"),
        intents=names(block.get("intent")),
        not_intents=names(block.get("not_intent")),
        value=plain(block.get("value")),
        conditions=tuple(_condition(slot, item, at, problems) for at, item in conditions.placed()),
        action=block.get("action"),
    )


def _condition(slot: str, block: Any, place: Place, problems: Problems) -> Condition:
    if not isinstance(block, Block):
        problems.error(place, f"a condition of slot {slot!r} must look like `- active_loop: my_form`, found {block!r}")
        return Condition()
    problems.keys(place, block, ("active_loop", "requested_slot"), f"a condition of slot {slot!r}")
    loop = block.get("active_loop")
    return Condition(
        loop=None if loop in (None, "null") else str(loop),
        any_loop="active_loop" not in block,
        requested=block.get("requested_slot"),
    )


def names(value: Any) -> tuple[str, ...]:
    """`x`, `[x, y]` or nothing, as a tuple of names."""
    if value in (None, "", "None"):
        return ()
    return tuple(str(item) for item in value) if isinstance(value, Items | list) else (str(value),)
