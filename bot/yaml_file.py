"""YAML as Rasa reads it (1.2: `yes` and `on` are words), where every mapping and list knows its file and lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import yaml

from retrieval.errors import BadInput


@dataclass(frozen=True, order=True)
class Place:
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


NOWHERE = Place()


class Block(dict[str, Any]):
    """A mapping of a YAML file; `lines` holds the line of every key."""

    place = Place()

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}

    def at(self, key: str) -> Place:
        return Place(self.place.file, self.lines.get(key, self.place.line))


class Items(list[Any]):
    """A list of a YAML file; `lines` holds the line of every item."""

    place = Place()

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []

    def placed(self) -> Iterator[tuple[Place, Any]]:
        for line, item in zip(self.lines, self, strict=True):
            yield Place(self.place.file, line), item


class _Loader(yaml.CSafeLoader):
    file = ""
    expands = True


_DROPPED = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [found for found in resolvers if found[0] not in _DROPPED]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Block:
    block = Block()
    block.place = Place(loader.file, node.start_mark.line + 1)
    own = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        line = key_node.start_mark.line + 1
        if own.count(key) > 1 and key in block:
            raise BadInput(f"{loader.file}:{line}: {key!r} is there twice (first in line {block.lines[key]}); keep one")
        block[key] = loader.construct_object(value_node, deep=True)
        block.lines[key] = line
    return block


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> Items:
    items = Items()
    items.place = Place(loader.file, node.start_mark.line + 1)
    for child in node.value:
        items.append(loader.construct_object(child, deep=True))
        items.lines.append(child.start_mark.line + 1)
    return items


def _from_environment(loader: _Loader, node: yaml.ScalarNode) -> str:
    """`${NAME}` in a value is what the environment says, as in Rasa's files."""
    text = str(loader.construct_scalar(node))
    if not loader.expands:
        return text
    filled = os.path.expandvars(text)
    if unset := _VARIABLE.search(filled):
        line = node.start_mark.line + 1
        raise BadInput(f"{loader.file}:{line}: {unset[0]} is not set in the environment; export it or write the value")
    return filled


_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*\}")
_Loader.add_implicit_resolver("!environment", re.compile(r".*\$\{[A-Za-z_]\w*\}.*", re.DOTALL), None)
_Loader.add_constructor("!environment", _from_environment)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _sequence)


@overload
def read_yaml(path: Path, *, expand: bool = True) -> Block: ...


@overload
def read_yaml(path: Path, *, any_shape: bool, expand: bool = True) -> Block | Items: ...


def read_yaml(path: Path, *, any_shape: bool = False, expand: bool = True) -> Block | Items:
    """The mapping in a YAML file; an empty file is an empty mapping. With `any_shape` a list may be there, too.
    `expand` puts in what `${NAME}` is in the environment.

    Raises BadInput with file, line and what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    loader = _Loader(text)
    loader.file = str(path)
    loader.expands = expand
    try:
        found = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise BadInput(f"{path}:{line}: not YAML: {error.problem or error.context}; check the indentation") from error
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{path}: not YAML: {error}") from error
    finally:
        loader.dispose()
    if found is None:
        found = Block()
        found.place = Place(str(path), 1)
    if not isinstance(found, Block | Items if any_shape else Block):
        raise BadInput(f"{path}:1: a mapping is needed here, found {type(found).__name__}")
    return found


def plain(value: Any) -> Any:
    """The same value as ordinary dicts and lists, fit for JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value
