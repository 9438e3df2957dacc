"""Reads tests of dialogue: Rasa's test stories (`test_*.yml`), scripted conversations (`conversation:`, `turns:`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.problems import Problems
from bot.script_file import Script, read_steps
from bot.yaml_file import Block, Items, Place, read_yaml
from retrieval.errors import BadInput, NotFound

TURN_KEYS = (
    "user", "intent", "confidence", "in_scope", "entities", "ranking", "answers", "passages", "at", "requests",
    "before",
    "says", "slots", "loop", "mode", "buttons", "event",
)  # fmt: skip


@dataclass(frozen=True)
class StoryTest:
    """What customers say and what the bot has to do, in Rasa's format."""

    name: str
    script: Script
    place: Place


@dataclass(frozen=True)
class ConversationTest:
    """Turns as `docs/testing.md` describes them: what is said and heard, and what has to come back."""

    name: str
    turns: Items
    place: Place


class NoTests(BadInput):
    """There is nothing to run."""


Test = StoryTest | ConversationTest


def read_tests(paths: Iterable[Path]) -> list[Test]:
    """The tests of files and folders. Raises BadInput with every mistake, its line and the cure, NoTests when there
    is no test at all."""
    problems, found = Problems(), list[Test]()
    searched = [*paths]
    for path in searched:
        if not path.exists():
            raise NotFound(f"{path}: no such file or folder; name a test file or a folder with some")
        for file in _files(path):
            found += _read(file, problems, named=path.is_file())
    if problems.errors:
        raise BadInput(
            "mistakes in the tests:\n" + "\n".join(f"  {one.place}: {one.text}" for one in problems.errors[:20])
        )
    if not found:
        raise NoTests(
            f"no test in {', '.join(map(str, searched)) or 'no path'}; Rasa's test stories are in files named "
            "test_*.yml, docs/testing.md has the format of conversations"
        )
    return found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in (".yml", ".yaml") and file.is_file())


def _read(file: Path, problems: Problems, *, named: bool) -> list[Test]:
    whole = read_yaml(file, any_shape=True, expand=False)
    if isinstance(whole, Items):
        conversations = [item for item in whole if isinstance(item, Block) and "conversation" in item]
        return [_conversation(item, problems) for item in conversations]
    if not (named or file.name.startswith("test_")):
        return []
    stories = problems.items(whole.at("stories"), whole.get("stories"), "`stories`").placed()
    return [test for place, item in stories for test in _story(item, place, problems)]


def _conversation(item: Block, problems: Problems) -> ConversationTest:
    name = str(item["conversation"])
    turns = problems.items(item.at("turns"), item.get("turns"), f"turns of {name!r}")
    if not turns:
        problems.error(item.place, f"conversation {name!r} has no turns; add `turns:` with `- user: ...`")
    for place, turn in turns.placed():
        if not isinstance(turn, Block) or "user" not in turn:
            problems.error(place, f"a turn of {name!r} begins with `- user: what the customer says`, found {turn!r}")
        else:
            problems.keys(place, turn, TURN_KEYS, f"a turn of {name!r}")
    return ConversationTest(name, turns, item.place)


def _story(item: object, place: Place, problems: Problems) -> list[Test]:
    if not isinstance(item, Block) or "story" not in item:
        problems.error(place, "an item of `stories` begins with `- story: name`")
        return []
    name = str(item["story"])
    scripts = read_steps(item.get("steps"), item.at("steps"), problems, what=f"story {name!r}")
    return [StoryTest(name, script, item.place) for script in scripts if script]
