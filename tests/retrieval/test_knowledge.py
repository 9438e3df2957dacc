from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.articles import Article
from retrieval.errors import BadBundle, BadInput
from retrieval.fusion import Asked
from retrieval.knowledge import FILE, Filter, KnowledgeIndex, sync
from retrieval.relevance import NAMES, PRIOR, fit
from retrieval.types import Passage
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


def ask(index: KnowledgeIndex, encode: Counting, text: str, *history: str, k: int = 5) -> list[Passage]:
    return index.search(encode([text])[0], Asked(text, history), k=k)


@pytest.fixture
def index(encode: Counting, article: Make) -> KnowledgeIndex:
    return KnowledgeIndex.build([article(*item) for item in TEXTS.items()], encode, encoder_id="e1")


def test_a_question_finds_its_passage_with_heading_and_source(index: KnowledgeIndex, encode: Counting) -> None:
    best = ask(index, encode, "when does the money go back to my card?", k=2)[0]
    assert (best.article, best.title, best.heading) == ("returns", "Returns", "Refunds")
    assert best.url == "https://shop.example/returns"
    assert best.text.startswith("The money goes back")


def test_hits_are_ordered_and_no_passage_is_given_twice(index: KnowledgeIndex, encode: Counting) -> None:
    hits = ask(index, encode, "warranty for boots and tents", k=10)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.id for hit in hits}) == len(hits) == len(index)


def test_k_cuts_the_hits(index: KnowledgeIndex, encode: Counting) -> None:
    assert len(ask(index, encode, "voucher", k=2)) == 2


def test_a_follow_up_is_searched_with_what_was_said_before(index: KnowledgeIndex, encode: Counting) -> None:
    follow_up = "and how long does that take?"
    hit = ask(index, encode, follow_up, "Do you ship parcels to France?", "Yes, by courier.", k=1)[0]
    assert (hit.article, hit.heading) == ("shipping", "")
    assert len(encode.texts) == len(set(encode.texts))  # the turns before are not encoded


def test_a_vector_of_another_size_is_refused(index: KnowledgeIndex) -> None:
    with pytest.raises(BadInput, match=r"shape \(3,\).*\(512,\)"):
        index.search(np.zeros(3, np.float32), "voucher")


def test_a_clear_question_is_more_probable_than_a_foreign_one(index: KnowledgeIndex, encode: Counting) -> None:
    clear = ask(index, encode, "how many days does a parcel to France travel by courier", k=1)[0]
    foreign = ask(index, encode, "who won the football game last night", k=1)[0]
    assert clear.p_relevant > 0.5 > foreign.p_relevant


VALUES = st.lists(st.floats(-1, 1), min_size=len(NAMES), max_size=len(NAMES))


@settings(deadline=None)  # the machine may be busy
@given(VALUES, st.integers(0, len(NAMES) - 1), st.floats(0, 1))
def test_the_probability_never_falls_when_evidence_rises(values: list[float], which: int, more: float) -> None:
    rng = np.random.default_rng(0)
    right = rng.random(60) < 0.5
    examples = rng.random((60, len(NAMES))) - right[:, None]  # they say the opposite
    fitted = replace(PRIOR, alone=fit(examples, right, PRIOR.alone))
    higher = [value + more * (place == which) for place, value in enumerate(values)]
    for relevance in (PRIOR, fitted):
        for follows in (False, True):
            assert 0 <= relevance.p(values, follows=follows) <= relevance.p(higher, follows=follows) + 1e-12 <= 1 + 1e-9


def test_the_calibration_learns_where_right_and_wrong_part(index: KnowledgeIndex) -> None:
    rng = np.random.default_rng(0)
    right = np.arange(400) < 200
    examples = np.zeros((400, len(NAMES)))
    examples[:, 0] = np.where(right, 0.9, 0.7) + 0.05 * rng.standard_normal(400)
    fitted = replace(PRIOR, alone=fit(examples, right, PRIOR.alone))
    assert fitted.p([0.9] + [0.0] * (len(NAMES) - 1)) > 0.75
    assert fitted.p([0.7] + [0.0] * (len(NAMES) - 1)) < 0.25
    assert index.relevance.alone != PRIOR.alone


def test_a_saved_index_answers_as_before(index: KnowledgeIndex, encode: Counting, tmp_path: Path) -> None:
    index.save(tmp_path)
    again = KnowledgeIndex.load(tmp_path, encoder_id="e1")
    for text in TEXTS.values():
        assert ask(again, encode, text) == ask(index, encode, text)
    assert {path.name for path in tmp_path.iterdir()} == {FILE, index.segments[0].name}


