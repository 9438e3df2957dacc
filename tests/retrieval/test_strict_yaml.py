from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from retrieval.errors import BadInput
from retrieval.strict_yaml import load_yaml


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    similarity: float = Field(default=0.4, gt=0, lt=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    seed: int = 13
    inner: Inner = Inner()


def put(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "x.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("content", [None, "", "# only a comment\n"])
def test_no_file_and_an_empty_one_mean_the_defaults(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "none.yml" if content is None else put(tmp_path, content)
    assert load_yaml(path, Outer) == Outer()


def test_what_the_file_says_replaces_the_default(tmp_path: Path) -> None:
    assert load_yaml(put(tmp_path, "inner: {similarity: 0.7}"), Outer) == Outer(inner=Inner(similarity=0.7))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("sead: 1", r"x\.yml: unknown key sead; did you mean seed\? \(known here: seed, inner\)"),
        ("inner: {similarty: 0.5}", r"unknown key inner\.similarty; did you mean similarity\?"),
        ("zzz: 1", "unknown key zzz; remove it"),
        ("seed: soon", "seed is 'soon': Input should be a valid integer"),
        ("inner: {similarity: 2}", r"inner\.similarity is 2: Input should be less than 1"),
        ("seed: x\nzzz: 1", "seed is 'x': .*; unknown key zzz"),
        ("- 1\n- 2", "must be a mapping of keys, not list"),
        ("just words", "must be a mapping of keys, not str"),
        ("seed: [1", "is not YAML in UTF-8"),
        (b"seed: caf\xe9", "is not YAML in UTF-8"),
        (b"\x00\x01", "is not YAML in UTF-8"),
        ("seed: !!python/object/apply:os.getcwd []", "is not YAML in UTF-8"),
    ],
)
def test_what_does_not_fit_is_named_with_the_nearest_known_key(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        load_yaml(put(tmp_path, content), Outer)


def test_a_directory_in_place_of_the_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"{tmp_path.name}.*is a directory"):
        load_yaml(tmp_path, Outer)


class Shelf(BaseModel):
    model_config = ConfigDict(extra="forbid")
    books: dict[str, Inner] = Field(default_factory=dict)


def test_a_wrong_key_inside_a_mapping_is_named_with_the_keys_known_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"unknown key books\.mine\.similarty; did you mean similarity\?"):
        load_yaml(put(tmp_path, "books: {mine: {similarty: 0.5}}"), Shelf)
