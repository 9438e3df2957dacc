from __future__ import annotations

import numpy as np
import pytest

from retrieval.errors import BadInput
from training.config import IntentConfig, TrainingConfig
from training.mine import Mined, assign, induce, intent_of_answers, mine
from training.pairs import Pair, pairs

CONFIG = TrainingConfig(intents=IntentConfig(least=2, most=8))
SAID = {
    "return": (["how do I return a jacket", "I want to return a tent", "can I return these boots please"],
               "print the return label in your account and drop it off"),
    "ship": (["do you ship to norway", "do you ship to iceland", "can you ship to the alps please"],
             "we ship to all of europe except malta"),
    "password": (["I forgot my password", "my password does not work", "reset my password please"],
                 "use the reset link below the login"),
}  # fmt: skip


@pytest.fixture
def log(pair) -> list[Pair]:
    return [pair(asked, reply) for _ in range(4) for texts, reply in SAID.values() for asked in texts]


def test_requests_lead_to_the_answer_that_they_got(log, words) -> None:
    mined = mine(log, words, CONFIG)
    for row, number in zip(log, mined.answer_of.tolist(), strict=True):
        assert mined.answers[number].text == row.replies[0]
    assert len(mined.answers) == 3


def test_requests_of_a_kind_share_an_intent_whose_name_tells_it(log, words) -> None:
    mined = mine(log, words, CONFIG)
    for row, number in zip(log, mined.intent_of.tolist(), strict=True):
        kind = next(kind for kind, (texts, _) in SAID.items() if row.text in texts)
        assert kind in mined.intents[number]
    kinds = dict(zip((a.text for a in mined.answers), intent_of_answers(mined), strict=True))
    assert all(kind in str(kinds[reply]) for kind, (_, reply) in SAID.items())


def test_small_talk_and_replies_to_a_question_of_the_desk_are_no_requests(log, words, pair) -> None:
    question = "could you give me your order number?"
    odd = [pair("thank you so much", "my pleasure"), pair("it is the blue jacket", "thanks, sent", desk=question),
           pair("hm ok", "yes")]  # fmt: skip
    mined = mine(log + odd, words, CONFIG)
    assert mined.intent_of[-3:].tolist() == [-1, -1, -1]
    assert (mined.answer_of >= 0).all()


def test_a_group_near_an_example_of_the_domain_takes_its_name(log, words) -> None:
    examples = [(text, "start_return") for text in SAID["return"][0]] + [("tell me a joke", "joke")]
    mined = mine(log, words, CONFIG, examples=examples)
    assert mined.intents[:2] == ("start_return", "joke")
    taken = {row.text for row, number in zip(log, mined.intent_of.tolist(), strict=True) if number == 0}
    assert taken
    assert taken <= set(SAID["return"][0])
    assert 1 not in mined.intent_of
    assert len(set(mined.intents)) == len(mined.intents)


def test_requests_of_a_retired_answer_lead_to_the_one_that_took_its_place(log, words, pair) -> None:
    asked = "how long may I keep boots before giving them back"
    aged = [pair(asked, f"you have {days} days to give boots back", at=at * 86_400.0 + n)
            for days, at in ((30, 1), (14, 90)) for n in range(6)]  # fmt: skip
    mined = mine(log + aged, words, CONFIG)
    told = {mined.answers[number].text for number in mined.answer_of[-12:].tolist()}
    assert told == {"you have 14 days to give boots back"}
    assert not any("30 days" in answer.text for answer in mined.answers)


def test_what_was_mined_survives_the_disk(log, words, tmp_path) -> None:
    mined = mine(log, words, CONFIG, examples=[("tell me a joke", "joke")])
    mined.save(tmp_path)
    again = Mined.load(tmp_path)
    assert (again.answers, again.intents, again.keys) == (mined.answers, mined.intents, mined.keys)
    np.testing.assert_array_equal(again.answer_of, mined.answer_of)
    np.testing.assert_array_equal(again.intent_of, mined.intent_of)


def test_mining_twice_finds_the_same(log, words) -> None:
    one, two = mine(log, words, CONFIG), mine(log, words, CONFIG)
    assert (one.answers, one.intents) == (two.answers, two.intents)
    assert one.answer_of.tolist() == two.answer_of.tolist()


def test_too_little_to_learn_from_says_how_much_there_was_and_what_to_do(log, words) -> None:
    with pytest.raises(BadInput, match=r"only 7 customer messages .* at least 8 .*deskhand transcripts import"):
        mine(log[:7], words, CONFIG)
    with pytest.raises(BadInput, match="only 0 customer messages"):
        mine([], words, CONFIG)
    with pytest.raises(BadInput, match=r"20 answered messages have only 1 different texts.*import real"):
        mine([log[0]] * 20, words, CONFIG)


def test_induction_gives_every_text_the_name_of_its_group(words) -> None:
    texts = [text for texts, _ in SAID.values() for text in texts]
    names = induce(texts, words, CONFIG)
    assert len(names) == len(texts)
    assert len(set(names[0:3])) == len(set(names[3:6])) == len(set(names[6:9])) == 1
    assert len(set(names)) == 3
    with pytest.raises(BadInput, match="3 rows have 1 different text"):
        induce(["same"] * 3, words, CONFIG)


def test_a_reply_is_told_to_be_the_answer_it_amounts_to_or_none(tiny_engine, talk) -> None:
    said = [pair.replies[0] for one in talk for pair in pairs(one) if "reset link" in pair.replies[0]]
    found = assign([*said, "zzz qqq 77 xyz"], tiny_engine)
    texts = {row["answer"]: row["text"] for row in tiny_engine.table}
    assert all(answer and "reset link" in texts[answer] for answer in found[:-1])
    assert found[-1] is None
    assert assign([], tiny_engine) == []
