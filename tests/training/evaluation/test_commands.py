"""`deskhand evaluate` and `deskhand bundles` on bundles that were really trained, and on files that cannot be used."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import yaml
from typer.testing import CliRunner

from bot.commands import bundles as bundles_command
from bot.commands import evaluate as evaluate_command
from bot.transcript import TranscriptFolder, write
from retrieval.bundle import Bundles
from retrieval.errors import BadInput, Conflict, NotFound
from training.promote import held_out, promotions
from training.split import by_time

from .conftest import TOPICS

REPLAY = {"answer_recall_at_1", "answer_recall_at_5", "mrr", "coverage", "wrong_answer_rate", "handoff_rate"}
INDUCTION = {"acc", "nmi", "ari", "precision", "recall", "f1", "k", "seconds"}
KNOWLEDGE = {"recall_at_1", "recall_at_5", "mrr_at_10", "p50_ms", "n"}
INTENTS = {
    "accuracy", "in_scope_accuracy", "oos_recall", "oos_auroc", "oos_recall_at_95_in_scope", "best_accuracy",
    "coverage_at_2pct_error", "coverage_at_5pct_error", "train_seconds", "encode_p50_ms", "n_train", "n_test",
}  # fmt: skip


def run(app, *args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def printed(app, *args):
    """The standard output as JSON: nothing else may stand there."""
    result = run(app, *args)
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def refused(app, *args):
    return run(app, *args).exception


@pytest.fixture(scope="module")
def config(recipe, tmp_path_factory):
    """A configuration folder whose recipe uses the tiny encoder."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "training.yml").write_text(yaml.safe_dump(recipe.model_dump()))
    return folder


@pytest.fixture
def data(bundles, talks, tmp_path):
    """A data directory of its own with both bundles, the older one in service, and all talks."""
    shutil.copytree(bundles.root, tmp_path / "data/bundles")
    TranscriptFolder(tmp_path / "data/transcripts").add(talks, "talks")
    Bundles(tmp_path / "data/bundles").promote(bundles.ids()[0])
    return tmp_path / "data"


@pytest.fixture
def rows(tmp_path):
    def put(*found):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
        return path

    return put


def labelled():
    asked = [(text, topic) for topic, (texts, _) in TOPICS.items() for text in texts]
    return [{"text": f"{text} {n}", "intent": topic} for text, topic in asked for n in "abc"]


def test_replay_of_files_trains_and_prints_the_contract_and_the_same_twice(config, talks, tmp_path):
    split = by_time(talks, test_share=0.1)
    write(tmp_path / "past.jsonl", split.train)
    write(tmp_path / "later.jsonl", split.test)
    files = ("--train", tmp_path / "past.jsonl", "--test", tmp_path / "later.jsonl")
    args = ("replay", *files, "--json", "--config", config)
    found = printed(evaluate_command.app, *args, "--report", tmp_path / "report.md")
    assert set(found) >= REPLAY
    assert (found["n_train"], found["n_test"], found["scored_by"]) == (135, 15, "action")
    assert (tmp_path / "report.md").read_text().startswith("# What bundle")
    assert printed(evaluate_command.app, *args) == found


def test_replay_without_files_takes_what_the_bundle_in_service_never_saw(data, config, talks):
    found = printed(evaluate_command.app, "replay", "--json", "--data", data, "--config", config)
    assert found["n_test"] == 15
    bundles = Bundles(data / "bundles")
    seen_all = held_out(bundles, bundles.ids(), talks, share=0.9)
    asked = (bundles.path(bundles.ids()[1]) / "questions.jsonl").read_text().splitlines()
    learned = {json.loads(line)["conversation"] for line in asked}
    assert seen_all
    assert not {t.id for t in seen_all} & learned


def test_intents_print_the_contract(config, rows):
    test = rows(*labelled(), {"text": "zebra 7 quantum"})
    found = printed(
        evaluate_command.app, "intents", "--train", rows(*labelled()), "--test", test, "--shots", 6, "--seed", 3,
        "--json", "--config", config,
    )  # fmt: skip
    assert set(found) >= INTENTS
    assert (found["n_train"], found["n_test"]) == (36, 73)


def test_messages_without_an_intent_may_be_given_and_the_bundle_says_what_they_won(config, rows):
    loose = rows(*({"text": f"{row['text']} please"} for row in labelled()), {"text": "zebra 7 quantum"})
    found = printed(
        evaluate_command.app, "intents", "--train", rows(*labelled()), "--test", rows(*labelled()), "--shots", 3,
        "--unlabelled", loose, "--json", "--config", config,
    )  # fmt: skip
    assert "73 messages without an intent" in found["why"]
    assert found["n_train"] == 18


def test_induction_writes_a_label_for_every_row_and_prints_the_contract(config, rows, tmp_path):
    turns = rows(*({"text": row["text"], "id": f"r{n}"} for n, row in enumerate(labelled())))
    out = tmp_path / "labels.jsonl"
    found = printed(evaluate_command.app, "induction", "--turns", turns, "--out", out, "--json", "--config", config)
    assert set(found) >= INDUCTION
    assert found["acc"] is None
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in written] == [f"r{n}" for n in range(len(labelled()))]
    assert len({row["label"] for row in written}) == found["k"]


def test_knowledge_prints_the_contract(config, rows):
    documents = rows(*({"id": name, "title": name, "text": " ".join(said)} for name, (_, said) in TOPICS.items()))
    questions = rows({"id": "q", "text": "delivery is free for large baskets", "gold": ["shipping_cost"]})
    files = ("--documents", documents, "--questions", questions)
    found = printed(evaluate_command.app, "knowledge", *files, "--json", "--config", config)
    assert set(found) == KNOWLEDGE
    assert found["recall_at_1"] == 1.0


