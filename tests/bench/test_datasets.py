"""The converters, on lines in the shape of the sources and, where the shared folder is there, on the real sets."""

from __future__ import annotations

import gzip
import json

import pytest

from bench import datasets
from bot.transcript import decode
from retrieval.errors import BadInput, NotFound

SHARED = datasets.shared_folder()
needs_shared = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared data sets are not on this machine")


def put(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def star_row(n):
    said = [
        {"t": 1000 + n, "speaker": "customer", "text": "Hello!"},
        {"t": 1001 + n, "speaker": "api_call", "api": "bank", "args": {}},
        {"t": 1002 + n, "speaker": "event", "item": "x"},
        {"t": 1003 + n, "speaker": "agent", "text": "How can I help?", "action": "hello"},
        {"t": 1004 + n, "speaker": "agent", "text": "One moment", "free": True},
    ]
    return {"id": f"star-{n}", "turns": said}


def test_star_keeps_what_was_said_with_its_times_and_actions_and_tests_on_the_latest_tenth(tmp_path):
    dialogues = [star_row(n) for n in range(30, 0, -1)]
    put(tmp_path / "data/star/dialogues.jsonl.gz", [*dialogues, {"id": "star-99", "turns": []}])
    counts = datasets.convert("star", tmp_path / "out", shared=tmp_path)
    assert counts == {"train": 27, "test": 3}
    test = [decode(json.loads(line)) for line in (tmp_path / "out/test.jsonl").read_text().splitlines()]
    assert [t.id for t in test] == ["star-28", "star-29", "star-30"]
    assert [(t.by, t.action, t.at) for t in test[0].turns] == [
        ("customer", None, 1028.0), ("agent", "hello", 1031.0), ("agent", None, 1032.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "agent", "plain"),
    [
        ("__cust__  Wow, we love to hear! 😊 *HKC", True, "Wow, we love to hear! 😊"),
        ("__cust__ @116373 Hi Jamie! Happy travels. ^Teresa", True, "Hi Jamie! Happy travels."),
        (".  __company__  on the way to Wisconsin", False, "on the way to Wisconsin"),
        ("Thanks to the  __company__  gate agent at @116373 for being kind &amp; quick", False,
         "Thanks to the airline gate agent at for being kind & quick"),
        ("__cust__   __company__  Classic  __company__", False, "Classic"),
        ("__company__ was told by (1/2)", False, "was told by"),
        ("__company__ it costs 50 USD *ABC", False, "it costs 50 USD *ABC"),
        ("__company__ ", False, ""),
    ],
)  # fmt: skip
def test_a_tweet_reads_as_plain_chat(raw, agent, plain):
    assert datasets.unmask(raw, agent=agent) == plain


def test_where_a_conversation_goes_does_not_depend_on_the_others(tmp_path):
    made = [datasets._star_conversation(star_row(n)) for n in range(400)]
    whole, half = datasets.split_by_hash(made), datasets.split_by_hash(made[::2])
    held_out = {row["id"] for row in whole["test"]}
    assert 20 < len(held_out) < 65
    assert {row["id"] for row in half["test"]} == held_out & {c.id for c in made[::2]}


def test_an_unknown_set_names_the_nearest_and_a_missing_folder_the_option(tmp_path, capsys):
    with pytest.raises(BadInput, match="did you mean banking77"):
        datasets.convert("bankin77", tmp_path, shared=tmp_path)
    with pytest.raises(NotFound, match="--shared"):
        datasets.convert("star", tmp_path, shared=tmp_path)
    assert datasets.main(["star", str(tmp_path), "--shared", str(tmp_path / "no")]) == 2
    assert "is not there" in capsys.readouterr().err


@needs_shared
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("banking77", {"train": 8598, "test": 1374}),
        ("banking77-few5", {"train": 386, "test": 1374}),
        ("clinc150", {"train": 14973, "test": 3094}),
        ("hint3-curekart", {"train": 586, "test": 945}),
        ("dstc11-banking", {"turns": 1502, "test": 382}),
        ("stackfaq", {"documents": 67, "questions": 670}),
        ("dstc10-faq", {"documents": 12039, "questions": 58}),
        ("doc2dial", {"documents": 128, "questions": 2062}),
        ("star", {"train": 4091, "test": 455}),
    ],
)
def test_real_sets_convert_whole(name, expected, tmp_path):
    assert datasets.convert(name, tmp_path, shared=SHARED) == expected


@needs_shared
def test_out_of_scope_is_only_in_the_test_part_and_every_gold_document_is_there(tmp_path):
    files = datasets.SETS["clinc150"](SHARED / "data")
    assert all(row["intent"] for row in files["train"])
    assert sum(row["intent"] is None for row in files["test"]) == 100
    faq = datasets.SETS["dstc10-faq"](SHARED / "data")
    assert {g for row in faq["questions"] for g in row["gold"]} <= {row["id"] for row in faq["documents"]}
