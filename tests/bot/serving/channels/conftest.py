from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from platform_server import PlatformServer, platform_server
from serving_desk import running

from bot.settings import Settings

HERE = Path(__file__).parent
LONG = "Word after word. " * 700

CHOICES = [{"title": f"Choice number {n}", "payload": "/label"} for n in range(11)]
CHOICES.append({"title": "A choice whose label is much longer than a row", "payload": "/label"})

DOMAIN = {
    "version": "3.1",
    "intents": ["greet", "talk_to_person", "order_status", "menu", "few", "many", "long", "picture", "label"],
    "responses": {
        "utter_greet": [{"text": "Hi, I am a bot."}],
        "utter_menu": [
            {
                "text": "What is it about?",
                "buttons": [
                    {"title": "Send it back", "payload": "/label"},
                    {"title": "Talk to a person", "payload": "/talk_to_person"},
                ],
            }
        ],
        "utter_few": [{"text": "Pick one.", "buttons": CHOICES[:3] + CHOICES[-1:]}],
        "utter_many": [{"text": "Pick one.", "buttons": [*CHOICES[:11], {"title": "Say hello", "payload": "/greet"}]}],
        "utter_label": [{"text": "Print the label and drop the parcel."}],
        "utter_long": [{"text": LONG}],
        "utter_picture": [{"text": "Look:", "image": "https://shop.example/tent.png"}],
    },
}
RULES = {
    "version": "3.1",
    "rules": [
        {"rule": name, "steps": [{"intent": name}, {"action": f"utter_{name}"}]}
        for name in ("greet", "menu", "few", "many", "long", "picture", "label")
    ],
}


@pytest.fixture
def platform() -> Iterator[PlatformServer]:
    with platform_server() as server:
        yield server


@pytest.fixture
def desk(settings: Settings) -> Callable[..., Any]:
    """`desk({"telegram": {...}}, telegram_secret="...")`: a server with these channels and secrets."""
    (settings.config_dir / "domain.yml").write_text(yaml.safe_dump(DOMAIN))
    (settings.config_dir / "rules.yml").write_text(yaml.safe_dump(RULES))

    def serve(channels: dict[str, Any], *, limits: dict[str, Any] | None = None, **secrets: Any) -> Any:
        config = {"channels": channels, "limits": limits or {}}
        (settings.config_dir / "deskhand.yml").write_text(yaml.safe_dump(config))
        made = Settings.build(
            data_dir=settings.data_dir,
            config_dir=settings.config_dir,
            redis_url=settings.redis_url,
            operator_token=settings.operator_token,
            **secrets,
        )
        return running(made)

    return serve


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    """A payload as the platform documents it, from `payloads/`."""

    def read(name: str) -> Any:
        path = HERE / "payloads" / name
        return json.loads(path.read_text()) if path.suffix == ".json" else path.read_bytes()

    return read
