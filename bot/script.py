"""What rules and stories are made of: points (a customer message or an action) and the state around each.

A conversation is read into points, too (`points`), and the two are compared. States compare as Rasa's do: intent,
entity names, open form, slot features (`Slot.feature`), previous actions.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.conversation import SILENT, Conversation, Mark
from bot.events import ActionRan, UserSaid
from bot.steps import Limits
from bot.yaml_file import NOWHERE, Place

if TYPE_CHECKING:
    from bot.domain import Domain

Features = Mapping[str, Hashable]


@dataclass(frozen=True, slots=True)
class Point:
    """A message (`said`, then `name` is the intent, None when nobody can be sure) or an action of a conversation."""

    said: bool
    name: str | None
    entities: frozenset[str] = frozenset()
    loop: str | None = None
    slots: Features = field(default_factory=dict)
    text: str | None = None
    policy: str = ""


@dataclass(frozen=True)
class Expected:
    """A point that a rule or story asks for.

    `loop` and `slots` count only when given: `any_loop` stands for no word about forms, a feature of None for unset.
    `entities` None means that the step does not speak of any.
    """

    said: bool
    name: str | None
    entities: frozenset[str] | None = None
    text: str | None = None
    loop: str | None = None
    any_loop: bool = True
    slots: Features = field(default_factory=dict)
    place: Place = NOWHERE

    def names(self, point: Point) -> bool:
        if self.said != point.said:
            return False
        if self.text is not None:
            return point.text is not None and self.text.strip() == point.text.strip()
        if self.said and self.name is not None and point.name is not None and "/" not in self.name:
            return self.name == point.name.partition("/")[0]
        return self.name == point.name


def points(marks: Sequence[Mark], domain: Domain, limits: Limits) -> list[Point]:
    # Marks share their slots until one changes, so few of them need their features computed.
    features: dict[int, Features] = {}
    found = []
    for mark in marks:
        key = id(mark.slots)
        if key not in features:
            features[key] = domain.features(mark.slots)
        found.append(_point(mark, features[key], domain, limits))
    return found


def _point(mark: Mark, slots: Features, domain: Domain, limits: Limits) -> Point:
    event = mark.event
    if isinstance(event, ActionRan):
        return Point(False, event.name, loop=mark.loop, slots=slots, policy=event.policy)
    intent = event.intent if sure(event, limits) else None
    return Point(True, intent, domain.featured(event.intent, event.entities), mark.loop, slots, event.text)


def sure(said: UserSaid, limits: Limits) -> bool:
    """Whether the intent of a message may be acted on."""
    return said.confidence >= limits.intent and said.in_scope >= limits.in_scope


def acted(conversation: Conversation) -> tuple[str, ...]:
    """The actions of this turn that count for the dialogue."""
    return tuple(name for name in conversation.actions if name not in SILENT)


def slot_steps(value: Any) -> list[tuple[str, Any, bool]]:
    """`slot_was_set` as (slot, value, whether a value was given) for each entry of its list or mapping."""
    entries = value if isinstance(value, list) else [value]
    found: list[tuple[str, Any, bool]] = []
    for entry in entries:
        if isinstance(entry, dict):
            found += [(str(name), content, True) for name, content in entry.items()]
        else:
            found.append((str(entry), None, False))
    return found
