"""Files of anybody: what is read, and what the error says of what cannot be."""

from __future__ import annotations

import json

import pytest

from retrieval.errors import BadInput
from training import rows


def put(tmp_path, *lines, name="rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def test_an_intent_that_is_null_or_absent_is_out_of_scope_and_other_keys_do_not_matter(tmp_path):
    known = {"text": "a", "intent": "x", "id": 7, "split": "s"}
    path = put(tmp_path, known, "", {"text": "b", "intent": None}, {"text": "c"})
    assert rows.read_intents(path) == [("a", "x"), ("b", None), ("c", None)]


def test_a_byte_order_mark_and_line_separators_inside_a_text_do_no_harm(tmp_path):
    path = tmp_path / "bom.jsonl"
    path.write_bytes('\ufeff{"text": "a\u2028b", "intent": "x"}\r\n'.encode())
    assert rows.read_intents(path) == [("a\u2028b", "x")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; give JSON lines"),
        (b"\n \n", "is empty; give JSON lines"),
        ('{"text": "caf\u00e9"}\n'.encode("cp1252"), "not UTF-8 text .byte 13.; save it as UTF-8"),
        (b'{"text": "a"}\n{"text": \n', "line 2: not JSON"),
        (b"text,intent\na,b\n", "line 1: not JSON"),
        (b"[1]\n", "line 1: list instead of an object"),
        (b'{"utterance": "a", "label": "b"}\n', "line 1: no 'text', only label, utterance; rename"),
        (b'{"text": "  "}\n', "line 1: text is '  '; it must be a text that is not empty"),
        (b'{"text": 3}\n', "line 1: text is 3"),
        (b'{"text": "a", "intent": ["x"]}\n', "intent is .'x'.; it must be a text or null"),
        (b"[" * 100_000, "line 1: not JSON"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_what_to_do(tmp_path, content, says):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=says):
        rows.read_intents(path)


def test_a_missing_file_or_a_directory_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        rows.read_intents(tmp_path / "no.jsonl")
    with pytest.raises(BadInput, match="is a directory"):
        rows.read_intents(tmp_path)


def test_one_intent_only_none_at_all_or_one_text_cannot_be_trained(tmp_path):
    with pytest.raises(BadInput, match="every row has the intent 'x'"):
        rows.check_trainable([("a", "x"), ("b", "x")], tmp_path)
    with pytest.raises(BadInput, match="no row has an intent"):
        rows.check_trainable([("a", None)], tmp_path)
    with pytest.raises(BadInput, match="all rows have the same text 'a'"):
        rows.check_trainable([("a", "x"), ("a", "y")], tmp_path)
    rows.check_trainable([("a", "x"), ("b", "y")], tmp_path)


def test_shots_are_drawn_by_the_seed_with_at_most_that_many_of_each_intent():
    given = [(f"t{i}", f"i{i % 3}") for i in range(30)] + [("oos", None), ("rare", "r")]
    drawn = rows.draw_shots(given, 4, seed=1)
    assert drawn == rows.draw_shots(given, 4, seed=1)
    assert drawn != rows.draw_shots(given, 4, seed=2)
    counts = {intent: sum(i == intent for _, i in drawn) for _, intent in drawn}
    assert counts == {"i0": 4, "i1": 4, "i2": 4, "r": 1}
    assert set(drawn) <= set(given)


def test_turns_get_their_line_as_id(tmp_path):
    path = put(tmp_path, {"text": "a"}, {"text": "b", "id": "own", "dialogue": "d", "intent": "x"})
    assert rows.read_turns(path) == [rows.TurnRow("a", "1", None, None), rows.TurnRow("b", "own", "d", "x")]


def test_documents_and_questions_must_fit_together(tmp_path):
    documents = rows.read_documents(put(tmp_path, {"id": "d", "title": "T", "text": "x"}, name="d.jsonl"))
    asked = {"id": "q", "text": "?", "context": ["c"], "gold": ["d"]}
    questions = rows.read_questions(put(tmp_path, asked, name="q.jsonl"))
    assert questions == [rows.Question("q", "?", ("c",), frozenset({"d"}))]
    rows.check_gold(questions, documents, tmp_path)
    stray = [rows.Question("q", "?", (), frozenset({"nowhere"}))]
    with pytest.raises(BadInput, match="names the document 'nowhere'"):
        rows.check_gold(stray, documents, tmp_path)
    with pytest.raises(BadInput, match="gold is empty"):
        rows.read_questions(put(tmp_path, {"id": "q", "text": "?"}))
    with pytest.raises(BadInput, match="'d' stands there twice"):
        rows.read_documents(put(tmp_path, {"id": "d", "text": "x"}, {"id": "d", "text": "y"}))
