"""What came of a test, and how much of the dialogue all tests together went through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.conversation import SILENT, Conversation
from bot.domain import Domain
from bot.events import ActionRan, BotSaid, UserSaid
from bot.script import Expected
from bot.slots import REQUESTED
from bot.yaml_file import Place


@dataclass(frozen=True)
class Difference:
    place: Place
    wanted: str
    found: str
    said: str = ""

    def __str__(self) -> str:
        after = f" after {self.said!r}" if self.said else ""
        return f"{self.place}: wanted {self.wanted}, got {self.found}{after}"


@dataclass(frozen=True)
class Outcome:
    """`difference` is the first one, None when the test passed; `conversation` is how far it came."""

    name: str
    place: Place
    difference: Difference | None
    conversation: Conversation

    @property
    def passed(self) -> bool:
        return self.difference is None


@dataclass(frozen=True)
class Coverage:
    """Of one kind of part: how many there are, and which no test went through."""

    kind: str
    total: int
    missing: tuple[str, ...]

    @property
    def reached(self) -> int:
        return self.total - len(self.missing)


def coverage(domain: Domain, outcomes: Iterable[Outcome]) -> list[Coverage]:
    walks = [_walk(outcome.conversation) for outcome in outcomes]
    intents = {name.partition("/")[0] for walk in walks for said, name in walk if said}
    actions = {name for walk in walks for said, name in walk if not said}
    rules = {rule.name for rule in domain.rules if any(_follows(rule.points, walk) for walk in walks)}
    stories = {story.name for story in domain.stories if any(_follows(story.points, walk) for walk in walks)}
    known = [*domain.actions, *domain.forms, *(name for name in domain.responses if name not in domain.actions)]
    wanted = [name for name in known if not name.startswith(("validate_", "action_validate_", "utter_ask_"))]
    return [
        _of("intents", domain.intents, intents),
        _of("actions, forms and responses", dict.fromkeys(wanted), actions),
        _of("rules", dict.fromkeys(rule.name for rule in domain.rules), rules),
        _of("stories", dict.fromkeys(story.name for story in domain.stories), stories),
    ]


def share(found: Sequence[Coverage]) -> float:
    total = sum(one.total for one in found)
    return sum(one.reached for one in found) / total if total else 1.0


def _of(kind: str, names: Iterable[str], reached: set[str]) -> Coverage:
    known = list(names)
    return Coverage(kind, len(known), tuple(name for name in known if name not in reached and name != REQUESTED))


Walk = list[tuple[bool, str]]


def _walk(conversation: Conversation) -> Walk:
    """Messages (True, intent) and actions (False, name) in their order; a response that an action said counts, too."""
    found: Walk = []
    for event in conversation.events:
        if isinstance(event, UserSaid):
            found.append((True, event.intent or ""))
        elif isinstance(event, ActionRan) and event.name not in SILENT:
            found.append((False, event.name))
        elif isinstance(event, BotSaid) and event.response and found[-1:] != [(False, event.response)]:
            found.append((False, event.response))
    return found


def _follows(points: Sequence[Expected], walk: Walk) -> bool:
    wanted = [(point.said, point.name) for point in points]
    return any(
        all(_same(one, other) for one, other in zip(wanted, walk[start:], strict=False))
        for start in range(len(walk) - len(wanted) + 1)
    )


def _same(wanted: tuple[bool, str | None], found: tuple[bool, str]) -> bool:
    if wanted[1] is None:  # end-to-end: words instead of an intent
        return wanted[0] == found[0]
    return wanted[0] == found[0] and found[1] in (wanted[1], f"{wanted[1]}/{found[1].partition('/')[2]}")
