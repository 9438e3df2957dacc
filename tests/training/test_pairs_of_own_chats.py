"""Chats of our own desk: the bot answers, passes on, a person steps in; and what Rasa assistants log."""

from __future__ import annotations

from bot.transcript import Outcome, Transcript, Turn
from training.pairs import Pair, pairs


def talk(*lines: tuple[str, str]) -> list[Pair]:
    turns = tuple(Turn(by, text) for by, text in lines)  # type: ignore[arg-type]
    return list(pairs(Transcript("t", "test", "chat", "en", None, "c", Outcome(), turns)))


def test_what_the_bot_had_dealt_with_is_no_part_of_what_the_person_answered() -> None:
    (pair,) = talk(
        ("customer", "hello there"),
        ("bot", "Hi, I am a bot."),
        ("customer", "how long do returns take"),
        ("bot", "Five days."),
        ("customer", "can you engrave a bottle"),
        ("bot", "I pass you on."),
        ("customer", "ok"),
        ("customer", "it is a steel one"),
        ("agent", "Yes, in Leeds."),
    )
    assert pair.text == "can you engrave a bottle it is a steel one"
    assert pair.context == ("Five days.", "how long do returns take")
    assert pair.trusted


def test_the_small_talk_of_our_bot_is_no_context_but_its_answers_are() -> None:
    def own(answer: str | None) -> Pair:
        turns = (
            Turn("customer", "do you ship abroad"),
            Turn("bot", "we do", answer=answer, bundle="b"),
            Turn("customer", "and to norway?"),
            Turn("bot", "I pass you on", bundle="b"),
            Turn("agent", "there, too"),
        )
        return next(pairs(Transcript("t", "deskhand", "chat", "en", None, "c", Outcome(), turns)))

    assert own(None).context == ("", "")
    assert own("a-1").context == ("we do", "do you ship abroad")


def test_a_single_word_that_made_the_bot_pass_on_is_a_request() -> None:
    (pair,) = talk(("customer", "hi"), ("bot", "Hi."), ("customer", "engraving?"), ("bot", "hm"), ("agent", "Yes."))
    assert pair.text == "engraving?"


def test_a_button_of_a_rasa_assistant_is_no_request() -> None:
    (pair,) = talk(
        ("customer", "/start_return"),
        ("agent", "we open at nine"),
        ("customer", "how long do returns take"),
        ("bot", "shall I get somebody?"),
        ("customer", '/talk_to_person{"order": "<ORDER>"}'),
        ("agent", "five days"),
    )
    assert (pair.text, pair.replies, pair.customer) == ("how long do returns take", ("five days",), "")


def test_a_path_is_something_that_a_customer_said() -> None:
    (pair,) = talk(("customer", "/help/returns is broken"), ("agent", "thank you, we mend it"))
    assert pair.text == "/help/returns is broken"
