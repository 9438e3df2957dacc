"""Scripts captured from a running Rasa 3.6.21: the same payloads get the same replies, slots and forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.action_server import ActionServer
from bot.domain import load_domain
from bot.tracker import to_rasa

RASA = Path(__file__).parents[4] / "shared" / "rasa"
pytestmark = pytest.mark.skipif(not RASA.is_dir(), reason="the captures of ../shared/rasa are not here")

# Where we differ on purpose: see docs/dialogue.md.
DIFFERENT = {
    ("moodbot", "no_rule"): "Rasa says nothing to what it does not know; we hand over",
    ("formbot", "unknown_intent"): "Rasa guesses an intent for the unknown payload /nope; we do not",
}


def scripts() -> list[Any]:
    found = []
    for bot in ("moodbot", "formbot", "concertbot"):
        path = RASA / "captures" / "golden" / f"{bot}.json"
        names = json.loads(path.read_text()) if path.is_file() else {}
        found += [pytest.param(bot, name, id=f"{bot}-{name}") for name in names if (bot, name) not in DIFFERENT]
    return found


@pytest.mark.parametrize(("bot", "name"), scripts())
def test_the_script_goes_as_it_did_with_rasa(bot: str, name: str, sdk: str, new_desk: Any) -> None:
    goes_as_it_did(bot, name, new_desk(load_domain(RASA / "projects" / bot), ActionServer(sdk)))


@pytest.mark.parametrize(("bot", "name"), [one for one in scripts() if one.values[0] != "moodbot"])
def test_it_does_with_an_action_server_of_rasa_3_6(bot: str, name: str, old_sdk: str, new_desk: Any) -> None:
    goes_as_it_did(bot, name, new_desk(load_domain(RASA / "projects" / bot), ActionServer(old_sdk)))


def goes_as_it_did(bot: str, name: str, desk: Any) -> None:
    turns = json.loads((RASA / "captures" / "golden" / f"{bot}.json").read_text())[name]
    for turn in turns:
        replies = desk.say(turn["user"], **_heard(turn))
        said = [{key: value for key, value in reply.items() if key != "recipient_id"} for reply in replies]
        assert said == turn["replies"], turn["user"]
        slots = {key: value for key, value in desk.conversation.slots.items() if value is not None}
        assert slots == turn["slots"], turn["user"]
        assert desk.conversation.loop == turn["active_loop"], turn["user"]
        if turn["user"].partition("{")[0] not in ("/restart", "/session_start") and "session_start" not in name:
            assert _ours(desk, turn) == _theirs(turn), turn["user"]


def _heard(turn: dict[str, Any]) -> dict[str, Any]:
    """What Rasa's classifier understood where the script has plain text."""
    if turn["user"].startswith("/"):
        return {}
    user = next(event for event in turn["events"] if event["event"] == "user")
    return {"intent": user["intent"], "entities": tuple({"entity": e, "value": v} for e, v in user["entities"])}


def _theirs(turn: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return _comparable(turn["events"])


def _ours(desk: Any, turn: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    events = [event for one in desk.conversation.events for event in to_rasa(one)]
    start = max(i for i, event in enumerate(events) if event["event"] == "user")
    return _comparable(events[start:])


def _comparable(events: list[dict[str, Any]]) -> list[tuple[str, Any, Any]]:
    """What both write: not when Rasa listens, featurises or notes that a form was interrupted."""
    start = max((i for i, event in enumerate(events) if event["event"] == "user"), default=0)
    silent = ("user_featurization", "loop_interrupted", "followup")
    return [
        (event["event"], event.get("name") or event.get("text"), event.get("value"))
        for event in events[start:]
        if event["event"] not in silent and event.get("name") != "action_listen"
    ]
