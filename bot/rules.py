"""Rules: whenever the conversation ends like this, this follows. Pure.

The semantics are those of Rasa's RulePolicy: a rule applies when its steps match the last messages and actions, and
what it says of open forms and slots holds. The rule that matches most wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.conversation import LISTEN
from bot.problems import Problems
from bot.script import Expected, Point
from bot.script_file import SET, Script, expect, read_steps
from bot.slots import Slot
from bot.yaml_file import NOWHERE, Block, Place


@dataclass(frozen=True)
class Rule:
    """`start` must hold before the first point when that is an action; `opening` ties it to the start.""" ""

    name: str
    points: tuple[Expected, ...]
    start: Expected
    opening: bool = False
    waits: bool = True
    script: Script = ()
    place: Place = NOWHERE


@dataclass(frozen=True)
class Prediction:
    """`action` is the next action, `action_listen` to wait.

    `general` says that the rule does not speak of the open form, so that the form takes over after it.
    """

    action: str
    rule: Rule
    general: bool
    weight: tuple[int, int]


def predict(rules: Iterable[Rule], points: Sequence[Point]) -> Prediction | None:
    """What the best matching rule wants next, None when none matches."""
    found = [prediction for rule in rules for prediction in _predictions(rule, points)]
    return max(found, key=lambda prediction: prediction.weight, default=None)


def _predictions(rule: Rule, points: Sequence[Point]) -> Iterator[Prediction]:
    for length in range(1, min(len(rule.points), len(points)) + 1):
        last = rule.points[length - 1]
        if last.names(points[-1]) and _matches(rule, points, length):
            # A rule at its end that does not wait leaves the next step to others.
            if following := _next(rule, length):
                yield Prediction(following, rule, last.any_loop, (length, _weight(rule)))


def _next(rule: Rule, length: int) -> str | None:
    if length < len(rule.points):
        following = rule.points[length]
        return LISTEN if following.said else following.name
    return LISTEN if rule.waits else None


def _weight(rule: Rule) -> int:
    first = rule.points[0]
    return len(first.slots) + (not first.any_loop) + len(first.entities or ()) + rule.opening


def _matches(rule: Rule, points: Sequence[Point], length: int) -> bool:
    before = len(points) - length
    if rule.opening and before:
        return False
    if not rule.points[0].said and not _begins(rule, points[before - 1] if before else None):
        return False
    return all(fits(expected, point) for expected, point in zip(rule.points, points[before:], strict=False))


def _begins(rule: Rule, previous: Point | None) -> bool:
    """Whether the condition of a rule that starts with an action held before that action."""
    previous = previous or Point(False, None)
    # A form that opens and is complete at once never was open before its own action.
    loop = rule.start.any_loop or rule.start.loop in (previous.loop, rule.points[0].name)
    return loop and _slots_fit(rule.start.slots, previous)


def fits(expected: Expected, point: Point) -> bool:
    """Whether what a step says holds; of what it does not speak, nothing is asked."""
    return (
        expected.names(point)
        and (expected.any_loop or expected.loop == point.loop)
        and (expected.entities is None or expected.entities <= point.entities)
        and _slots_fit(expected.slots, point)
    )


def _slots_fit(wanted: Mapping[str, object], point: Point) -> bool:
    return all(
        (point.slots.get(name) is not None) if feature == SET else point.slots.get(name) == feature
        for name, feature in wanted.items()
    )


def read_rule(block: Block, slots: Mapping[str, Slot], problems: Problems) -> list[Rule]:
    """The rule of a `- rule:` block, once for every choice of its `or` steps."""
    name = str(block.get("rule"))
    what = f"rule {name!r}"
    known = ("rule", "steps", "condition", "conversation_start", "wait_for_user_input", "metadata")
    problems.keys(block.place, block, known, what)
    conditions = read_steps(block.get("condition"), block.at("condition"), problems, what=f"the condition of {what}")
    found = []
    for steps in read_steps(block.get("steps"), block.at("steps"), problems, what=what):
        script = (*(conditions[0] if conditions else ()), *steps)
        start, points = expect(script, slots, exact=False)
        opening = bool(block.get("conversation_start", False))
        waits = bool(block.get("wait_for_user_input", True))
        if points:
            found.append(Rule(name, points, start, opening, waits, script, block.place))
        else:
            problems.error(block.place, f"{what} has no intent and no action; add `steps:`")
    return found
