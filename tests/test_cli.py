"""The command line as a user meets it: exit codes, one-line errors, and nothing heavy loaded to show a help text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import main
from tests.cli_page import page

ROOT = Path(__file__).parents[1]


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of `deskhand ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["deskhand", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_page_of_commands_is_what_the_command_line_says() -> None:
    assert page() == (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), "docs/cli.md is old; run 'make docs'"


def test_a_help_text_loads_no_model_library() -> None:
    heavy = "torch onnxruntime faiss sentence_transformers transformers sklearn scipy spacy presidio_analyzer"
    code = f"import sys\nimport bot.cli\nprint(','.join(name for name in '{heavy}'.split() if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--help"], 0, ""),
        (["no-such-command"], 2, "no-such-command"),
        (["knowledge", "search"], 2, "Usage: deskhand knowledge search"),
        (["knowledge", "search", "hello", "-k", "0"], 2, "-k"),
        (["knowledge", "search", "hello", "--data", "{tmp}"], 2, "deskhand train"),
        (["knowledge", "sync", "--data", "{tmp}"], 2, "deskhand train"),
        (["knowledge", "list", "{tmp}/nowhere"], 2, "create it"),
        (["bundles", "show", "20260101T000000-00000000", "--data", "{tmp}"], 2, "20260101T000000-00000000"),
        (["transcripts", "import", "{tmp}/nowhere.csv", "--data", "{tmp}"], 2, "nowhere.csv"),
    ],
)
def test_bad_usage_and_bad_input_end_with_code_2_and_say_why(
    arguments: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run(*[part.format(tmp=tmp_path) for part in arguments], monkeypatch=monkeypatch) == code
    output = capfd.readouterr()
    assert "Traceback" not in output.err
    assert says in output.err


def test_work_that_fails_ends_with_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundles" / "20260101T000000-00000000"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text("{")
    assert run("bundles", "show", bundle.name, "--json", "--data", str(tmp_path), monkeypatch=monkeypatch) == 1
    error = capfd.readouterr().err
    assert error.startswith("error: ")
    assert "not JSON" in error


def test_the_demo_articles_are_listed_as_json_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = ROOT / "config" / "demo" / "knowledge"
    assert run("knowledge", "list", str(folder), "--json", monkeypatch=monkeypatch) == 0
    rows = json.loads(capfd.readouterr().out)
    assert len(rows) == len(list(folder.rglob("*.md")))
    assert all(row["title"] and row["passages"] for row in rows)


def test_the_script_is_installed_and_runs_outside_the_repository(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("deskhand")
    environment = {**os.environ, "DESKHAND_DATA_DIR": str(tmp_path)}
    command = [script, "knowledge", "list", "nowhere"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: knowledge folder nowhere is not there; create it with one file an article\n"
