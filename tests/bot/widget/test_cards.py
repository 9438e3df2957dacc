from __future__ import annotations

from typing import Any

import pytest

from bot.events import BotSaid, UserSaid
from bot.widget.cards import cards, files
from bot.widget.view import passing, public

ELEMENT = {
    "title": "Tarn tent",
    "subtitle": "1.9 kg",
    "image_url": "https://shop.example/tarn.jpg",
    "default_action": {"type": "web_url", "url": "https://shop.example/tarn"},
    "buttons": [
        {"title": "Buy", "type": "postback", "payload": "/buy"},
        {"title": "Look", "type": "web_url", "url": "https://shop.example/tarn"},
        {"title": "Say it"},
        {"payload": "/nameless"},
    ],
}
CARD = {
    "title": "Tarn tent",
    "subtitle": "1.9 kg",
    "image": "https://shop.example/tarn.jpg",
    "url": "https://shop.example/tarn",
    "buttons": [
        {"title": "Buy", "payload": "/buy"},
        {"title": "Look", "url": "https://shop.example/tarn"},
        {"title": "Say it", "payload": "Say it"},
    ],
}


@pytest.mark.parametrize(
    "attachment",
    [
        {"type": "template", "payload": {"template_type": "generic", "elements": [ELEMENT]}},
        {"payload": {"elements": [ELEMENT]}},
        {"elements": [ELEMENT]},
    ],
)
def test_rasas_generic_template_becomes_cards(attachment: dict[str, Any]) -> None:
    assert cards(attachment) == [CARD]


def test_a_row_of_cards_ends_somewhere_and_has_nothing_without_a_title() -> None:
    assert len(cards({"elements": [{"title": str(n)} for n in range(30)] + [{"subtitle": "x"}]})) == 10


@pytest.mark.parametrize("nonsense", [None, "x", 3, [], {}, {"elements": "x"}, {"payload": 3}, {"elements": [None, 1]}])
def test_what_is_no_card_is_none(nonsense: Any) -> None:
    assert cards(nonsense) == []


@pytest.mark.parametrize(
    ("attachment", "file"),
    [
        ("https://shop.example/a/manual.pdf?x=1", ("manual.pdf", "file", "https://shop.example/a/manual.pdf?x=1")),
        (
            {"type": "image", "payload": {"src": "https://s.example/z.jpg"}},
            ("z.jpg", "image", "https://s.example/z.jpg"),
        ),
        (
            {"type": "file", "payload": {"url": "https://s.example/m", "title": "Manual"}},
            ("Manual", "file", "https://s.example/m"),
        ),
    ],
)
def test_an_attachment_with_an_address_is_a_file(attachment: Any, file: tuple[str, str, str]) -> None:
    assert files(attachment) == [dict(zip(("name", "type", "url"), file, strict=True))]


def test_a_reply_of_nothing_but_a_picture_or_cards_is_seen() -> None:
    said = BotSaid(image="https://s.example/z.jpg", message_id="r1")
    seen = public(0, said)
    assert seen is not None
    assert (seen["text"], seen["image"]) == ("", "https://s.example/z.jpg")
    seen = public(0, BotSaid(attachment={"elements": [ELEMENT]}, message_id="r2"))
    assert seen is not None
    assert seen["cards"] == [CARD]


def test_a_message_of_files_alone_shows_no_words() -> None:
    file = {"id": "abc/zip.png", "name": "zip.png", "type": "image/png", "size": 9}
    said = UserSaid(text="zip.png", message_id="m1", metadata={"files": [file], "files_only": True})
    seen = public(0, said)
    assert seen is not None
    assert (seen["text"], seen["files"]) == ("", [file])


def test_of_what_passes_only_typing_and_drafts_reach_the_customer() -> None:
    draft = {"event": "BotSaid", "at": 1.0, "text": "One moment", "message_id": "r1", "answer": "secret"}
    seen = passing({"type": "draft", "event": draft})
    assert seen is not None
    assert (seen["type"], seen["event"]["text"]) == ("draft", "One moment")
    assert "secret" not in str(seen)
    assert passing({"type": "typing", "person": "Maya", "note": "x"}) == {"type": "typing", "person": "Maya"}
    assert passing({"type": "else"}) is None
    assert passing({"type": "draft", "event": {"event": "SlotSet", "name": "email", "value": "x"}}) is None
