from __future__ import annotations

from pathlib import Path

from bot.auth import token_command
from bot.settings import Settings


def test_the_token_command_names_the_data_directory_unless_it_is_the_usual_one() -> None:
    assert token_command(Settings(data_dir=Path("data"))) == "deskhand token"
    assert token_command(Settings(data_dir=Path("my data"))) == "deskhand token --data 'my data'"
