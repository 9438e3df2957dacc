from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.errors import BadInput
from training.config import TrainingConfig, load_config

SHIPPED = Path(__file__).parents[2] / "config" / "training.yml"


def test_the_file_that_ships_holds_every_key_with_its_default() -> None:
    import yaml

    assert load_config(SHIPPED) == TrainingConfig()
    assert yaml.safe_load(SHIPPED.read_text("utf-8")) == TrainingConfig().model_dump()


def test_every_key_that_ships_is_explained_by_itself_or_with_its_section() -> None:
    section = ""
    for line in SHIPPED.read_text("utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            section = line
        if line.startswith(" ") or not line.rstrip().endswith(":"):
            assert not line.strip() or "#" in line + section, f"no comment: {line}"


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_config(tmp_path / "training.yml") == TrainingConfig()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("encoder: {epoch: 3}", r"unknown key encoder\.epoch; did you mean epochs\?"),
        ("encoder: {tune: always}", r"encoder\.tune is 'always': .*'auto', 'never' or 'thorough'"),
        ("test_share: 0.5", "test_share is 0.5: .*less than 0.5"),
        ("mining: {most_answers: 1}", r"mining\.most_answers is 1: .*greater than or equal to 10"),
        ("context: {message: 0}", r"context\.message is 0: .*greater than 0"),
    ],
)
def test_a_recipe_that_does_not_fit_names_the_key(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "training.yml").write_text(content)
    with pytest.raises(BadInput, match=says):
        load_config(tmp_path / "training.yml")


def test_any_change_of_the_recipe_changes_its_fingerprint() -> None:
    plain = TrainingConfig()
    assert plain.fingerprint() == TrainingConfig().fingerprint()
    others = [TrainingConfig(seed=14), plain.model_copy(update={"test_share": 0.2})]
    assert len({plain.fingerprint(), *(other.fingerprint() for other in others)}) == 3
