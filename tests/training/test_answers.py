from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.acts import Acts
from training.answers import Answer, Reply, answers, group, replaced, replies
from training.pairs import Pair

DAY = 86_400.0


@pytest.fixture(scope="session")
def acts(words) -> Acts:
    return Acts(words)


@pytest.fixture
def mined(words, acts):
    """Pairs -> (answers by their text, group number of each pair, groups that another one replaced)."""

    def mine(pairs: list[Pair], *, least: int = 2) -> tuple[list[Answer], np.ndarray, dict[int, int]]:
        found = replies(pairs, acts)
        requests = words([pair.text for pair in pairs])
        labels, conflicts = group(found, words, similarity=0.4, most=50, seed=1, requests=requests, weight=0.6)
        made = answers(found, labels, words([reply.key for reply in found]), least=least)
        return made, labels, replaced(found, labels, conflicts)

    return mine


@pytest.fixture
def said(pair, acts):
    """The cleaned reply to one request."""

    def clean(*texts: str) -> Reply:
        return replies([pair("a question of some kind", *texts)], acts)[0]

    return clean


@pytest.mark.parametrize(
    ("texts", "kept", "kind"),
    [
        (("you can return it within 30 days.",), "you can return it within 30 days.", "inform"),
        (("Dear customer, you can return it within 30 days. Have a nice day.",), "you can return it within 30 days.",
         "inform"),
        (("One moment please.", "the label is in your account."), "the label is in your account.", "inform"),
        (("the label is in your account. - Anna", "Bye"), "the label is in your account.", "inform"),
        (("could you give me your order number?",), "could you give me your order number?", "ask"),
        (("You're welcome",), "You're welcome", "phatic"),
        (("hello", "one moment please"), "hello", "phatic"),
    ],
)  # fmt: skip
def test_what_an_agent_said_is_kept_without_greeting_hold_and_farewell(said, texts, kept, kind) -> None:
    reply = said(*texts)
    assert (reply.text, reply.kind) == (kept, kind)


def test_a_reply_is_the_turn_that_says_most(said) -> None:
    reply = said("one moment please", "the label is in your account", "print the label in your account and drop it off")
    assert (reply.text, reply.turn) == ("print the label in your account and drop it off", 3)


def test_the_key_has_no_particulars(said) -> None:
    assert said("your parcel arrives on May 3, it costs $5").key == "your parcel arrives on <DATE>, it costs <MONEY>"


ASKED = {"return": "how do I return a jacket", "ship": "do you ship to norway", "late": "where is my parcel now"}


def test_replies_that_say_the_same_are_one_answer_and_others_are_not(pair, mined) -> None:
    pairs = [pair(ASKED["return"], "print the return label in your account and drop it off") for _ in range(5)]
    pairs += [
        pair(ASKED["return"], "please print the return label in your account, then drop it off") for _ in range(5)
    ]
    pairs += [pair(ASKED["ship"], "we ship to all of europe except malta") for _ in range(5)]
    made, labels, _ = mined(pairs)
    assert len(made) == 2
    assert labels[:10].tolist() == [labels[0]] * 10
    assert labels[10:].tolist() == [labels[10]] * 5 != [labels[0]] * 5
    assert all(answer.servable for answer in made)
    assert [answer.count for answer in made] == [10, 5]


def test_an_outlier_is_not_sent_for_a_group_that_states_facts_of_one_customer(pair, mined) -> None:
    """Nine say which parcel it is, one says something else that would hold for all: nobody is told the latter."""
    found = [pair(ASKED["late"], f"your parcel {n}4417 is in the depot of leeds") for n in range(1, 10)]
    found.append(pair(ASKED["late"], "the depot of leeds is closed on holidays"))
    found += [pair(ASKED["ship"], "we ship to all of europe except malta") for _ in range(5)]
    made, labels, _ = mined(found)
    assert labels[9] == labels[0]
    assert not made[labels[0]].servable
    assert "facts of one customer" in made[labels[0]].why


def test_the_text_sent_is_one_that_an_agent_really_wrote_and_says_where(pair, mined) -> None:
    pairs = [pair(ASKED["ship"], "One moment please.", "we ship to all of europe except malta") for _ in range(3)]
    (answer,), _, _ = mined(pairs)
    assert answer.text == "we ship to all of europe except malta"
    assert set(answer.turns) == {(p.conversation, 2) for p in pairs}


