from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.articles import Article
from retrieval.blocks import count_words, units
from retrieval.compose import LIMIT, compose
from retrieval.passages import drafts
from retrieval.types import Passage


def passage(text: str, *, article: str = "returns", title: str = "Returns", p: float = 0.9) -> Passage:
    (draft,) = drafts(Article(article, title, text))
    return Passage(f"{article}#0", article, title, draft.heading, draft.text, "https://shop.example/r", 0.7, p)


RETURNS = passage(
    "We want you to be happy. Unworn boots may be returned within thirty days. It costs nothing inside the country. "
    "From abroad the postage is yours.\n\nThe refund goes back to your card. It takes five working days.\n\n"
    "You need:\n\n1. the label from the parcel\n2. the box it came in\n"
)
SHIPPING = passage(
    "Parcels to France take two days. A courier brings them before noon.", article="shipping", title="Shipping"
)

words = st.sampled_from("boots return refund card days label box courier it they then costs free 退货 可以".split())
sentence = st.lists(words, min_size=1, max_size=12).map(lambda picked: " ".join(picked).capitalize() + ".")
paragraph = st.lists(sentence, min_size=1, max_size=5).map(" ".join)
listing = st.lists(sentence, min_size=1, max_size=5).map(lambda lines: "\n".join(f"- {line}" for line in lines))
text = st.lists(paragraph | listing, min_size=1, max_size=5).map("\n\n".join)


def test_the_sentence_that_answers_is_picked() -> None:
    composed = compose("how much is the postage if I live abroad?", [RETURNS])
    assert composed is not None
    assert "From abroad the postage is yours." in composed.text
    assert "We want you to be happy." not in composed.text


def test_a_sentence_that_leans_on_another_brings_it_along() -> None:
    composed = compose("how many working days?", [RETURNS])
    assert composed is not None
    assert "The refund goes back to your card. It takes five working days." in composed.text


def test_a_list_comes_whole_with_the_line_that_introduces_it() -> None:
    composed = compose("do you want the label and the box?", [RETURNS])
    assert composed is not None
    assert "You need:\n1. the label from the parcel\n2. the box it came in" in composed.text


def test_only_passages_that_were_used_are_cited() -> None:
    composed = compose("when is the refund on my card?", [RETURNS, SHIPPING])
    assert composed is not None
    assert composed.passages == (RETURNS,)


def test_a_second_passage_adds_what_the_first_does_not_have() -> None:
    composed = compose("refund to my card, and when do parcels to France arrive?", [RETURNS, SHIPPING])
    assert composed is not None
    assert composed.passages == (RETURNS, SHIPPING)
    assert "\nParcels to France take two days." in composed.text


def test_a_question_without_a_known_word_gets_the_opening_of_the_best_passage() -> None:
    composed = compose("???", [SHIPPING, RETURNS])
    assert composed is not None
    assert composed.text.startswith("Parcels to France take two days.")
    assert composed.passages == (SHIPPING,)


def test_a_chinese_question_finds_its_sentence() -> None:
    shop = passage("我们每天发货。收到后三十天内可以退货。退款五天内到账。", title="退货")
    composed = compose("退款几天到账？", [shop])
    assert composed is not None
    assert "退款五天内到账。" in composed.text


def test_nothing_is_composed_from_nothing() -> None:
    assert compose("hello?", []) is None
    assert compose("hello?", [replace(SHIPPING, text=" ")]) is None


@settings(deadline=None, max_examples=50)  # the machine may be busy
@given(st.text(max_size=40) | sentence, st.lists(text, min_size=1, max_size=3))
def test_every_piece_of_a_reply_stands_in_a_cited_passage(question: str, bodies: list[str]) -> None:
    passages = [
        Passage(f"{number}#{part}", str(number), "Boots", draft.heading, draft.text, "", 0.5, 0.6)
        for number, body in enumerate(bodies)
        for part, draft in enumerate(drafts(Article(str(number), "Boots", body)))
    ]
    composed = compose(question, passages)
    assert composed is not None
    assert composed.passages
    left = composed.text
    for source in composed.passages:
        for piece in units(source.text):
            if left.startswith(piece):
                left = left[len(piece) :].lstrip(" \n")
    assert left == ""


@settings(deadline=None, max_examples=50)  # the machine may be busy
@given(sentence, st.lists(sentence, min_size=1, max_size=30).map(" ".join))
def test_a_reply_of_sentences_keeps_to_its_limit(question: str, body: str) -> None:
    composed = compose(question, [passage(body[:500])])
    assert composed is not None
    longest = max(count_words(piece) for piece in units(composed.text))
    assert count_words(composed.text) <= max(LIMIT, longest)
