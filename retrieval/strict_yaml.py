"""A YAML file -> a pydantic model that forbids unknown keys; errors name the key and the nearest known one."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from retrieval.errors import BadInput

M = TypeVar("M", bound=BaseModel)


def load_yaml(path: Path, model: type[M]) -> M:
    """The defaults when the file is not there; BadInput for anything in it that does not fit."""
    try:
        data = yaml.safe_load(path.read_text("utf-8")) or {}
    except FileNotFoundError:
        data = {}
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a directory; give a YAML file, or remove it for the defaults") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML in UTF-8: {error}") from error
    if not isinstance(data, dict):
        raise BadInput(f"{path} must be a mapping of keys, not {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadInput(f"{path}: {'; '.join(_reason(dict(item), model) for item in error.errors())}") from None


def _reason(error: dict[str, Any], model: type[BaseModel]) -> str:
    where = tuple(str(part) for part in error["loc"])
    name = ".".join(where)
    if error["type"] != "extra_forbidden":
        return f"{name} is {error['input']!r}: {error['msg']}"
    known = _keys(model, where[:-1])
    near = difflib.get_close_matches(where[-1], known, n=1)
    meant = f"did you mean {near[0]}?" if near else "remove it"
    return f"unknown key {name}; {meant} (known here: {', '.join(known)})"


def _keys(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    """The keys that `model` has at `path`, through mappings and lists too; none where it leaves the models."""
    at: Any = model
    for part in path:
        if _is_model(at):
            at = at.model_fields[part].annotation if part in at.model_fields else None
        else:  # an entry of a mapping or a list
            at = next((inner for inner in get_args(at) if _is_model(inner)), None)
    return list(at.model_fields) if _is_model(at) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
