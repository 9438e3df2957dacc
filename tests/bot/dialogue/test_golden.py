"""Scripts captured from a running Rasa 3.6.21: the same payloads get the same replies, slots and forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.action_server import ActionServer
from bot.domain import Domain, load_domain
from bot.payload import parse_payload
from bot.policy import BUILTIN
from bot.tracker import to_rasa

RASA = Path(__file__).parents[4] / "shared" / "rasa"
pytestmark = pytest.mark.skipif(not RASA.is_dir(), reason="the captures of ../shared/rasa are not here")

SILENT = ("moodbot", "no_rule")
"""The one script in which Rasa leaves a customer without a word: see "Differences" in docs/rasa.md."""


def scripts() -> list[Any]:
    found = []
    for bot in ("moodbot", "formbot", "concertbot"):
        path = RASA / "captures" / "golden" / f"{bot}.json"
        names = json.loads(path.read_text()) if path.is_file() else {}
        found += [pytest.param(bot, name, id=f"{bot}-{name}") for name in names if (bot, name) != SILENT]
    return found


@pytest.mark.parametrize(("bot", "name"), scripts())
def test_the_script_goes_as_it_did_with_rasa(bot: str, name: str, sdk: str, new_desk: Any) -> None:
    goes_as_it_did(bot, name, new_desk(load_domain(RASA / "projects" / bot), ActionServer(sdk)))


@pytest.mark.parametrize(("bot", "name"), [one for one in scripts() if one.values[0] != "moodbot"])
def test_it_does_with_an_action_server_of_rasa_3_6(bot: str, name: str, old_sdk: str, new_desk: Any) -> None:
    goes_as_it_did(bot, name, new_desk(load_domain(RASA / "projects" / bot), ActionServer(old_sdk)))


def test_where_rasa_says_nothing_and_then_guesses_a_person_is_called(new_desk: Any) -> None:
    """Rasa rewinds the message that no rule, story or `utter_default` knows; then TED (0.93) congratulates to the bare
    "yes" that is left, though UnexpecTED says with certainty that it cannot be meant so."""
    bot, name = SILENT
    turns = json.loads((RASA / "captures" / "golden" / f"{bot}.json").read_text())[name]
    assert [turn["replies"] for turn in turns] == [[], [{"text": "Great, carry on!"}]]
    assert "action_unlikely_intent" in [event.get("name") for event in turns[1]["events"]]
    desk = new_desk(load_domain(RASA / "projects" / bot))
    (said,) = desk.say(turns[0]["user"])
    assert said["text"].startswith("I do not know the answer to that.")
    assert (desk.conversation.mode, desk.conversation.slots, desk.conversation.loop) == ("waiting", {}, None)
    assert (turns[0]["slots"], turns[0]["active_loop"]) == ({}, None)


def goes_as_it_did(bot: str, name: str, desk: Any) -> None:
    turns = json.loads((RASA / "captures" / "golden" / f"{bot}.json").read_text())[name]
    for turn in turns:
        replies = desk.say(turn["user"], **_heard(turn, desk.domain))
        said = [{key: value for key, value in reply.items() if key != "recipient_id"} for reply in replies]
        assert said == turn["replies"], turn["user"]
        slots = {key: value for key, value in desk.conversation.slots.items() if value is not None}
        assert slots == turn["slots"], turn["user"]
        assert desk.conversation.loop == turn["active_loop"], turn["user"]
        if turn["user"].partition("{")[0] not in ("/restart", "/session_start") and "session_start" not in name:
            assert _ours(desk, turn) == _theirs(turn), turn["user"]


def _heard(turn: dict[str, Any], domain: Domain) -> dict[str, Any]:
    """What Rasa's classifier understood where the script has words: plain text, or the name of no intent."""
    payload = parse_payload(turn["user"])
    if payload and (payload[0] in domain.intents or payload[0] in BUILTIN):
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
