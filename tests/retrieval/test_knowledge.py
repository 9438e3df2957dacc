from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.articles import Article
from retrieval.errors import BadBundle, BadInput
from retrieval.knowledge import FILE, KnowledgeIndex, ask, sync
from retrieval.relevance import PRIOR, Relevance, fit
from tests.retrieval.conftest import DIMENSION, Counting

Make = Callable[..., Article]

TEXTS = {
    "returns": "You may return unworn boots within thirty days. The prepaid label is in the parcel.\n\n"
    "## Refunds\n\nThe money goes back to the card you paid with. It takes five working days.",
    "shipping": "Parcels to France travel two days by road courier. We ship orders every weekday before noon.\n\n"
    "## Tracking\n\nThe tracking number arrives by email in the evening. It works after one hour.",
    "warranty": "Tents carry a warranty of three years against broken poles. Keep the receipt for the warranty.",
    "gifts": "Gift vouchers never expire and can be spent online. A lost voucher is replaced with its number.",
}


@pytest.fixture
def index(encode: Counting, article: Make) -> KnowledgeIndex:
    return KnowledgeIndex.build([article(*item) for item in TEXTS.items()], encode, encoder_id="e1")


def test_a_question_finds_its_passage_with_heading_and_source(index: KnowledgeIndex, encode: Counting) -> None:
    best = index.search(ask(encode, "when does the money go back to my card?"), k=2)[0]
    assert (best.article, best.title, best.heading) == ("returns", "Returns", "Refunds")
    assert best.url == "https://shop.example/returns"
    assert best.text.startswith("The money goes back")


def test_hits_are_ordered_and_no_passage_is_given_twice(index: KnowledgeIndex, encode: Counting) -> None:
    hits = index.search(ask(encode, "warranty for boots and tents"), k=10)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.id for hit in hits}) == len(hits) == len(index)


def test_k_cuts_the_hits(index: KnowledgeIndex, encode: Counting) -> None:
    assert len(index.search(ask(encode, "voucher"), k=2)) == 2


def test_a_follow_up_is_searched_with_what_was_said_before(index: KnowledgeIndex, encode: Counting) -> None:
    vector = ask(encode, "how long does it take?", ["Do you ship parcels to France?", "Yes, by courier."])
    assert index.search(vector, k=1)[0].article == "shipping"
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_a_vector_of_another_size_is_refused(index: KnowledgeIndex) -> None:
    with pytest.raises(BadInput, match=r"shape \(3,\).*\(512,\)"):
        index.search(np.zeros(3, np.float32))


def test_a_clear_question_is_more_probable_than_a_foreign_one(index: KnowledgeIndex, encode: Counting) -> None:
    clear = index.search(ask(encode, "how many days does a parcel to France travel by courier"), k=1)[0]
    foreign = index.search(ask(encode, "who won the football game last night"), k=1)[0]
    assert clear.p_relevant > 0.5 > foreign.p_relevant


@settings(deadline=None)  # the machine may be busy
@given(st.tuples(*[st.floats(-1, 1)] * 3), st.floats(0, 1))
def test_the_probability_never_falls_when_cosine_or_lead_rises(point: tuple[float, float, float], more: float) -> None:
    score, lead, _ = point
    rng = np.random.default_rng(0)
    right = rng.random(60) < 0.5
    fitted = fit(rng.random(60) - right, rng.random(60) - right, right)  # even when the examples say the opposite
    for relevance in (PRIOR, fitted, Relevance(-3, 4, 9)):
        assert 0 <= relevance.p(score, lead) <= relevance.p(score + more, lead) <= 1
        assert relevance.p(score, lead) <= relevance.p(score, lead + more)


def test_the_calibration_learns_where_right_and_wrong_part(index: KnowledgeIndex) -> None:
    rng = np.random.default_rng(0)
    right = np.arange(400) < 200
    scores = np.where(right, 0.9, 0.7) + 0.05 * rng.standard_normal(400)
    fitted = fit(scores, np.zeros(400), right)
    assert fitted.p(0.9, 0) > 0.75
    assert fitted.p(0.7, 0) < 0.25
    assert index.relevance != PRIOR


