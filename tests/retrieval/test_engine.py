from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.bundle import Bundles
from retrieval.engine import Engine

ASKED = [
    ("do you ship to norway", ("", "")),
    ("where is my order AB-123456", ("hi there", "hello")),
    ("I forgot my password", ()),
    ("how can I give it back", ("we deliver for 12 euro", "do you deliver outside")),
    ("thanks a lot", ("it will arrive on monday the 3rd of may", "track my parcel please")),
]


def fresh(tiny_bundles: Path) -> Engine:
    bundles = Bundles(tiny_bundles)
    return Engine.load(bundles.path(bundles.ids()[-1]))


def test_a_message_is_understood_with_its_intents_entities_and_context(tiny_engine: Engine) -> None:
    heard = tiny_engine.understand("where is my order AB-123456", context=("hi there", "hello"))
    assert [(e.name, e.value, e.start) for e in heard.entities] == [("order", "AB-123456", 18)]
    assert heard.context == ("hi there", "hello")
    assert heard.bundle == tiny_engine.id
    assert 0 <= heard.in_scope <= 1
    assert {score.name for score in heard.ranking} <= set(tiny_engine.manifest.labels)
    assert heard.vector is not None
    assert heard.vector.shape == (3 * tiny_engine.manifest.dimension,)


def test_the_ranking_is_sorted_best_first(tiny_engine: Engine) -> None:
    for text, context in ASKED:
        shares = [score.confidence for score in tiny_engine.understand(text, context=context).ranking]
        assert shares == sorted(shares, reverse=True)
        assert all(0 <= share <= 1 for share in shares)


def test_many_messages_at_once_are_understood_as_one_by_one(tiny_bundles: Path) -> None:
    texts, contexts = [text for text, _ in ASKED], [context for _, context in ASKED]
    together = fresh(tiny_bundles).understand_all(texts * 10, contexts=contexts * 10)
    for (text, context), heard in zip(ASKED, together, strict=False):
        alone = fresh(tiny_bundles).understand(text, context=context)
        assert (alone.context, alone.entities) == (heard.context, heard.entities)
        assert [score.name for score in alone.ranking] == [score.name for score in heard.ranking]
        assert alone.in_scope == pytest.approx(heard.in_scope, abs=1e-4)
        assert alone.vector is not None
        assert heard.vector is not None
        np.testing.assert_allclose(alone.vector, heard.vector, atol=1e-6)


def test_nothing_to_understand_and_nothing_to_answer_is_fine(tiny_engine: Engine) -> None:
    assert tiny_engine.understand_all([]) == []
    assert tiny_engine.answer_all([]) == []
    assert tiny_engine.encode([]).shape == (0, 32)


def test_what_the_desk_said_before_changes_the_answer(tiny_engine: Engine) -> None:
    plain = tiny_engine.answer(tiny_engine.understand("ok please"))
    after = tiny_engine.answer(tiny_engine.understand("ok please", context=("there is a reset link", "cannot log in")))
    assert [h.score for h in plain] != [h.score for h in after]
    a, b = tiny_engine.understand("yes").vector, tiny_engine.understand("yes", context=("hi there",)).vector
    assert a is not None
    assert b is not None
    assert not np.allclose(a, b)


def test_logged_requests_find_the_reply_they_got(tiny_engine: Engine) -> None:
    for asked, said in (("reset my login please", "login page|reset link"), ("can you deliver to sweden", "12 euro")):
        (first, *_) = tiny_engine.answer(tiny_engine.understand(asked))
        assert any(part in first.text for part in said.split("|"))


def test_candidates_come_best_first_and_at_most_k(tiny_engine: Engine) -> None:
    heard = tiny_engine.understand("track my parcel please")
    for k in (1, 3, 500):
        hits = tiny_engine.answer(heard, k=k)
        assert len(hits) == min(k, len(tiny_engine.table))
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
        assert len({h.answer for h in hits}) == len(hits)
        assert all(0 <= h.p_correct <= 1 for h in hits)


def test_provenance_names_turns_in_which_a_customer_really_said_that(tiny_engine: Engine, talk: list) -> None:
    turns = {(t.id, i): turn for t in talk for i, turn in enumerate(t.turns)}
    (first, *_) = tiny_engine.answer(tiny_engine.understand("do you ship to norway"))
    assert first.requests
    for logged in first.requests:
        turn = turns[logged.conversation, logged.turn]
        assert turn.by == "customer"
        assert turn.text in logged.text
        assert logged.similarity <= 1.001


def test_the_same_message_gets_the_same_answers_again(tiny_engine: Engine) -> None:
    for text, context in ASKED:
        heard = tiny_engine.understand(text, context=context)
        assert tiny_engine.understand(text, context=context) == heard
        assert tiny_engine.answer(heard) == tiny_engine.answer(heard)


def test_particulars_make_no_difference_to_what_is_answered(tiny_engine: Engine) -> None:
    one, two = (tiny_engine.understand(f"where is my order {n}") for n in ("AB-123456", "XY-99999"))
    assert tiny_engine.answer(one) == tiny_engine.answer(two)


def test_threads_get_what_one_would_get(tiny_engine: Engine) -> None:
    def reply(number: int) -> list:
        text, context = ASKED[number % len(ASKED)]
        return tiny_engine.answer(tiny_engine.understand(text, context=context))

    expected = [reply(number) for number in range(len(ASKED))]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(reply, range(80)))
    assert got == [expected[number % len(ASKED)] for number in range(80)]


def test_what_an_earlier_bundle_understood_is_understood_again(tiny_engine: Engine) -> None:
    heard = tiny_engine.understand("do you ship to norway", context=("hi there", "hello"))
    assert heard.vector is not None
    stale = replace(heard, bundle="20200101T000000-00000000", vector=np.zeros_like(heard.vector))
    bare = replace(heard, vector=None)
    assert tiny_engine.answer(stale) == tiny_engine.answer(bare) == tiny_engine.answer(heard)


def test_without_articles_a_search_finds_nothing(tiny_engine: Engine) -> None:
    assert tiny_engine.knowledge is None
    assert tiny_engine.search(tiny_engine.understand("do you ship to norway")) == []


@pytest.mark.parametrize("text", ["", "   ", "?" * 5000, "where " * 20_000, "\x00", "私の注文", "👍"])
def test_an_odd_message_is_understood_as_something(tiny_engine: Engine, text: str) -> None:
    hits = tiny_engine.answer(tiny_engine.understand(text))
    assert all(np.isfinite([h.p_correct, h.score]).all() for h in hits)


SERVE = """
import sys
from pathlib import Path
from retrieval.engine import Engine
engine = Engine.load(Path(sys.argv[1]))
assert engine.answer(engine.understand("do you ship to norway"))
heavy = {"torch", "transformers", "sentence_transformers", "sklearn", "onnx", "scipy"} & set(sys.modules)
assert not heavy, f"serving imported {sorted(heavy)}"
"""


def test_answering_needs_no_torch(tiny_engine: Engine, tiny_bundles: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(tiny_bundles / tiny_engine.id)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