def test_the_index_of_another_encoder_is_refused(index: KnowledgeIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    with pytest.raises(BadBundle, match=r"made with encoder 'e1', not 'e2'.*knowledge sync"):
        KnowledgeIndex.load(tmp_path, encoder_id="e2")


def test_a_missing_index_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="run 'deskhand knowledge sync'"):
        KnowledgeIndex.load(tmp_path, encoder_id="e1")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "sha256.json")


def test_a_flipped_byte_is_refused_in_whichever_file(index: KnowledgeIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    for path in files(tmp_path):
        content = path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 0xFF]) + content[-8:])
        with pytest.raises(BadBundle, match="knowledge sync"):
            KnowledgeIndex.load(tmp_path, encoder_id="e1")
        path.write_bytes(content)
    assert len(KnowledgeIndex.load(tmp_path, encoder_id="e1")) == len(index)


def test_half_a_file_and_a_missing_one_are_refused(index: KnowledgeIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    for path in files(tmp_path):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(BadBundle):
            KnowledgeIndex.load(tmp_path, encoder_id="e1")
        path.unlink()
        with pytest.raises(BadBundle):
            KnowledgeIndex.load(tmp_path, encoder_id="e1")
        path.write_bytes(content)


def test_a_damaged_index_is_built_again_from_the_articles(
    index: KnowledgeIndex, encode: Counting, article: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    articles = [article(*item) for item in TEXTS.items()]
    sync(articles, tmp_path, encode, encoder_id="e1")
    (tmp_path / "e1" / FILE).write_text("{}")
    with caplog.at_level("WARNING", logger="retrieval.knowledge"):  # a command tested before may have set the root's
        synced = sync(articles, tmp_path, encode, encoder_id="e1")
    assert synced.encoded == tuple(TEXTS)
    assert "built again" in caplog.text
    assert len(KnowledgeIndex.load(tmp_path / "e1", encoder_id="e1")) == len(index)


def test_a_rebuild_encodes_only_what_changed(index: KnowledgeIndex, article: Make) -> None:
    changed = TEXTS | {"gifts": "Gift vouchers expire after one year."}
    encode = Counting()
    rebuilt = KnowledgeIndex.build(
        [article(*item) for item in changed.items()], encode, encoder_id="e1", previous=index
    )
    assert encode.texts
    assert all("Gifts" in text for text in encode.texts)
    fresh = KnowledgeIndex.build([article(*item) for item in changed.items()], Counting(), encoder_id="e1")
    question = "how long is a voucher good for"
    assert [hit.text for hit in ask(rebuilt, encode, question)] == [hit.text for hit in ask(fresh, encode, question)]


def test_nothing_is_taken_from_the_index_of_another_encoder(index: KnowledgeIndex, article: Make) -> None:
    encode = Counting()
    KnowledgeIndex.build([article(*item) for item in TEXTS.items()], encode, encoder_id="e2", previous=index)
    assert any("Warranty" in text for text in encode.texts)


def test_no_articles_make_an_empty_index(encode: Counting, tmp_path: Path) -> None:
    KnowledgeIndex.build([], encode, encoder_id="e1").save(tmp_path)
    empty = KnowledgeIndex.load(tmp_path, encoder_id="e1")
    assert empty.search(np.zeros(DIMENSION, np.float32), "voucher") == []


def test_sync_follows_the_articles_and_keeps_an_index_for_every_encoder(
    encode: Counting, article: Make, tmp_path: Path
) -> None:
    articles = [article(*item) for item in TEXTS.items()]
    assert sync(articles, tmp_path, encode, encoder_id="e1").encoded == tuple(TEXTS)
    assert sync(articles, tmp_path, encode, encoder_id="e1").encoded == ()
    later = [article("gifts", "Vouchers expire."), *articles[:2]]
    changed = sync(later, tmp_path, encode, encoder_id="e1")
    assert (changed.encoded, changed.removed) == (("gifts",), ("warranty",))
    assert KnowledgeIndex.load(tmp_path / "e1", encoder_id="e1").articles.keys() == {"gifts", "returns", "shipping"}
    assert sync(later, tmp_path, encode, encoder_id="e2").index.articles == changed.index.articles


def test_articles_that_come_one_by_one_are_found_as_if_they_had_come_together(article: Make) -> None:
    encode = Counting()
    articles = [article(f"{name}{n}", f"{text} Code {n}7{n}.") for n in range(6) for name, text in TEXTS.items()]
    grown = KnowledgeIndex.build([], encode, encoder_id="e1")
    for count in range(1, len(articles) + 1):
        grown = KnowledgeIndex.build(articles[:count], encode, encoder_id="e1", previous=grown)
    whole = KnowledgeIndex.build(articles, encode, encoder_id="e1")
    assert len(grown.segments) <= 5
    for question in ("which parcel has code 373", "is there a warranty on tents, code 474", "money back to my card"):
        ours, theirs = ask(grown, encode, question), ask(whole, encode, question)
        assert [hit.id for hit in ours] == [hit.id for hit in theirs]
        assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=1e-5)


def test_what_is_removed_or_changed_is_found_no_more(index: KnowledgeIndex, article: Make) -> None:
    encode = Counting()
    kept = [article(name, text) for name, text in TEXTS.items() if name != "warranty"]
    kept[0] = article("returns", "Boots go back within sixty days.")
    later = KnowledgeIndex.build(kept, encode, encoder_id="e1", previous=index)
    assert "warranty" not in {hit.article for hit in ask(later, encode, "warranty for tents", k=20)}
    assert {hit.text for hit in ask(later, encode, "return boots", k=20) if hit.article == "returns"} == {
        "Boots go back within sixty days."
    }


def test_hits_keep_to_language_tags_and_validity() -> None:
    encode = Counting()
    articles = [
        Article("en", "Winter sale", "The sale has jackets.", tags=("shop",), language="en"),
        Article("de", "Winter sale Germany", "The sale has jackets, too.", tags=("shop",), language="de"),
        Article("staff", "Staff sale", "The staff sale has jackets.", tags=("staff",)),
        Article("old", "Old sale", "The old sale had jackets.", valid_until="2020-01-31"),
        Article("next", "Next sale", "The next sale will have jackets.", valid_from="2990-01-01"),
    ]
    index = KnowledgeIndex.build(articles, encode, encoder_id="e1")

    def found(only: Filter | None = None) -> set[str]:
        return {hit.article for hit in index.search(encode(["sale of jackets"])[0], "sale of jackets", only=only)}

    assert found() == {"en", "de", "staff"}
    assert found(Filter(language="de")) == {"de", "staff"}
    assert found(Filter(tags=frozenset({"shop"}))) == {"en", "de"}
    assert found(Filter(on="2020-01-31")) == {"en", "de", "staff", "old"}


def test_near_copies_are_given_once(article: Make) -> None:
    encode, text = Counting(), TEXTS["warranty"]
    index = KnowledgeIndex.build([article("one", text, "Tents"), article("two", text, "Tents")], encode, encoder_id="e")
    assert len(ask(index, encode, "tent warranty")) == 1


def test_a_rare_code_is_found_by_letter(article: Make) -> None:
    encode = Counting()
    texts = {f"pump{n}": f"Pump model XK-{n} needs oil monthly. Replace its filter in spring." for n in range(100, 160)}
    index = KnowledgeIndex.build([article(*item, "Pump") for item in texts.items()], encode, encoder_id="e")
    assert ask(index, encode, "oil for the XK-137", k=1)[0].article == "pump137"


def test_a_subject_named_earlier_decides_between_alike_questions() -> None:
    encode = Counting()
    articles = [
        Article(f"{name}{n}", f"{name}: {question}", f"Yes, {name} does.")
        for name in ("Hotel Sunrise", "Grant Hotel", "Swan Depot")
        for n, question in enumerate(("Can I park my bike?", "Do you take cards?"))
    ]
    index = KnowledgeIndex.build(articles, encode, encoder_id="e")
    said = ("I look for a hotel", "How about the hotel sunrise?", "great, what is the address", "1 Main Street")
    assert ask(index, encode, "and do they take cards", *said, k=1)[0].title == "Hotel Sunrise: Do you take cards?"


def test_other_wordings_of_a_question_lead_to_its_answer(encode: Counting) -> None:
    articles = [
        Article("pay", "How can I pay?", "With a card.", questions=("is klarna accepted here",)),
        Article("ship", "Where do you ship?", "To France."),
        Article("open", "When are you open?", "Always."),
    ]
    index = KnowledgeIndex.build(articles, encode, encoder_id="e")
    assert ask(index, encode, "klarna accepted?", k=1)[0].article == "pay"
