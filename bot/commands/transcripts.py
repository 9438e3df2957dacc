"""`deskhand transcripts`: import, list, show, export. What it prints is what is stored: redacted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bot.commands.tables import print_table
from bot.settings import Settings
from bot.transcript import Transcript, TranscriptFolder, encode, write
from retrieval.errors import BadInput, NotFound

if TYPE_CHECKING:
    from training.importers import Report

app = typer.Typer(help="The conversations that the bot learns from.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory; default: DESKHAND_DATA_DIR or ./data.")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Configuration directory (DESKHAND_CONFIG_DIR).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="transcript/1 JSONL, CSV or TSV, Rasa tracker dumps.")],
    format: Annotated[str, typer.Option(help="auto, jsonl, table or rasa.")] = "auto",
    column: Annotated[
        list[str] | None,
        typer.Option(help="ROLE=COLUMN of a table, e.g. conversation=thread_id,by=author,text=body; at=- for no time."),
    ] = None,
    agent: Annotated[list[str] | None, typer.Option(help="A value of the author column that is an agent.")] = None,
    source: Annotated[str, typer.Option(help="Where they come from; default: the file's name. Keep it the same.")] = "",
    region: Annotated[
        str | None,
        typer.Option(help="Country (ISO 3166) whose phone numbers come without a country code; default: deskhand.yml."),
    ] = None,
    public_after: Annotated[
        int, typer.Option(min=0, help="Contact values that the desk gave to so many customers stay; 0: mask all.")
    ] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, redact and report; write nothing.")] = False,
    as_json: AsJson = False,
    data: Data = None,
    config: ConfigDir = None,
) -> None:
    """Read conversations, mask personal data, store them. The same file twice changes nothing."""
    from bot.config import load_config
    from bot.masking import redactor_of
    from training.importers import Options, import_files

    settings = Settings.build(data_dir=data, config_dir=config)
    folder = TranscriptFolder(settings.transcripts)
    options = Options(_columns(column or ()), tuple(agent or ()), source, public_after)
    redaction = load_config(settings.config_dir).redaction
    if region:
        redaction = redaction.model_copy(update={"region": region})
    redactor = redactor_of(redaction, settings, keep=not dry_run)
    with _bar(quiet=as_json) as bar:
        tasks = {path.name: bar.add_task(path.name, total=None) for path in files}
        reports = import_files(
            files,
            format,
            options,
            folder,
            settings.quarantine,
            redactor,
            lambda name, done, total: bar.update(tasks[name], completed=done, total=total),
            dry_run=dry_run,
        )
    if as_json:
        typer.echo(json.dumps([_facts(report) for report in reports], ensure_ascii=False))
        return
    for report in reports:
        _tell(report, dry_run=dry_run)


def _columns(given: Sequence[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for value in given for pair in value.split(",")]
    for role, equals, name in pairs:
        if not (role.strip() and equals and name.strip()):
            raise BadInput(f"--column {role}{equals}{name}: write ROLE=COLUMN, for example by=author")
    return {role.strip(): name.strip() for role, _, name in pairs}


def _bar(*, quiet: bool) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=quiet or not console.is_terminal)


def _facts(report: Report) -> dict[str, object]:
    layout = report.layout
    return {
        "file": report.path.name,
        "format": report.format,
        "read": report.read,
        "new": report.new,
        "unchanged": report.unchanged,
        "repeated": report.repeated,
        "one_sided": report.one_sided,
        "public": report.public,
        "rejected": len(report.rejected),
        "quarantine": str(report.quarantine) if report.quarantine else None,
        "columns": dict(layout.columns) if layout else None,
        "authors": dict(Counter(layout.speakers.values())) if layout else None,
    }


def _tell(report: Report, *, dry_run: bool) -> None:
    typer.echo(f"{report.path.name} ({report.format}): {report.read} conversations, ", nl=False)
    typer.echo(f"{report.new} {'would be ' if dry_run else ''}new, {report.unchanged} already there")
    if layout := report.layout:
        names = ", ".join(f"{role}={name}" for role, name in layout.columns.items())
        kind = {"\t": "tab"}.get(layout.delimiter, repr(layout.delimiter))
        typer.echo(f"  read as {layout.encoding}, separated by {kind}: {names}")
        typer.echo(f"  authors: {', '.join(f'{n} {by}' for by, n in Counter(layout.speakers.values()).items())}")
    if report.public:
        typer.echo(f"  contact values of the desk, not masked: {', '.join(report.public)}")
    if report.repeated:
        typer.echo(f"  {report.repeated} came up more than once in the file")
    if report.one_sided:
        typer.echo(f"  warning: {report.one_sided} have one side only; nothing can be learned from them")
    if report.rejected:
        first = report.rejected[0]
        typer.echo(f"  {len(report.rejected)} rows refused, the first in line {first.line}: {first.reason}")
        typer.echo(f"  they are in {report.quarantine}" if report.quarantine else "  (dry run: no quarantine file)")
    if dry_run and report.sample:
        _print(report.sample)


@app.command("list")
def list_(as_json: AsJson = False, data: Data = None) -> None:
    """Count the stored conversations by source, language and week."""
    folder = TranscriptFolder(Settings.build(data_dir=data).transcripts)
    sources, languages, weeks = Counter[str](), Counter[str](), Counter[str]()
    conversations = turns = 0
    for transcript in folder.read():
        conversations += 1
        turns += len(transcript.turns)
        sources[transcript.source or "?"] += 1
        languages[transcript.language or "?"] += 1
        weeks[_week(transcript)] += 1
    counts = {"source": dict(sources.most_common()), "language": dict(languages.most_common()), "week": dict(weeks)}
    if as_json:
        typer.echo(json.dumps({"conversations": conversations, "turns": turns, **counts}, ensure_ascii=False))
        return
    typer.echo(f"{conversations} conversations, {turns} turns in {folder.root}")
    for title, found in counts.items():
        if found:
            table = Table(title, "conversations")
            for name, count in found.items():
                table.add_row(name, str(count))
            print_table(table)


def _week(transcript: Transcript) -> str:
    if not transcript.started_at:
        return "?"
    year, week, _ = date.fromisoformat(transcript.started_at[:10]).isocalendar()
    return f"{year}-W{week:02}"


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Print one conversation."""
    folder = TranscriptFolder(Settings.build(data_dir=data).transcripts)
    found = [transcript for transcript in folder.read() if transcript.id.startswith(id)]
    exact = [transcript for transcript in found if transcript.id == id] or found
    if not exact:
        raise NotFound(f"no transcript {id!r} in {folder.root}; `deskhand transcripts export -` prints all of them")
    if len(exact) > 1:
        raise BadInput(
            f"{len(exact)} transcripts begin with {id!r}, such as {exact[0].id} and {exact[1].id}; write more of it"
        )
    if as_json:
        typer.echo(json.dumps(encode(exact[0]), ensure_ascii=False))
    else:
        _print(exact[0])


def _print(transcript: Transcript) -> None:
    typer.echo(
        f"{transcript.id}  {transcript.started_at or 'no time'}  {transcript.language or '?'}  {transcript.source}"
    )
    for turn in transcript.turns:
        typer.echo(f"  {turn.by:>8}: {turn.text}")


@app.command()
def export(
    to: Annotated[Path, typer.Argument(help="A file, or - for the terminal.")],
    source: Annotated[str, typer.Option(help="Only those of this source.")] = "",
    data: Data = None,
) -> None:
    """Write the stored conversations as one transcript/1 JSONL file, by time."""
    folder = TranscriptFolder(Settings.build(data_dir=data).transcripts)
    chosen = [transcript for transcript in folder.read() if source in ("", transcript.source)]
    if to == Path("-"):
        for transcript in chosen:
            typer.echo(json.dumps(encode(transcript), ensure_ascii=False))
        return
    typer.echo(f"{write(to, chosen)} conversations written to {to}")