def refund(pair, days: int, since: float, count: int = 8) -> list[Pair]:
    asked = "how long can I return a jacket"
    return [
        pair(asked, f"you can return it within {days} days of delivery", at=(since + n) * DAY) for n in range(count)
    ]


def test_answers_that_contradict_each_other_are_kept_apart(pair, mined) -> None:
    made, _, gone = mined(refund(pair, 30, 1) + refund(pair, 14, 1.5))
    assert sorted(answer.text for answer in made) == [
        "you can return it within 14 days of delivery", "you can return it within 30 days of delivery",
    ]  # fmt: skip
    assert gone == {}


def test_an_answer_that_a_newer_one_took_the_place_of_is_retired(pair, mined) -> None:
    made, labels, gone = mined(refund(pair, 30, 1) + refund(pair, 14, 50))
    assert gone == {labels[0]: labels[-1]}
    assert made[labels[-1]].text == "you can return it within 14 days of delivery"


def test_an_answer_that_came_back_is_not_retired(pair, mined) -> None:
    pairs = refund(pair, 30, 1) + refund(pair, 14, 50) + refund(pair, 30, 100)
    assert mined(pairs)[2] == {}


def test_a_stray_wrong_figure_makes_no_answer_of_its_own(pair, mined) -> None:
    made, _, _ = mined(refund(pair, 30, 1) + refund(pair, 60, 3, count=1))
    assert [answer.text for answer in made] == ["you can return it within 30 days of delivery"]


def test_facts_that_stand_side_by_side_are_no_contradiction(pair, mined) -> None:
    pairs = [pair("do you ship to norway", "shipping is 5 euro and express shipping is 12 euro") for _ in range(8)]
    assert len(mined(pairs)[0]) == 1


def why(made: list[Answer]) -> list[tuple[bool, str]]:
    return [(answer.servable, answer.why) for answer in made]


def test_a_reply_with_facts_of_one_customer_is_learned_from_and_not_sent(pair, mined) -> None:
    pairs = [pair(ASKED["late"], f"your parcel will arrive on May {n}") for n in range(1, 13)]
    (answer,), _, _ = mined(pairs)
    assert (answer.servable, answer.why) == (False, "it states facts of one customer (date)")
    assert answer.count == 12


def test_a_question_and_small_talk_are_not_sent(pair, mined) -> None:
    asks = [pair(ASKED["late"], "could you give me your order number?") for _ in range(4)]
    small = [pair("that was all", "You're welcome") for _ in range(4)]
    assert sorted(why(mined(asks + small)[0])) == [(False, "it asks back"), (False, "it is small talk")]


def test_what_one_conversation_alone_heard_is_not_sent_unless_a_person_closed_a_gap_with_it(pair, mined) -> None:
    rows = [pair(ASKED["ship"], "we ship to all of europe except malta") for _ in range(3)]
    once = pair("do you rent out tents", "tents are rented by the day at the counter")
    stray = "it was said in 1 conversation only"
    assert sorted(why(mined([*rows, once])[0])) == [(False, stray), (True, "")]
    assert why(mined([*rows, replace(once, trusted=True)])[0]) == [(True, ""), (True, "")]
    assert why(mined([*rows, once], least=1)[0]) == [(True, ""), (True, "")]


@pytest.mark.parametrize(
    ("reply", "slots", "servable"),
    [
        ("your order <ORDER> has left our warehouse today", ("ORDER",), True),
        ("thanks <NAME>, a copy went to <EMAIL_2> just now", ("NAME", "EMAIL"), True),
        ("please pay it into the account <IBAN> this week", (), False),
        ("call the driver under <PHONE> about the delivery", (), False),
    ],
)
def test_placeholders_that_a_conversation_can_fill_are_slots_and_others_keep_it_back(
    pair, mined, reply, slots, servable
) -> None:
    (answer,), _, _ = mined([pair(ASKED["late"], reply) for _ in range(4)])
    assert (answer.slots, answer.servable) == (slots, servable)


def test_every_answer_has_an_id_of_its_own_that_stays_the_same(pair, mined) -> None:
    pairs = refund(pair, 30, 1) + refund(pair, 14, 1.5) + [pair(ASKED["ship"], "we ship to europe, not to malta")] * 3
    ids = [answer.id for answer in mined(pairs)[0]]
    assert len(set(ids)) == len(ids) == 3
    assert [answer.id for answer in mined(pairs)[0]] == ids
