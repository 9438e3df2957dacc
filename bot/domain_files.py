"""Reads the dialogue files of a project and merges them into one `Domain`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.domain import Domain, Intent, Session
from bot.forms import Form, read_form
from bot.nlu_file import Nlu, read_nlu
from bot.problems import Problems, nearest
from bot.responses import Variation, read_response
from bot.rules import Rule, read_rule
from bot.slots import REQUESTED, Mapping, Slot, names, read_slot
from bot.stories import read_stories
from bot.yaml_file import Block, Items, Place, plain, read_yaml
from retrieval.errors import BadInput, NotFound

KEYS = (
    "version", "intents", "entities", "slots", "responses", "actions", "forms", "session_config", "config",
    "e2e_actions",
    "nlu", "rules", "stories",
)  # fmt: skip
FORMER = {
    "templates": "write `responses:`",
    "store_entities_as_slots": "write `mappings:` of the slots",
    "common_examples": "write `nlu:` with a list of `- intent:`",
}
"""Keys that Rasa itself no longer reads, with what has taken their place."""
SESSION_KEYS = ("session_expiration_time", "carry_over_slots_to_new_session")
NAMES = ("domain", "nlu", "rules", "stories", "responses", "data")


def project_files(path: Path) -> list[Path]:
    """The dialogue files of a folder, in a fixed order, those of the projects that its `config.yml` imports first;
    test stories (`test_*`) are not among them."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise NotFound(f"{path}: no such file or folder; name the folder with domain.yml")
    found = [file for project in [*_imported(path, {path.resolve()}), path] for file in _own_files(project)]
    return list(dict.fromkeys(found))


def _own_files(path: Path) -> list[Path]:
    found: list[Path] = []
    for name in NAMES:
        found += [path / f"{name}{end}" for end in (".yml", ".yaml") if (path / f"{name}{end}").is_file()]
        found += sorted(file for file in (path / name).rglob("*") if file.suffix in (".yml", ".yaml"))
    return [file for file in found if not file.name.startswith("test_")]


def _imported(path: Path, seen: set[Path]) -> list[Path]:
    """The projects under `imports:` of a Rasa `config.yml`, and theirs (Rasa's MultiProjectImporter)."""
    config = path / "config.yml"
    if not config.is_file():
        return []
    block, found = read_yaml(config), []
    imports = block.get("imports")
    for place, name in imports.placed() if isinstance(imports, Items) else ():
        project = path / str(name)
        if not project.is_dir():
            raise BadInput(f"{place}: {project} is no folder; mend or remove this line of `imports:`")
        if project.resolve() not in seen:
            seen.add(project.resolve())
            found += [*_imported(project, seen), project]
    return found


@dataclass
class _Parts:
    intents: dict[str, Intent] = field(default_factory=dict)
    entities: dict[str, bool] = field(default_factory=dict)
    entity_places: dict[str, Place] = field(default_factory=dict)
    roles: dict[str, frozenset[str]] = field(default_factory=dict)
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    responses: dict[str, tuple[Variation, ...]] = field(default_factory=dict)
    actions: dict[str, Place] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    rules: list[Block] = field(default_factory=list)
    stories: list[Block] = field(default_factory=list)
    nlu: Nlu = field(default_factory=Nlu)
    session: Session = field(default_factory=Session)
    raw: dict[str, Any] = field(default_factory=dict)


def read_domain(path: Path) -> tuple[Domain, Problems]:
    """The merged files and what is wrong with each of them; names across files are `domain_check`'s."""
    problems, parts = Problems(), _Parts()
    for file in project_files(path):
        block = read_yaml(file, any_shape=file.parent not in (path, path.parent))
        if isinstance(block, Items):  # as Rasa: a file of another kind between the dialogue files
            problems.warn(Place(str(file), 1), "this file is a list, nothing is read from it; move it elsewhere")
        else:
            _read_file(block, parts, problems)
    parts.slots.setdefault(REQUESTED, Slot(REQUESTED, "text", influences=False, mappings=(Mapping("custom"),)))
    rules: list[Rule] = [rule for block in parts.rules for rule in read_rule(block, parts.slots, problems)]
    stories = read_stories(parts.stories, parts.slots, problems)
    domain = Domain(
        intents=parts.intents,
        entities=parts.entities,
        entity_places=parts.entity_places,
        roles=parts.roles,
        groups=parts.groups,
        slots=parts.slots,
        responses=parts.responses,
        actions=parts.actions,
        forms=parts.forms,
        rules=tuple(rules),
        stories=tuple(stories),
        nlu=parts.nlu,
        session=parts.session,
        raw=parts.raw,
    )
    return domain, problems


def _read_file(block: Block, parts: _Parts, problems: Problems) -> None:
    _top_level(block, problems)
    _intents(block, parts, problems)
    _entities(block, parts, problems)
    _twice(block, "actions", problems)
    for place, name, _ in _items(block, "actions", problems):
        parts.actions.setdefault(name, place)
    _named(block, "slots", parts.slots, read_slot, problems)
    _named(block, "responses", parts.responses, read_response, problems)
    _named(block, "forms", parts.forms, read_form, problems)
    for key, into in (("rules", parts.rules), ("stories", parts.stories)):
        for place, item in problems.items(block.at(key), block.get(key), f"`{key}`").placed():
            if isinstance(item, Block) and key.replace("ies", "y").removesuffix("s") in item:
                into.append(item)
            else:
                problems.error(
                    place, f"an item of `{key}` begins with `- {key.replace('ies', 'y').removesuffix('s')}: name`"
                )
    for place, item in problems.items(block.at("nlu"), block.get("nlu"), "`nlu`").placed():
        read_nlu(item, place, parts.nlu, problems)
    _session(block, parts, problems)
    if isinstance(config := block.get("config"), Block) and "store_entities_as_slots" in config:
        text = "nothing reads it since Rasa 3: entities fill slots by `mappings:`"
        problems.warn(config.at("store_entities_as_slots"), f"store_entities_as_slots: {text}")
    _merge_raw(block, parts.raw)


