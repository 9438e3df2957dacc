from __future__ import annotations

import bm25s
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrieval.lexical import K1, B, Postings, bm25, bm25_of
from retrieval.words import stems

DOCUMENTS = st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=12), min_size=1, max_size=12)


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS, st.sets(st.sampled_from("abcdefghij"), min_size=1, max_size=4), st.integers(0, 12))
@example([[], [], ["a"], ["a", "a"]], {"a"}, 0)  # less than a word a document
def test_scores_are_those_of_bm25s_however_the_documents_are_cut(
    documents: list[list[str]], asked: set[str], at: int
) -> None:
    cut = at % (len(documents) + 1)
    parts = [Postings.build(part) for part in (documents[:cut], documents[cut:])]
    ours = np.concatenate(bm25(parts, dict.fromkeys(asked, 1.0)))
    peer = bm25s.BM25(k1=K1, b=B, method="lucene")
    if not any(documents):
        assert not ours.any()
        return
    peer.index([list(document) for document in documents], show_progress=False)
    theirs = peer.get_scores(sorted(asked))
    if theirs.max() > 0:
        np.testing.assert_allclose(ours / ours.max(), theirs / theirs.max(), atol=1e-4)
    for document, score in zip(documents, ours.tolist(), strict=True):
        assert bm25_of(parts, dict.fromkeys(asked, 1.0), document) == pytest.approx(score, abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(DOCUMENTS, st.data())
def test_joined_postings_are_those_of_the_joined_documents(documents: list[list[str]], data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(-1, 3), min_size=len(documents), max_size=len(documents)))
    joined = Postings.joined([Postings.build(documents)], [np.array(numbers, np.int64)], 4)
    together = [[w for d, n in zip(documents, numbers, strict=True) if n == new for w in d] for new in range(4)]
    expected = Postings.build(together)
    for name, array in expected.arrays().items():
        np.testing.assert_array_equal(joined.arrays()[name], array, err_msg=name)


def test_words_are_stemmed_and_codes_kept_whole() -> None:
    assert stems("Shipping ships to the shipped") == ["ship", "ship", "ship"]
    assert stems("my order FW-104233s") == ["order", "fw", "104233s"]
    assert stems("退货政策") == ["退货", "货政", "政策"]
