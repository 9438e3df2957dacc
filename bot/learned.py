"""The learned policy's view of a dialogue, and what it does where no rule and no story speaks. Pure.

The network is `retrieval.policy`; here conversations and stories are read into its moments.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.conversation import LISTEN, Conversation
from bot.domain import Domain
from bot.events import ActionRan, UserSaid
from bot.script import Expected, Point, acted, points, sure
from bot.script_file import SET
from bot.steps import Candidates, Limits, RunAction, Step, Wait
from bot.stories import Story, filled
from retrieval.policy import Example, Happened, Moment

POLICY = "learned"
VARIANTS = 8
"""How often a story is read, each time with other examples of its intents and after another story."""


def learned(conversation: Conversation, domain: Domain, candidates: Candidates, limits: Limits) -> Step | None:
    """The policy's next action, when it is sure enough of it and of what was said; it also ends what it began."""
    said, policy = conversation.latest, candidates.policy
    if policy is None or said is None or conversation.loop or not _its_turn(conversation, domain, said, limits):
        return None
    action, p = policy.predict(moment(filled(points(conversation.marks, domain, limits)), domain), candidates.vector)[0]
    going_on = bool(acted(conversation))
    if p < policy.threshold or action in conversation.actions or not _may_run(action, domain):
        return Wait() if going_on else None
    if action == LISTEN:
        return Wait() if going_on else None
    return RunAction(action, POLICY, p)


def _its_turn(conversation: Conversation, domain: Domain, said: UserSaid, limits: Limits) -> bool:
    """Only for an intent of the project that is sure; a turn that something else began is not its own."""
    if said.intent is None or said.intent.partition("/")[0] not in domain.intents or not sure(said, limits):
        return False
    ran = next((e for e in reversed(conversation.trail) if isinstance(e, ActionRan | UserSaid)), None)
    return not acted(conversation) or (isinstance(ran, ActionRan) and ran.policy == POLICY)


def _may_run(action: str, domain: Domain) -> bool:
    return action == LISTEN or domain.has_action(action)


def moment(seen: Sequence[Point], domain: Domain) -> Moment:
    latest = next((point for point in reversed(seen) if point.said), None)
    facts = _facts(seen[-1].slots, seen[-1].loop, latest.entities if latest else ()) if seen else set()
    return Moment([_happened(point.said, point.name) for point in seen], facts)


def _happened(said: bool, name: str | None) -> Happened:
    return Happened(said, (name or "").partition("/")[0] if said else name or "")


def _facts(slots: Mapping[str, Any], loop: str | None, entities: Iterable[str]) -> set[str]:
    facts = {f"entity:{name}" for name in entities} | ({f"form:{loop}"} if loop else set())
    for name, feature in slots.items():
        if feature is not None:
            facts.add(f"slot:{name}" if feature in (True, SET) else f"slot:{name}={feature}")
    return facts


def action_names(domain: Domain) -> frozenset[str]:
    """What a policy may learn to do: the project's responses, forms and custom actions."""
    named = (name for name in (*domain.responses, *domain.forms, *domain.actions) if not name.startswith("validate_"))
    return frozenset(named)


def story_dialogues(domain: Domain, *, seed: int = 13) -> list[list[Example]]:
    """One dialogue a story: its moments, in some variants."""
    rng = random.Random(seed)
    texts: dict[str, list[str]] = {}
    for example in domain.nlu.examples:
        texts.setdefault(example.intent.partition("/")[0], []).append(example.text)
    stories = [story for story in domain.stories if any(not point.said and point.name for point in story.points)]
    return [list(_variants(story, stories, texts, rng)) for story in stories]


def _variants(
    story: Story, stories: Sequence[Story], texts: Mapping[str, Sequence[str]], rng: random.Random
) -> Iterator[Example]:
    for variant in range(VARIANTS):
        yield from _read(story, _before(stories, story, variant, rng), texts, rng)


def _before(stories: Sequence[Story], story: Story, variant: int, rng: random.Random) -> list[Happened]:
    """What may have happened before a story: nothing, or another one."""
    others = [one for one in stories if one.name != story.name]
    if variant % 2 == 0 or not others:
        return []
    return [_happened(point.said, point.name) for point in rng.choice(others).points]


def _read(
    story: Story, happened: list[Happened], texts: Mapping[str, Sequence[str]], rng: random.Random
) -> Iterator[Example]:
    text, entities, before = "", frozenset[str](), None
    for point in (*story.points, None):
        if point is None or point.said:
            if before is not None and not before.said:
                yield Example(Moment(tuple(happened), _known(before, entities), text), LISTEN)
        elif point.name and before is not None:
            yield Example(Moment(tuple(happened), _known(before, entities), text), point.name)
        if point is not None:
            if point.said:
                entities = point.entities or frozenset()
                known = texts.get((point.name or "").partition("/")[0], ())
                text = point.text or (rng.choice(known) if known else "")
            happened = [*happened, _happened(point.said, point.name)]
            before = point


def _known(point: Expected, entities: Collection[str]) -> set[str]:
    return _facts(point.slots, point.loop, entities)