def _session(block: Block, parts: _Parts, problems: Problems) -> None:
    if not isinstance(session := block.get("session_config"), Block):
        return
    problems.keys(block.at("session_config"), session, SESSION_KEYS, "session_config")
    minutes, carries = session.get("session_expiration_time", 60), session.get("carry_over_slots_to_new_session", True)
    if isinstance(minutes, int | float) and minutes >= 0 and isinstance(carries, bool):
        parts.session = Session(float(minutes), carries)
    else:
        cure = "give minutes (0: never a new session) and true or false"
        problems.error(block.at("session_config"), f"session_config: {minutes!r}, {carries!r}; {cure}")


def _top_level(block: Block, problems: Problems) -> None:
    """A key that nobody reads is an error when it looks like a slip; others may be notes or YAML anchors."""
    for key in block:
        if key in KEYS:
            continue
        if key in FORMER:
            problems.error(block.at(key), f"`{key}:` is of an older Rasa: {FORMER[key]}")
        elif difflib.get_close_matches(key, KEYS, n=1):
            problems.error(block.at(key), f"unknown key {key!r} in a dialogue file{nearest(key, KEYS)}")
        else:
            problems.warn(block.at(key), f"nothing reads {key!r} in a dialogue file; remove it")


def _named(
    block: Block, key: str, into: dict[str, Any], read: Callable[[str, Any, Place, Problems], Any], problems: Problems
) -> None:
    section = block.get(key)
    if section is None:
        return
    if not isinstance(section, Block):
        problems.error(block.at(key), f"`{key}` must be a mapping of names, found {type(section).__name__}")
        return
    for name, value in section.items():
        place = section.at(name)
        if name in into and key != "responses":
            problems.error(place, f"{name!r} is defined twice under `{key}`; keep one of them")
        elif name in into:
            into[name] = (*into[name], *read(name, value, place, problems))
        else:
            into[name] = read(name, value, place, problems)


def _items(block: Block, key: str, problems: Problems) -> Iterator[tuple[Place, str, Any]]:
    """The items of a list of names, some of which are `name: {options}`."""
    for place, item in problems.items(block.at(key), block.get(key), f"`{key}`").placed():
        if isinstance(item, Block) and item:
            name = next(iter(item))
            yield place, name, item[name]
        else:
            yield place, str(item), None


def _intents(block: Block, parts: _Parts, problems: Problems) -> None:
    _twice(block, "intents", problems)
    for place, name, options in _items(block, "intents", problems):
        if name in parts.intents and options is None:
            continue
        uses, ignores = None, frozenset[str]()
        if isinstance(options, Block):
            problems.keys(
                place,
                options,
                ("use_entities", "ignore_entities", "triggers", "is_retrieval_intent"),
                f"intent {name!r}",
            )
            if "triggers" in options:
                text = f"intent {name!r}: `triggers:` is of an older Rasa; write a rule `- intent: {name}`"
                problems.warn(options.at("triggers"), f"{text}, `- action: {options['triggers']}`")
            given = options.get("use_entities")
            uses = None if given is True or "use_entities" not in options else frozenset(names(given or ()))
            ignores = frozenset(names(options.get("ignore_entities") or ()))
        parts.intents[name] = Intent(name, uses, ignores, place)


def _entities(block: Block, parts: _Parts, problems: Problems) -> None:
    _twice(block, "entities", problems)
    for place, name, options in _items(block, "entities", problems):
        given = options if isinstance(options, Block) else Block()
        problems.keys(place, given, ("roles", "groups", "influence_conversation"), f"entity {name!r}")
        parts.entities.setdefault(name, bool(given.get("influence_conversation", True)))
        parts.entity_places.setdefault(name, place)
        for key, into in (("roles", parts.roles), ("groups", parts.groups)):
            into[name] = into.get(name, frozenset()) | set(names(given.get(key)))


def _twice(block: Block, key: str, problems: Problems) -> None:
    """Within one file: files may repeat each other's names."""
    seen: dict[str, Place] = {}
    for place, name, _ in _items(block, key, Problems()):
        if name in seen:
            problems.warn(place, f"{name!r} is listed twice under `{key}` (first in line {seen[name].line}); keep one")
        seen.setdefault(name, place)


def _merge_raw(block: Block, raw: dict[str, Any]) -> None:
    """The domain as one JSON object, as Rasa sends it to action servers."""
    for key in KEYS[:10]:
        value = plain(block.get(key))
        if isinstance(value, list):
            raw[key] = [*raw.get(key, []), *(item for item in value if item not in raw.get(key, []))]
        elif isinstance(value, dict):
            raw[key] = {**raw.get(key, {}), **value}
        elif value is not None:
            raw[key] = value
