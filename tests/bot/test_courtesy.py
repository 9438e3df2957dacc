"""Nothing but courtesy, in many languages; and what only begins with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.courtesy import courteous_intent, courtesy

COURTEOUS = {
    "thank": [
        "thanks", "Thanks!", "THANK YOU!!!", "thx", "ty", "thank u so much", "thansk", "thank yuo very much",
        "thanks a lot 🙏", "great, thanks for your help", "ok thanks", "cheers mate", "many thanks", "danke schön",
        "Vielen Dank!", "merci beaucoup", "gracias", "muchas gracias por tu ayuda", "obrigado", "grazie mille", "谢谢",
        "非常感谢！", "ありがとう", "спасибо", "dziękuję", "teşekkürler", "شكرا", "tack så mycket", "thanks 👍",
        "🙏🙏", "thanks, bye", "Hi, thanks",
    ],
    "greet": [
        "hi", "Hi!!", "hello :)", "HELLO", "hey there 👋", "good morning", "good mornign", "Hola", "bonjour",
        "guten Tag", "你好", "こんにちは", "привет", "مرحبا", "hello, hello team",
    ],
    "goodbye": ["bye", "see ya later", "Tschüss", "au revoir", "hasta luego", "再见", "good bye everyone"],
}  # fmt: skip
MORE = [
    "thanks, but where is my order", "hi, where is my order", "gracias, dónde está mi pedido",
    "tank", "thank me later",
    "hello kitty backpack", "ok", "no", "yes", "", "?", "👍", "😡", "I said hi", "is the hey day sale on", 
    "bye the way", "谢谢你的鞋子", "how are you", "a lot", "ta ta for now where is it",
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), [(text, kind) for kind, texts in COURTEOUS.items() for text in texts])
def test_courtesy_is_known_in_many_languages(text: str, kind: str) -> None:
    assert courtesy(text) == kind


@pytest.mark.parametrize("text", MORE)
def test_what_is_more_than_courtesy_is_none(text: str) -> None:
    assert courtesy(text) is None


def test_the_desk_says_what_its_intent_is_called() -> None:
    assert courteous_intent("merci", ("say_thanks", "order")) == "say_thanks"
    assert courteous_intent("merci", ("greet", "order")) is None
    assert courteous_intent("where is it", ("thank",)) is None


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read(text: str) -> None:
    assert courtesy(text) in (None, "greet", "thank", "goodbye")
