"""`nlu:` of the project files: examples with annotated entities, synonyms, lookups and regexes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from bot.problems import Problems
from bot.yaml_file import NOWHERE, Block, Place

_ANNOTATION = re.compile(r"\[(?P<text>[^\]\[]+)\](?:\((?P<name>[^)]*)\)|(?P<data>\{[^}]*\}))(?:\[(?P<list>.*?)\])?")


@dataclass(frozen=True)
class Example:
    """`text` is free of annotations; `entities` are `{entity, value, start, end, role?, group?}`."""

    text: str
    intent: str
    entities: tuple[dict[str, Any], ...] = ()
    place: Place = NOWHERE


@dataclass
class Nlu:
    """`places` are those of the first lookup or regex of a name."""

    examples: list[Example] = field(default_factory=list)
    synonyms: dict[str, str] = field(default_factory=dict)
    lookups: dict[str, list[str]] = field(default_factory=dict)
    regexes: dict[str, list[str]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)


def read_nlu(block: Any, place: Place, nlu: Nlu, problems: Problems) -> None:
    """Adds one item of an `nlu:` list."""
    kind = next(
        (key for key in ("intent", "synonym", "lookup", "regex") if isinstance(block, Block) and key in block), None
    )
    if kind is None:
        problems.error(place, "an item of `nlu:` needs one of the keys intent, synonym, lookup, regex")
        return
    for key in block.keys() - {kind, "examples", "metadata"}:
        problems.warn(block.at(key), f"nothing reads {key!r} of {kind} {block[kind]!r}; remove it")
    name = str(block[kind])
    examples = _examples(block, problems)
    if not examples:
        problems.warn(place, f"{kind} {name!r} has no examples; add lines that begin with `- `")
    if kind == "intent":
        nlu.examples += [annotated(text, name, at) for at, text in examples]
    elif kind == "synonym":
        _synonyms(name, examples, nlu, problems)
    else:
        for at, text in examples if kind == "regex" else ():
            _valid(name, text, at, problems)
        (nlu.lookups if kind == "lookup" else nlu.regexes).setdefault(name, []).extend(text for _, text in examples)
        nlu.places.setdefault(name, place)


def _synonyms(name: str, examples: list[tuple[Place, str]], nlu: Nlu, problems: Problems) -> None:
    for at, text in examples:
        before = nlu.synonyms.setdefault(text.casefold(), name)
        if before != name:
            problems.warn(at, f"{text!r} is a synonym of {before!r} already, and of {name!r} here; keep one")


def _valid(name: str, pattern: str, place: Place, problems: Problems) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        problems.error(place, f"regex {name!r}: {pattern!r} is no regular expression: {error}")


def _examples(block: Block, problems: Problems) -> list[tuple[Place, str]]:
    """The examples of one item with their lines, from the `- ` lines of a text or from a list."""
    value, place = block.get("examples"), block.at("examples")
    if isinstance(value, str):
        lines = enumerate(value.splitlines(), start=place.line + 1)
        found = [(Place(place.file, line), text.strip()) for line, text in lines if text.strip()]
        for at, text in found:
            if not text.startswith("-"):
                problems.warn(at, f"an example begins with `- `, found {text[:40]!r}; it is left out, as Rasa does")
        return [(at, text[1:].strip()) for at, text in found if text.startswith("-") and text[1:].strip()]
    items = problems.items(place, value, "`examples:`").placed()
    texts = [(at, item.get("text") if isinstance(item, dict) else item) for at, item in items]
    return [(at, str(text).strip().removeprefix("- ")) for at, text in texts if text]


def annotated(text: str, intent: str = "", place: Place = NOWHERE) -> Example:
    """`to [Berlin](city)` and `[NYC]{"entity": "city", "value": "New York"}` as plain text with entities."""
    plain, entities, end = "", [], 0
    for found in _ANNOTATION.finditer(text):
        data = _data(found)
        if data is None:
            continue
        plain += text[end : found.start()]
        start = len(plain)
        plain += found["text"]
        end = found.end()
        entities.append({"value": found["text"], **data, "start": start, "end": len(plain)})
    return Example(plain + text[end:], intent, tuple(entities), place)


def _data(found: re.Match[str]) -> dict[str, Any] | None:
    if found["name"] is not None:
        name, _, value = found["name"].partition(":")
        return {"entity": name, **({"value": value} if value else {})}
    try:
        data = json.loads(found["data"])
    except ValueError:
        return None
    return data if isinstance(data, dict) and "entity" in data else None
