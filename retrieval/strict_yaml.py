"""A YAML file -> a pydantic model that forbids unknown keys; errors name the key and the nearest known one."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TypeVar

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
    try:
        return model.model_validate(data)
    except ValidationError as error:
        reasons = "; ".join(_reason(e["loc"], e["msg"], e["type"], model) for e in error.errors())
        raise BadInput(f"{path}: {reasons}") from None


def _reason(where: tuple[int | str, ...], message: str, kind: str, model: type[BaseModel]) -> str:
    name = ".".join(str(part) for part in where)
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(where[-1]), _keys(model), n=1)
        return f"unknown key {name!r}" + (f", did you mean {near[0]!r}?" if near else "; remove it")
    return f"{name or 'the file'}: {message}"


def _keys(model: type[BaseModel]) -> list[str]:
    keys = []
    for name, info in model.model_fields.items():
        keys.append(name)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            keys += _keys(info.annotation)
    return keys
