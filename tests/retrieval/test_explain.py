from __future__ import annotations

import pytest

from retrieval.engine import Engine
from retrieval.explain import explain

ASKED = "do you ship to norway"


def test_the_words_that_matter_weigh_more_than_those_that_do_not(tiny_engine: Engine) -> None:
    heard = tiny_engine.understand(ASKED)
    found = explain(tiny_engine, heard)
    assert found is not None
    effects = {word.word: word.effect for word in found.words}
    assert list(effects) == ASKED.split()
    assert max(effects["ship"], effects["norway"]) > max(effects["do"], effects["you"])
    assert found.carried_by(1)[0].word in ("ship", "norway")


def test_an_effect_is_what_the_engine_really_loses_without_the_word(tiny_engine: Engine) -> None:
    heard = tiny_engine.understand(ASKED)
    found = explain(tiny_engine, heard)
    assert found is not None
    word = found.words[-1]
    assert ASKED[word.start : word.end] == word.word == "norway"
    hits = tiny_engine.answer(tiny_engine.understand("do you ship to"), k=10)
    left = next((hit.p_correct for hit in hits if hit.answer == found.answer), 0.0)
    assert word.effect == pytest.approx(found.p_correct - left, abs=1e-4)


def test_a_change_is_a_message_for_which_the_bot_really_does_something_else(tiny_engine: Engine) -> None:
    at = tiny_engine.thresholds.answer
    for text in (ASKED, "where is norway", "password", "give my password back to norway"):
        found = explain(tiny_engine, tiny_engine.understand(text))
        assert found is not None
        for change in found.changes:
            hit = tiny_engine.answer(tiny_engine.understand(change.text), k=1)[0]
            assert hit.answer == change.answer
            assert change.sent == (hit.servable and hit.p_correct >= at)
            assert (change.answer, change.sent) != (found.answer, found.sent)


def test_a_single_word_is_explained_without_leaving_it_out(tiny_engine: Engine) -> None:
    found = explain(tiny_engine, tiny_engine.understand("password"))
    assert found is not None
    assert found.words == ()


def test_an_endless_message_is_explained_by_its_beginning(tiny_engine: Engine) -> None:
    found = explain(tiny_engine, tiny_engine.understand("ship " * 500))
    assert found is not None
    assert len(found.words) == 40
