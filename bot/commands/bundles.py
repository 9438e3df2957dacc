"""`deskhand bundles`: what was trained, what is in service, and how one follows the other."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Column, Table

from bot.commands.progress import bar
from bot.commands.tables import print_table
from bot.settings import Settings
from bot.transcript import Transcript, TranscriptFolder, read
from retrieval.bundle import Bundles
from retrieval.errors import BadBundle, BadInput, Conflict, NotFound

if TYPE_CHECKING:
    from training.diff import Change
    from training.gate import Verdict

app = typer.Typer(help="Trained bundles: list, show, promote, roll back, compare.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Configuration directory (DESKHAND_CONFIG_DIR).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """All bundles, oldest first."""
    bundles = Bundles(Settings.build(data_dir=data).bundles)
    rows = [_facts(bundles, id) for id in bundles.ids()]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        console.print("No bundle yet: run `deskhand train`.")
        return
    table = Table(Column("bundle", no_wrap=True), "right first", "coverage", "wrong", "answers", "", box=None)
    for row in rows:
        shares = (_percent(row[key]) for key in ("answer_recall_at_1", "coverage", "wrong_answer_rate"))
        answers = "-" if row["answers"] is None else str(row["answers"])
        notes = ["in service"] * row["current"] + [row["problem"]] * bool(row["problem"])
        table.add_row(row["bundle"], *shares, answers, "; ".join(notes))
    print_table(table)


def _facts(bundles: Bundles, id: str) -> dict[str, Any]:
    keys = ("answer_recall_at_1", "coverage", "wrong_answer_rate", "n")
    facts: dict[str, Any] = {"bundle": id, "current": id == bundles.current()}
    try:
        manifest = bundles.manifest(id)
    except BadBundle as error:
        problem = str(error).removeprefix(f"bundle {id}: ")
        return {**facts, "created": None, "answers": None, **dict.fromkeys(keys), "problem": problem}
    replay: dict[str, Any] = manifest.scores.get("replay", {})
    answers = manifest.rows.get("answers", 0)
    return {
        **facts, "created": manifest.created, "answers": answers, **{key: replay.get(key) for key in keys},
        "problem": None,
    }  # fmt: skip


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


@app.command()
def show(
    id: Annotated[str | None, typer.Argument(help="Bundle; default: the one in service.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """The report of a bundle in plain words; with --json its manifest."""
    bundles = Bundles(Settings.build(data_dir=data).bundles)
    id = id or _in_service(bundles)
    if as_json:
        typer.echo(json.dumps(asdict(bundles.manifest(id)), ensure_ascii=False))
        return
    path = bundles.path(id) / "report.md"
    text = path.read_text("utf-8") if path.is_file() else f"Bundle {id} has no report."
    if console.is_terminal:
        console.print(Markdown(text), soft_wrap=False)
    else:
        typer.echo(_unescaped(text))


def _unescaped(markdown: str) -> str:
    """What stands in the cells of `training.report`, for eyes and not for a Markdown reader."""
    return re.sub(r"\\([\\|`])", r"\1", markdown).replace("&lt;", "<")


@app.command()
def promote(
    id: Annotated[str, typer.Argument(help="The bundle to put into service.")],
    force: Annotated[bool, typer.Option("--force", help="Pass the gate over; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why the gate is passed over; it is kept in the record.")] = "",
    data: Data = None,
    config: ConfigDir = None,
) -> None:
    """Ask the gate, and put the bundle into service when it passes."""
    from training.promote import promote

    settings = Settings.build(data_dir=data, config_dir=config)
    bundles = Bundles(settings.bundles)
    bundles.path(id)
    if force:
        promote(bundles, id, None, forced_because=reason)
        console.print(f"{id} is in service; the gate was passed over: {reason}")
        return
    if reason:
        raise BadInput("--reason is only for --force")
    verdict = _judge(settings, bundles, id)
    for sentence in verdict.reasons:
        console.print(f"- {sentence}", markup=False)
    if not verdict.promote:
        raise Conflict(f"bundle {id} is not promoted; see the reasons above, or use --force with --reason")
    promote(bundles, id, verdict)
    console.print(f"{id} is in service.")


def _judge(settings: Settings, bundles: Bundles, id: str) -> Verdict:
    from bot.config import load_config as operators
    from training.config import load_config as recipe
    from training.promote import held_out, judge, judge_examples

    if verdict := judge_examples(bundles, id):
        return verdict
    training = recipe(settings.config_dir / "training.yml")
    transcripts = list(TranscriptFolder(settings.transcripts).read())
    compared = [known for known in (id, bundles.current()) if known]
    test = held_out(bundles, compared, transcripts, share=training.test_share)
    with bar() as report:
        _, verdict = judge(
            bundles,
            id,
            test,
            training=transcripts,
            error_budget=operators(settings.config_dir).error_budget,
            config=training.gate,
            progress=lambda done, total: report("replay", done, total, "replaying held-out conversations"),
        )
    return verdict


@app.command()
def rollback(data: Data = None) -> None:
    """Put the bundle back that was in service before."""
    bundles = Bundles(Settings.build(data_dir=data).bundles)
    console.print(f"{bundles.rollback()} is in service again.")


@app.command()
def diff(
    a: Annotated[str, typer.Argument(help="The bundle before.")],
    b: Annotated[str, typer.Argument(help="The bundle after.")],
    transcripts: Annotated[
        Path | None, typer.Option(help="transcript/1 JSONL; default: the transcripts of the data directory.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Look at the latest this many requests.")] = 2000,
    shown: Annotated[int, typer.Option("--show", min=1, help="Print at most this many changes.")] = 40,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Logged requests whose answer would change from A to B, with both answers."""
    from retrieval.engine import Engine
    from training.diff import differences, latest_requests

    settings = Settings.build(data_dir=data)
    bundles = Bundles(settings.bundles)
    before, after = (Engine.load(bundles.path(id)) for id in (a, b))
    requests = latest_requests(_transcripts(settings, transcripts), limit)
    with bar() as report:
        changes, n = differences(
            before, after, requests, progress=lambda done, total: report("diff", done, total, "asking both")
        )
    if as_json:
        rows = [{**asdict(change), "kind": change.kind} for change in changes]
        typer.echo(json.dumps({"a": a, "b": b, "n": n, "changed": len(rows), "changes": rows}, ensure_ascii=False))
        return
    console.print(f"{len(changes)} of {n} logged requests would be dealt with differently.")
    for change in changes[:shown]:
        _tell(change)
    if len(changes) > shown:
        console.print(f"... and {len(changes) - shown} more; --show {len(changes)} prints all")


def _tell(change: Change) -> None:
    console.print(f"\n{change.kind}: {change.text}", markup=False)
    console.print(f"  before ({change.p_before:.2f}): {change.before or 'handed to a person'}", markup=False)
    console.print(f"  after  ({change.p_after:.2f}): {change.after or 'handed to a person'}", markup=False)


def _transcripts(settings: Settings, path: Path | None) -> list[Transcript]:
    found = list(read(path) if path else TranscriptFolder(settings.transcripts).read())
    if not found:
        raise BadInput(f"{path or settings.transcripts} holds no conversation; import some, or give --transcripts FILE")
    return found


def _in_service(bundles: Bundles) -> str:
    current = bundles.current()
    if current is None:
        raise NotFound(f"no bundle is in service in {bundles.root}; name one: {', '.join(bundles.ids()) or 'none yet'}")
    return current