def test_a_saved_index_answers_as_before(index: KnowledgeIndex, encode: Counting, tmp_path: Path) -> None:
    index.save(tmp_path)
    again = KnowledgeIndex.load(tmp_path, encoder_id="e1")
    for text in TEXTS.values():
        assert again.search(ask(encode, text)) == index.search(ask(encode, text))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_index_of_another_encoder_is_refused(index: KnowledgeIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    with pytest.raises(BadBundle, match=r"made with encoder 'e1', not 'e2'.*knowledge sync"):
        KnowledgeIndex.load(tmp_path, encoder_id="e2")


def test_a_missing_index_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="run 'deskhand knowledge sync'"):
        KnowledgeIndex.load(tmp_path, encoder_id="e1")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_flipped_byte_is_refused(index: KnowledgeIndex, tmp_path: Path, part: float) -> None:
    index.save(tmp_path)
    content = bytearray((tmp_path / FILE).read_bytes())
    content[int(part * len(content))] ^= 0xFF
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(BadBundle):
        KnowledgeIndex.load(tmp_path, encoder_id="e1")


def test_half_a_file_is_refused(index: KnowledgeIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(BadBundle):
        KnowledgeIndex.load(tmp_path, encoder_id="e1")


def test_rows_that_do_not_fit_the_passages_are_refused(index: KnowledgeIndex, tmp_path: Path) -> None:
    from retrieval.knowledge import _digest

    index.save(tmp_path)
    with np.load(tmp_path / FILE) as file:
        arrays = dict(file)
    meta = json.loads(arrays.pop("meta").tobytes())
    meta["shelves"].pop()
    blob = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    arrays.pop("sha256")
    np.savez(tmp_path / FILE, meta=blob, sha256=_digest(blob, arrays), **arrays)
    with pytest.raises(BadBundle, match="rows"):
        KnowledgeIndex.load(tmp_path, encoder_id="e1")


def test_a_rebuild_encodes_only_what_changed(index: KnowledgeIndex, article: Make) -> None:
    changed = TEXTS | {"gifts": "Gift vouchers expire after one year."}
    encode = Counting()
    rebuilt = KnowledgeIndex.build(
        [article(*item) for item in changed.items()], encode, encoder_id="e1", previous=index
    )
    assert encode.texts
    assert all("Gifts" in text for text in encode.texts)
    fresh = KnowledgeIndex.build([article(*item) for item in changed.items()], Counting(), encoder_id="e1")
    question = ask(encode, "how long is a voucher good for")
    assert rebuilt.search(question) == fresh.search(question)


def test_nothing_is_taken_from_the_index_of_another_encoder(index: KnowledgeIndex, article: Make) -> None:
    encode = Counting()
    KnowledgeIndex.build([article(*item) for item in TEXTS.items()], encode, encoder_id="e2", previous=index)
    assert any("Warranty" in text for text in encode.texts)


def test_no_articles_make_an_empty_index(encode: Counting, tmp_path: Path) -> None:
    KnowledgeIndex.build([], encode, encoder_id="e1").save(tmp_path)
    empty = KnowledgeIndex.load(tmp_path, encoder_id="e1")
    assert empty.search(np.zeros(DIMENSION, np.float32)) == []


def test_sync_follows_the_folder_and_keeps_an_index_for_every_encoder(encode: Counting, tmp_path: Path) -> None:
    folder, root = tmp_path / "articles", tmp_path / "indexes"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / f"{name}.md").write_text(f"---\ntitle: {name}\n---\n{text}\n")
    assert sync(folder, root, encode, encoder_id="e1").encoded == tuple(sorted(TEXTS))
    assert sync(folder, root, encode, encoder_id="e1").encoded == ()
    (folder / "gifts.md").write_text("---\ntitle: gifts\n---\nVouchers expire.\n")
    (folder / "warranty.md").unlink()
    changed = sync(folder, root, encode, encoder_id="e1")
    assert (changed.encoded, changed.removed) == (("gifts",), ("warranty",))
    assert KnowledgeIndex.load(root / "e1", encoder_id="e1").articles.keys() == {"gifts", "returns", "shipping"}
    assert sync(folder, root, encode, encoder_id="e2").index.articles == changed.index.articles
