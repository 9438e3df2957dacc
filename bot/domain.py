"""The dialogue of a desk: intents, slots, responses, forms, rules, stories and examples, in the Rasa 3.1 file formats.

`load_domain` reads what a folder holds, split over files and folders as Rasa allows: `domain.yml` or `domain/`,
and `nlu`, `rules`, `stories`, `responses` as files or folders, or all of it under `data/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bot.conversation import Conversation
from bot.forms import Form
from bot.nlu_file import Nlu
from bot.responses import Variation
from bot.rules import Rule
from bot.slots import Slot
from bot.stories import Story
from bot.yaml_file import NOWHERE, Place
from retrieval.errors import BadInput


@dataclass(frozen=True)
class Intent:
    """`uses` are the entities that count in rules and stories, None for all; `ignores` those that do not."""

    name: str
    uses: frozenset[str] | None = None
    ignores: frozenset[str] = frozenset()
    place: Place = NOWHERE


@dataclass(frozen=True)
class Session:
    """`minutes` of silence after which a new session begins, 0 for never."""

    minutes: float = 60
    carries_slots: bool = True


@dataclass(frozen=True)
class Domain:
    """`raw` is the merged domain as JSON, the way an action server wants it; `actions` are the custom ones. The values
    of `entities` say whether rules and stories see them; `roles` and `groups` are those an entity may have."""

    intents: Mapping[str, Intent] = field(default_factory=dict)
    entities: Mapping[str, bool] = field(default_factory=dict)
    entity_places: Mapping[str, Place] = field(default_factory=dict)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    slots: Mapping[str, Slot] = field(default_factory=dict)
    responses: Mapping[str, tuple[Variation, ...]] = field(default_factory=dict)
    actions: Mapping[str, Place] = field(default_factory=dict)
    forms: Mapping[str, Form] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    stories: tuple[Story, ...] = ()
    nlu: Nlu = field(default_factory=Nlu)
    session: Session = Session()
    raw: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def influential(self) -> frozenset[str]:
        """The slots that stories compare."""
        return frozenset(name for name, slot in self.slots.items() if slot.influences)

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.raw, sort_keys=True, default=str).encode()).hexdigest()

    def features(self, slots: Mapping[str, Any]) -> dict[str, Hashable]:
        """What rules and stories see of the slots; unset ones are left out."""
        initial = {name: slot.initial for name, slot in self._with_initial.items() if name not in slots}
        found = {name: self.slots.get(name, Slot(name)).feature(value) for name, value in {**initial, **slots}.items()}
        return {name: feature for name, feature in found.items() if feature is not None}

    @cached_property
    def spoken(self) -> frozenset[str]:
        """The customers' words that rules and stories go by, whatever their intent (end-to-end steps)."""
        sides = [rule.points for rule in self.rules] + [story.points for story in self.stories]
        points = [point for side in sides for point in side]
        return frozenset(point.text for point in points if point.said and point.text is not None)

    @cached_property
    def utterances(self) -> frozenset[str]:
        """What rules and stories let the bot say in so many words (`- bot: ...`)."""
        scripts = [rule.script for rule in self.rules] + [story.script for story in self.stories]
        lines = (line for script in scripts for line in script)
        return frozenset(line.said for line in lines if line.kind == "action" and line.said is not None)

    @cached_property
    def _with_initial(self) -> dict[str, Slot]:
        return {name: slot for name, slot in self.slots.items() if slot.initial is not None}

    def values(self, conversation: Conversation) -> dict[str, Any]:
        """Every slot of the domain and of the conversation with its value, initial values included."""
        return {**{name: slot.initial for name, slot in self.slots.items()}, **conversation.slots}

    def value(self, conversation: Conversation, name: str) -> Any:
        slot = self.slots.get(name)
        return conversation.slots.get(name, slot.initial if slot else None)

    def featured(self, intent: str | None, entities: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        """The names of the entities of a message that rules and stories see."""
        if not entities:
            return frozenset()
        known = self.intents.get((intent or "").partition("/")[0])
        names = {str(entity.get("entity")) for entity in entities}
        names = {name for name in names if self.entities.get(name, False)}
        if known is None:
            return frozenset(names)
        return frozenset(
            name for name in names if (known.uses is None or name in known.uses) and name not in known.ignores
        )

    def has_action(self, name: str) -> bool:
        return name in self.actions or name in self.forms or self.response_of(name) is not None

    def response_of(self, name: str, intent: str | None = None) -> tuple[Variation, ...] | None:
        """The variations of `utter_x`; of a retrieval intent `faq/ask_x` those of `utter_faq/ask_x`."""
        if intent and "/" in intent and f"utter_{intent}".startswith(f"{name}/"):
            return self.responses.get(f"utter_{intent}")
        found = self.responses.get(name)
        if found is None and not intent and any(key.startswith(f"{name}/") for key in self.responses):
            return ()
        return found


def load_domain(path: Path) -> Domain:
    """The dialogue files of a folder (or one file), cross-checked.

    Raises BadInput with every error, each with file, line and cure; NotFound when there is no such folder.
    """
    from bot.domain_check import examine

    domain, problems = examine(path)
    if errors := problems.errors:
        lines = "\n".join(f"  {error.place}: {error.text}" for error in errors[:20])
        raise BadInput(f"{path}: {len(errors)} error(s) in the dialogue files:\n{lines}")
    return domain


def nlu_examples(domain: Domain) -> list[tuple[str, str]]:
    """(text, intent) of every example, without annotations; for training."""
    return [(example.text, example.intent) for example in domain.nlu.examples]
