from __future__ import annotations

from bot.transcript import Transcript, Turn
from training.pairs import MAX_CHARS, Pair, pairs


def said(*lines: tuple[str, str]) -> list[Pair]:
    turns = tuple(Turn(by, text, 10.0 * n) for n, (by, text) in enumerate(lines))  # type: ignore[arg-type]
    return list(pairs(Transcript("t", turns=turns)))


def test_a_request_and_the_reply_that_followed_are_a_pair() -> None:
    (pair,) = said(("customer", "do you ship to norway"), ("agent", "yes, for 12 euro"))
    assert (pair.text, pair.replies, pair.turn, pair.reply_turns, pair.at) == (
        "do you ship to norway", ("yes, for 12 euro",), 0, (1,), 0.0
    )  # fmt: skip
    assert (pair.context, pair.trusted) == (("", ""), False)


def test_messages_in_a_row_are_one_request_and_replies_in_a_row_one_block() -> None:
    (pair,) = said(
        ("customer", "hello"), ("customer", "where is it"), ("agent", "one moment"), ("agent", "it comes on monday")
    )  # fmt: skip
    assert pair.text == "hello where is it"
    assert pair.turn == 1
    assert pair.replies == ("one moment", "it comes on monday")
    assert pair.reply_turns == (2, 3)


def test_the_context_is_what_each_side_said_before() -> None:
    first, second, third = said(
        ("customer", "a"), ("agent", "A1"), ("agent", "A2"), ("customer", "b"), ("agent", "B"), ("customer", "c"),
        ("agent", "C"),
    )  # fmt: skip
    assert first.context == ("", "")
    assert second.context == ("A2", "a")
    assert third.context == ("B", "b")


def test_a_greeting_of_the_desk_is_context_and_no_pair() -> None:
    (pair,) = said(("agent", "hi, how can I help?"), ("customer", "my zip is broken"), ("agent", "send a photo"))
    assert pair.desk == "hi, how can I help?"


def test_a_request_that_nobody_answered_is_no_pair() -> None:
    assert said(("customer", "anybody there?")) == []
    assert said(("agent", "hello"), ("agent", "still there?")) == []
    assert said() == []


def test_the_bot_is_context_and_never_learned_from() -> None:
    (pair,) = said(("customer", "a"), ("bot", "bot says"), ("customer", "and what about refunds"), ("agent", "A"))
    assert pair.replies == ("A",)
    assert "bot says" not in pair.replies
    answered_by_the_bot = said(("customer", "a b c"), ("bot", "B"))
    assert answered_by_the_bot == []


def test_what_a_person_answers_after_the_bot_passed_belongs_to_what_was_asked_and_is_trusted() -> None:
    (pair,) = said(
        ("customer", "do you rent out tents"), ("bot", "I pass you on to a person"), ("customer", "ok"),
        ("agent", "yes, 20 euro a day"),
    )  # fmt: skip
    assert (pair.text, pair.turn, pair.trusted) == ("do you rent out tents", 0, True)
    assert pair.replies == ("yes, 20 euro a day",)


def test_a_longer_message_after_the_bot_passed_adds_to_the_request() -> None:
    (pair,) = said(
        ("customer", "do you rent out tents"), ("bot", "one moment"), ("customer", "for four people in june"),
        ("agent", "yes"),
    )  # fmt: skip
    assert pair.text == "do you rent out tents for four people in june"


def test_after_a_person_took_over_the_next_reply_is_no_longer_about_a_gap() -> None:
    first, second = said(
        ("customer", "do you rent tents"), ("bot", "passing you on"), ("agent", "yes"), ("customer", "how much is it"),
        ("agent", "20 euro"),
    )  # fmt: skip
    assert first.trusted
    assert not second.trusted


def test_a_bot_greeting_before_any_request_makes_no_gap() -> None:
    (pair,) = said(("bot", "welcome, I am a bot"), ("customer", "do you rent tents"), ("agent", "yes"))
    assert not pair.trusted
    assert pair.desk == "welcome, I am a bot"


def test_system_and_empty_turns_do_not_cut_a_request_or_a_block_apart() -> None:
    (pair,) = said(
        ("customer", "my zip"), ("system", "customer changed the page"), ("customer", "is broken"), ("agent", " "),
        ("agent", "send it in"), ("system", "agent is typing"), ("agent", "we repair it"),
    )  # fmt: skip
    assert pair.text == "my zip is broken"
    assert pair.replies == ("send it in", "we repair it")
    assert pair.reply_turns == (4, 6)


def test_actions_of_the_replies_are_carried_for_scoring() -> None:
    turns = (Turn("customer", "a"), Turn("agent", "A", action="greet"), Turn("agent", "B"))
    (pair,) = pairs(Transcript("t", turns=turns))
    assert pair.actions == ("greet", None)
    assert pair.at == 0.0


def test_of_a_very_long_message_the_end_counts() -> None:
    (pair,) = said(("customer", "x" * 5000 + " where is it"), ("agent", "here"))
    assert len(pair.text) == MAX_CHARS
    assert pair.text.endswith("where is it")


def test_a_button_of_a_rasa_assistant_is_no_request() -> None:
    (pair,) = said(
        ("customer", "/start_return"),
        ("agent", "we open at nine"),
        ("customer", "how long do returns take"),
        ("bot", "shall I get somebody?"),
        ("customer", '/talk_to_person{"order": "<ORDER>"}'),
        ("agent", "five days"),
    )
    assert (pair.text, pair.replies, pair.customer) == ("how long do returns take", ("five days",), "")


def test_a_path_is_something_that_a_customer_said() -> None:
    (pair,) = said(("customer", "/help/returns is broken"), ("agent", "thank you, we mend it"))
    assert pair.text == "/help/returns is broken"
