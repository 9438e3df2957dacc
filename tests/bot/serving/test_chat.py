from __future__ import annotations

import asyncio
import re

import pytest
from trained_desk import RETURNS, Trained

from bot.commands.chat import talk
from bot.settings import Settings
from bot.stores.redis import connect
from retrieval.bundle import Bundles
from retrieval.errors import Unavailable


def said(settings: Settings, capsys: pytest.CaptureFixture[str], *messages: str, explain: bool = False) -> str:
    asyncio.run(talk(settings, explain=explain, messages=list(messages)))
    return capsys.readouterr().out


def test_the_terminal_shows_both_sides(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(settings, capsys, "hello", "do you sell gift cards").splitlines()
    assert "you  hello" in lines
    assert "bot  Hi, I am a bot." in lines
    assert any("a person has this conversation now" in line for line in lines)


def test_explain_shows_intents_thresholds_probabilities_and_where_an_answer_comes_from(
    settings: Settings, capsys: pytest.CaptureFixture[str], trained: Trained
) -> None:
    shown = said(settings, capsys, RETURNS[0], explain=True)
    assert "intents: " in shown
    at = Bundles(settings.bundles).manifest(trained.thirty).thresholds
    assert f"answers (from {at.answer:.2f})" in shown
    assert re.search(r"carried by: '\w+' \+0\.\d\d", shown)
    assert re.search(rf"0\.[89]\d .*You have 30 days.*t\d+#0 \d\.\d\d {RETURNS[0]}", shown)
    assert re.search(rf"in scope: 0\.\d\d \(from {at.in_scope:.2f}\)", shown)


def test_nothing_is_wrapped_at_80_columns_when_another_program_reads(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "do you sell gift cards " * 6
    assert f"you  {question}" in said(settings, capsys, question).splitlines()
    lines = said(settings, capsys, RETURNS[0], explain=True).splitlines()
    row = next(line for line in lines if "You have 30 days. Shoes" in line)
    assert RETURNS[0] in row


def test_explain_says_what_the_desk_did(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert "so: rule utter_greet" in said(settings, capsys, "hello", explain=True)
    assert "so: answer " in said(settings, capsys, RETURNS[0], explain=True)
    lost = said(settings, capsys, "do you sell gift cards", "still there?", explain=True)
    assert "so: noted as a gap, handed off (unknown)" in lost
    assert "so: says that somebody is coming" in lost


def test_a_new_conversation_begins_after_a_hand_off_when_asked_to(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(settings, capsys, "do you sell gift cards", "what about vouchers", "/restart", "hello").splitlines()
    assert lines.count("bot  Hi, I am a bot.") == 1
    assert lines[-2:] == ["you  hello", "bot  Hi, I am a bot."]


def test_nothing_of_a_terminal_chat_is_stored(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    said(settings, capsys, "hello")
    with connect(str(settings.redis_url)) as client:
        assert client.keys("*") == []


def test_without_a_bundle_the_cure_is_said(settings: Settings) -> None:
    (settings.bundles / "CURRENT").unlink()
    with pytest.raises(Unavailable, match="deskhand train"):
        asyncio.run(talk(settings, explain=False, messages=["hi"]))