def test_files_that_cannot_be_used_are_bad_input(config, rows, talks, tmp_path):
    empty = tmp_path / "empty"
    one_class = rows({"text": "a", "intent": "x"}, {"text": "b", "intent": "x"})
    same = rows({"text": "a", "intent": "x"}, {"text": "a", "intent": "y"})
    empty.write_text("")
    write(tmp_path / "three.jsonl", talks[:3])
    write(tmp_path / "later.jsonl", talks[140:])
    replay = ("replay", "--config", config, "--test", tmp_path / "later.jsonl", "--train")
    for args, says in [
        (("intents", "--train", empty, "--test", one_class), "is empty"),
        (("intents", "--train", one_class, "--test", one_class), "at least two intents"),
        (("intents", "--train", same, "--test", same), "all rows have the same text"),
        (("induction", "--turns", empty), "is empty"),
        (("induction", "--turns", rows({"text": "a"}, {"text": "a"}), "--config", config), "at least two"),
        ((*replay, tmp_path / "three.jsonl"), "at least"),
        ((*replay, tmp_path / "later.jsonl"), "in both files"),
        ((*replay, empty), "holds no conversation"),
        (("replay", "--train", empty), "needs --test"),
    ]:
        error = refused(evaluate_command.app, *args)
        assert isinstance(error, BadInput), (args, error)
        assert says in str(error)


def test_list_and_show_tell_what_there_is(data):
    listed = printed(bundles_command.app, "list", "--json", "--data", data)
    assert [row["current"] for row in listed] == [True, False]
    assert all(row["answers"] > 0 for row in listed)
    assert "in service" in run(bundles_command.app, "list", "--data", data).stdout
    assert run(bundles_command.app, "show", "--data", data).stdout.startswith("# What bundle")
    newest = listed[1]["bundle"]
    assert printed(bundles_command.app, "show", newest, "--json", "--data", data)["id"] == newest


def test_a_report_is_shown_without_the_escapes_of_its_tables(data, monkeypatch):
    bundles = Bundles(data / "bundles")
    report = bundles.path(bundles.current()) / "report.md"
    report.write_text("# R\n\n| a |\n| --- |\n| Hi &lt;NAME>, this \\| that |\n")
    assert "Hi <NAME>, this | that" in run(bundles_command.app, "show", "--data", data).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = run(bundles_command.app, "show", "--data", data).stdout
    assert "Hi <NAME>, this | that" in shown
    assert "---" not in shown, "a terminal gets tables, not their source"


def test_a_bundle_that_cannot_be_read_is_listed_with_the_reason(data):
    bundles = Bundles(data / "bundles")
    old, new = bundles.ids()
    manifest = bundles.path(new) / "manifest.json"
    manifest.write_text(json.dumps({k: v for k, v in json.loads(manifest.read_text()).items() if k != "seal"}))
    listed = printed(bundles_command.app, "list", "--json", "--data", data)
    assert [(row["bundle"], bool(row["problem"])) for row in listed] == [(old, False), (new, True)]
    line = next(line for line in run(bundles_command.app, "list", "--data", data).stdout.splitlines() if new in line)
    assert "earlier version" in line


def test_nothing_trained_yet_is_said(tmp_path):
    assert "No bundle yet" in run(bundles_command.app, "list", "--data", tmp_path).stdout
    for name in ("show", "rollback"):
        assert isinstance(refused(bundles_command.app, name, "--data", tmp_path), NotFound)
    assert isinstance(refused(evaluate_command.app, "replay", "--data", tmp_path), NotFound)


def test_the_gate_is_asked_its_reasons_are_shown_and_kept_and_rollback_goes_back(data, config):
    bundles = Bundles(data / "bundles")
    old, new = bundles.ids()
    result = run(bundles_command.app, "promote", new, "--data", data, "--config", config)
    kept = promotions(bundles)
    if result.exception is None:
        assert bundles.current() == new
        assert kept[-1]["gate"] is True
        assert all(reason[:40] in result.stdout.replace("\n", " ") for reason in kept[-1]["reasons"])
    else:
        assert isinstance(result.exception, Conflict)
        assert bundles.current() == old
        assert kept == []
    run(bundles_command.app, "promote", new, "--force", "--reason", "a test", "--data", data)
    assert (bundles.current(), promotions(bundles)[-1]["forced_because"]) == (new, "a test")
    assert old in run(bundles_command.app, "rollback", "--data", data).stdout
    assert bundles.current() == old


def test_passing_the_gate_over_needs_a_reason(data):
    bundles = Bundles(data / "bundles")
    new = bundles.ids()[1]
    assert "say why" in str(refused(bundles_command.app, "promote", new, "--force", "--data", data))
    assert "only for --force" in str(refused(bundles_command.app, "promote", new, "--reason", "x", "--data", data))
    assert bundles.current() == bundles.ids()[0]


def test_diff_shows_both_answers_of_requests_that_change(data, talks, tmp_path):
    old, new = Bundles(data / "bundles").ids()
    same = printed(bundles_command.app, "diff", new, new, "--json", "--data", data)
    assert (same["changed"], same["changes"]) == (0, [])
    found = printed(bundles_command.app, "diff", old, new, "--json", "--data", data)
    assert found["changed"] == len(found["changes"]) <= found["n"]
    assert all(change["before"] != change["after"] for change in found["changes"])
    write(tmp_path / "some.jsonl", [replace(t, id=f"x{t.id}") for t in talks[:6]])
    some = ("--transcripts", tmp_path / "some.jsonl")
    assert 0 < printed(bundles_command.app, "diff", old, new, *some, "--json", "--data", data)["n"] <= 6
