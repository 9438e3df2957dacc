"""The scripted conversations of tests/conversations, run through the real pieces and a real action server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.steps import Candidates
from retrieval.types import AnswerHit, LoggedRequest, Passage

FILES = sorted((Path(__file__).parents[2] / "conversations").glob("*.yml"))
KNOWN = {"user", "intent", "confidence", "in_scope", "entities", "ranking", "answers", "passages", "at"} | {
    "says", "slots", "loop", "mode", "buttons", "event", "waits"
}  # fmt: skip


def conversations() -> list[Any]:
    return [
        pytest.param(one["turns"], id=f"{file.stem}: {one['conversation']}")
        for file in FILES
        for one in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("turns", conversations())
def test_the_conversation_goes_as_written(turns: list[dict[str, Any]], desk: Any) -> None:
    for number, turn in enumerate(turns, 1):
        where = f"turn {number}: {turn['user']}"
        assert not turn.keys() - KNOWN, where
        replies = desk.say(turn["user"], **_heard(turn))
        assert [reply["text"] for reply in replies if "text" in reply] == turn.get("says", []), where
        for name, value in turn.get("slots", {}).items():
            assert desk.conversation.slots.get(name) == value, f"{where}: slot {name}"
        if "loop" in turn:
            assert desk.conversation.loop == turn["loop"], where
        if "buttons" in turn:
            assert [button["payload"] for reply in replies for button in reply.get("buttons", [])] == turn["buttons"], (
                where
            )
        assert desk.conversation.mode == turn.get("mode", "bot"), where
        if "event" in turn:
            assert turn["event"] in [type(event).__name__ for event in desk.conversation.events], where


def _heard(turn: dict[str, Any]) -> dict[str, Any]:
    heard = {key: turn[key] for key in ("intent", "confidence", "in_scope", "at") if key in turn}
    entities = tuple({"entity": name, "value": value} for name, value in turn.get("entities", {}).items())
    ranking = tuple({"name": name, "confidence": p} for name, p in turn.get("ranking", {}).items())
    candidates = Candidates(
        tuple(_answer(one) for one in turn.get("answers", [])), tuple(_passage(one) for one in turn.get("passages", []))
    )
    return (
        {**heard, "entities": entities, "ranking": ranking, "candidates": candidates}
        if not _payload(turn)
        else {**heard, "candidates": candidates}
    )


def _payload(turn: dict[str, Any]) -> bool:
    return str(turn["user"]).startswith("/")


def _answer(one: dict[str, Any]) -> AnswerHit:
    requests = tuple(LoggedRequest("t1", 0, text, 0.9) for text in one.get("asked", []))
    return AnswerHit(one["id"], one["text"], one["p"], one["p"], servable=one.get("servable", True), requests=requests)


def _passage(one: dict[str, Any]) -> Passage:
    return Passage(one["id"], one["id"], one["id"], "", one["text"], "", 0.8, one["p"])
