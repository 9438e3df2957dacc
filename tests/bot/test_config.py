from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from bot.config import BusinessHours, Config, load_config
from retrieval.errors import BadInput

ROOT = Path(__file__).parents[2]


def written(folder: Path, text: str) -> Path:
    (folder / "deskhand.yml").write_text(text)
    return folder


def test_the_file_in_the_repository_has_every_key_with_its_default() -> None:
    assert load_config(ROOT / "config") == Config()
    data = yaml.safe_load((ROOT / "config" / "deskhand.yml").read_text())
    assert data == Config().model_dump(mode="json")


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path) == Config()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("eror_budget: 0.1", "unknown key eror_budget; did you mean error_budget"),
        ("limits: {message_char: 1}", "unknown key limits.message_char; did you mean message_chars"),
        ("channels: {rest: {enable: no}}", "did you mean enabled"),
        ("error_budget: 0.9", "error_budget is 0.9: .*less than 0.5"),
        ("error_budget: [", "not YAML"),
        ("- a", "must be a mapping"),
        ("business_hours: {timezone: Mars/Base}", "not a time zone"),
        ("business_hours: {days: {mon: '9-17'}}", "business_hours.days.mon is '9-17'"),
        ("redaction: {region: XX}", "redaction.region is 'XX': .*ISO 3166"),
        ("redaction: {patterns: {loyalty: x}}", "'loyalty' is no placeholder"),
        ("redaction: {patterns: {LOYALTY: '('}}", "no regular expression"),
        ("business_hours: {days: {monday: '09:00-17:00'}}", "business_hours.days.monday"),
    ],
)
def test_a_mistake_is_named_with_its_cure(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        load_config(written(tmp_path, text))


def test_business_hours_are_in_the_desks_own_time_zone() -> None:
    hours = BusinessHours(timezone="Europe/Berlin", days={"mon": "09:00-17:00", "sun": "00:00-24:00"})
    monday_0730_utc = datetime(2026, 1, 5, 7, 30, tzinfo=UTC).timestamp()
    assert not hours.open_at(monday_0730_utc)
    assert hours.open_at(monday_0730_utc + 3600)
    assert not hours.open_at(datetime(2026, 1, 5, 16, 0, tzinfo=UTC).timestamp())
    assert hours.open_at(datetime(2026, 1, 4, 22, 59, tzinfo=UTC).timestamp()), "Sunday, 23:59 in Berlin"
    assert not hours.open_at(datetime(2026, 1, 6, 10, 0, tzinfo=UTC).timestamp()), "Tuesday is not listed"
    assert BusinessHours().open_at(0.0), "no days: always open"
