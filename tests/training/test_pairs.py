from __future__ import annotations

from bot.transcript import Outcome, Transcript, Turn
from training.pairs import pairs


def talk(*lines: tuple[str, str]) -> Transcript:
    return Transcript("t", "test", "chat", "en", None, "c", Outcome(), tuple(Turn(by, text) for by, text in lines))  # type: ignore[arg-type]


def test_a_button_of_a_rasa_assistant_is_no_request() -> None:
    found = pairs(
        talk(
            ("customer", "/start_return"),
            ("agent", "we open at nine"),
            ("customer", "how long do returns take"),
            ("bot", "shall I get somebody?"),
            ("customer", '/talk_to_person{"order": "<ORDER>"}'),
            ("agent", "five days"),
        )
    )
    assert [(pair.text, pair.replies, pair.customer) for pair in found] == [
        ("how long do returns take", ("five days",), "")
    ]


def test_a_path_is_something_that_a_customer_said() -> None:
    (pair,) = pairs(talk(("customer", "/help/returns is broken"), ("agent", "thank you, we mend it")))
    assert pair.text == "/help/returns is broken"
