"""Stories: example conversations, remembered. Pure.

A story applies when the latest turns are, state by state, its beginning; older turns are forgotten one by one until
one applies (Rasa's AugmentedMemoizationPolicy), and the longest match wins. Turns that only rules or forms handled are
left out, so that a question in between does not break a story.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.conversation import LISTEN
from bot.problems import Problems
from bot.rules import fits
from bot.script import Expected, Features, Point
from bot.script_file import SET, Script, expect, read_steps
from bot.slots import Slot
from bot.yaml_file import NOWHERE, Block, Place

MOST = 2000
HIDDEN = ("rule", "form", "fallback")


@dataclass(frozen=True)
class Story:
    name: str
    points: tuple[Expected, ...]
    script: Script = ()
    place: Place = NOWHERE


def alike(stories: Iterable[Story], points: Sequence[Point]) -> str | None:
    """The next action of the stories that go as the conversation does, but for slots and entities that they do not
    speak of; None when there is none, or when they do not agree."""
    shown = visible(points)
    for start in (i for i, point in enumerate(shown) if point.said):
        tail = shown[start:]
        going = [story for story in stories if len(tail) <= len(story.points) and _like(story, tail)]
        if going:
            following = {_next(story, len(tail)) for story in going}
            return following.pop() if len(following) == 1 else None
    return None


def _like(story: Story, tail: Sequence[Point]) -> bool:
    return all(fits(expected, point) for expected, point in zip(story.points, tail, strict=False))


def predict(stories: Iterable[Story], points: Sequence[Point], influential: frozenset[str]) -> str | None:
    """The next action (`action_listen` to wait) of the story that the conversation follows, None for none."""
    remembered = list(stories)
    shown = visible(points) if remembered else []
    longest = max((len(story.points) for story in remembered), default=0)
    for start in (i for i, point in enumerate(shown) if point.said and len(shown) - i <= longest):
        tail = shown[start:]
        base = shown[start - 1].slots if start else {}
        for story in remembered:
            if _begins_like(story, tail, base, influential):
                return _next(story, len(tail))
    return None


def filled(points: Sequence[Point]) -> list[Point]:
    """Without the answers that a form took: a story says only that it opened and what stood in the end, as in Rasa."""
    found: list[Point] = []
    for point in points:
        asking = found[-2] if len(found) > 1 and found[-1].said else None
        if point.policy == "form" and asking and not asking.said and asking.name == asking.loop == point.name:
            del found[-2:]
        found.append(point)
    return found


def visible(points: Sequence[Point]) -> list[Point]:
    """The points of the turns that a story may speak of: the latest, and those a story, not only a rule, acted in."""
    turns: list[list[Point]] = []
    for point in filled(points):
        if point.said or not turns:
            turns.append([])
        turns[-1].append(point)
    shown = [turn for turn in turns[:-1] if any(not p.said and p.policy not in HIDDEN for p in turn)]
    return [point for turn in [*shown, *turns[-1:]] for point in turn]


def _begins_like(story: Story, tail: Sequence[Point], base: Features, influential: frozenset[str]) -> bool:
    if len(tail) > len(story.points) or not story.points[0].names(tail[0]):
        return False
    return all(_same(expected, point, base, influential) for expected, point in zip(story.points, tail, strict=False))


def _same(expected: Expected, point: Point, base: Features, influential: frozenset[str]) -> bool:
    if not expected.names(point) or expected.loop != point.loop:
        return False
    if point.said and (expected.entities or frozenset()) != point.entities:
        return False
    for name in influential:
        feature = point.slots.get(name)
        if name not in expected.slots:
            # Set before this story began: forgotten with the turns it was set in.
            if feature is not None and feature != base.get(name):
                return False
        elif (feature is None) if expected.slots[name] == SET else (feature != expected.slots[name]):
            return False
    return True


def _next(story: Story, length: int) -> str | None:
    if length == len(story.points):
        return LISTEN
    following = story.points[length]
    return LISTEN if following.said else following.name


def read_stories(blocks: Sequence[Block], slots: Mapping[str, Slot], problems: Problems) -> list[Story]:
    """All stories with their checkpoints joined and their `or` steps spelled out."""
    for block in blocks:
        problems.keys(block.place, block, ("story", "steps", "metadata"), f"story {block.get('story')!r}")
    pieces = [
        (str(block.get("story")), script, block.place)
        for block in blocks
        for whole in read_steps(block.get("steps"), block.at("steps"), problems, what=f"story {block.get('story')!r}")
        for script in _split(whole)
    ]
    stories = []
    for name, script, place in _join(pieces, problems):
        points = expect(script, slots, exact=True)[1]
        first = next((i for i, point in enumerate(points) if point.said), len(points))
        if points[first:]:
            stories.append(Story(name, points[first:], script, place))
    return stories


Piece = tuple[str, Script, Place]


def _split(script: Script) -> list[Script]:
    """A checkpoint in the middle ends one piece and begins the next."""
    pieces: list[Script] = []
    piece: Script = ()
    for index, line in enumerate(script):
        piece = (*piece, line)
        if line.kind == "checkpoint" and 0 < index < len(script) - 1 and len(piece) > 1:
            pieces.append(piece)
            piece = (line,)
    return [*pieces, piece] if piece else pieces


def _join(pieces: Sequence[Piece], problems: Problems) -> list[Piece]:
    heads: dict[str, list[int]] = {}
    for index, (_, script, _) in enumerate(pieces):
        if script[0].kind == "checkpoint" and len(script) > 1:
            heads.setdefault(str(script[0].name), []).append(index)
    whole: list[Piece] = []

    def extend(index: int, before: Script, used: frozenset[int]) -> None:
        name, script, place = pieces[index]
        body = tuple(line for line in script if line.kind != "checkpoint")
        tail = script[-1] if script[-1].kind == "checkpoint" and len(script) > 1 else None
        following = [i for i in heads.get(str(tail.name), []) if i not in used] if tail else []
        if tail and str(tail.name) not in heads:
            problems.warn(tail.place, f"checkpoint {tail.name!r} leads nowhere; begin a story with it or remove it")
        if not following and len(whole) < MOST:
            whole.append((name, (*before, *body), place))
        for i in following:
            if len(whole) < MOST:
                extend(i, (*before, *body), used | {i})

    for index, (_, script, _) in enumerate(pieces):
        if script[0].kind != "checkpoint":
            extend(index, (), frozenset({index}))
    ends = {str(script[-1].name) for _, script, _ in pieces if script[-1].kind == "checkpoint" and len(script) > 1}
    for name in heads.keys() - ends:
        line = pieces[heads[name][0]][1][0]
        problems.warn(line.place, f"checkpoint {name!r} is reached by no story; end a story with it or remove it")
    if len(whole) >= MOST:
        problems.warn(pieces[0][2], f"checkpoints and `or` make more than {MOST} stories; the rest is left out")
    return whole
