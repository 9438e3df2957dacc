"""One import: read, redact, store; what cannot be read goes to quarantine with its line and the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from bot.redaction import Redactor, redact
from bot.transcript import Added, Transcript, TranscriptFolder, replace_file, slug
from retrieval.errors import BadInput, Unavailable
from training.importers import jsonl, rasa, table
from training.importers.detect import FORMATS, detect
from training.importers.language import language_of
from training.importers.public import agent_names, first_names, public_values
from training.importers.rows import Options, Rejected

Progress = Callable[[str, int, int], None]
"""Called with (file name, conversations done, conversations in the file)."""

_RAW_CHARS = 10_000


@dataclass
class Report:
    """What became of a file. Counts are conversations: `unchanged` were in the folder already, `repeated` came up more
    than once in the file, `one_sided` have no customer or no desk. `rejected` are rows or lines; `public` are contact
    values of the desk that stay."""

    path: Path
    format: str
    read: int = 0
    new: int = 0
    unchanged: int = 0
    repeated: int = 0
    one_sided: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    public: list[str] = field(default_factory=list)
    quarantine: Path | None = None
    layout: table.Layout | None = None
    sample: Transcript | None = None


def import_files(
    paths: Sequence[Path],
    format: str,
    options: Options,
    folder: TranscriptFolder,
    quarantine: Path,
    redactor: Redactor,
    progress: Progress = lambda name, done, total: None,
    *,
    dry_run: bool = False,
) -> list[Report]:
    """Import each file whole or not at all; a report for each. `format`: auto, or one of FORMATS.

    The same file again adds nothing and leaves the folder byte for byte as it was. With `dry_run` nothing is written.
    BadInput when a file has nothing that can be read; Unavailable when the disk refuses.
    """
    if format != "auto" and format not in FORMATS:
        raise BadInput(f"--format {format}: unknown; known: auto, {', '.join(FORMATS)}")
    formats = [detect(path) if format == "auto" else format for path in paths]
    try:
        return [
            _import_file(Report(path, kind), options, folder, quarantine, redactor, progress, dry_run)
            for path, kind in zip(paths, formats, strict=True)
        ]
    except OSError as error:
        raise Unavailable(
            f"the import stopped: {error}. Nothing of that file was added; free the disk and repeat"
        ) from error


def _import_file(
    report: Report,
    options: Options,
    folder: TranscriptFolder,
    quarantine: Path,
    redactor: Redactor,
    progress: Progress,
    dry_run: bool,
) -> Report:
    transcripts = _unique(_items(report, options), report)
    report.one_sided = sum(_one_sided(transcript) for transcript in transcripts)
    report.public = public_values(transcripts, redactor, options.public_after)
    agents = [*options.agents, *(report.layout.agents if report.layout else ()), *agent_names(transcripts)]
    redactor = redactor.knowing(agents, [*folder.public(), *report.public], first_names(transcripts))
    if report.rejected and not dry_run:
        report.quarantine = _quarantine(report, quarantine, redactor)
    if not transcripts:
        raise _nothing(report)
    # Masked before the folder is locked: the archive of a running server must not wait for an import.
    clean = list(_redacted(report, transcripts, redactor, progress))
    added = _count(folder, clean) if dry_run else folder.add(clean, options.source_of(report.path))
    if not dry_run:
        folder.publish(report.public)
    report.new, report.unchanged = added.new, added.unchanged
    return report


def _items(report: Report, options: Options) -> Iterator[Transcript | Rejected]:
    if report.format == "table":
        report.layout = table.layout(report.path, options)
        return table.read(report.path, options, report.layout)
    return {"jsonl": jsonl.read, "rasa": rasa.read}[report.format](report.path, options)


def _unique(items: Iterable[Transcript | Rejected], report: Report) -> list[Transcript]:
    """The transcripts, each id once; rejections go to the report."""
    found: dict[str, Transcript] = {}
    for item in items:
        if isinstance(item, Rejected):
            report.rejected.append(item)
        else:
            report.read += 1
            found.setdefault(item.id, item)
    report.repeated = report.read - len(found)
    return list(found.values())


def _one_sided(transcript: Transcript) -> bool:
    sides = {"customer" if turn.by == "customer" else "desk" for turn in transcript.turns if turn.by != "system"}
    return len(sides) < 2


def _redacted(
    report: Report, transcripts: Sequence[Transcript], redactor: Redactor, progress: Progress
) -> Iterator[Transcript]:
    for done, transcript in enumerate(transcripts, 1):
        masked = redact(transcript, redactor)
        masked = masked if masked.language else replace(masked, language=language_of(masked))
        report.sample = report.sample or masked
        yield masked
        progress(report.path.name, done, len(transcripts))


def _count(folder: TranscriptFolder, transcripts: Iterable[Transcript]) -> Added:
    known, ids = folder.ids(), [transcript.id for transcript in transcripts]
    unchanged = sum(identifier in known for identifier in ids)
    return Added(len(ids) - unchanged, unchanged)


def _quarantine(report: Report, folder: Path, redactor: Redactor) -> Path:
    """One JSON line a rejection: file, line, reason, raw (masked, cut). The same input makes the same file."""
    rows = [
        json.dumps(_row(report.path, rejected, redactor), ensure_ascii=False) + "\n" for rejected in report.rejected
    ]
    name = f"{slug(report.path.stem)}-{hashlib.sha256(''.join(rows).encode()).hexdigest()[:12]}.jsonl"

    def fill(file: IO[str]) -> Path:
        file.writelines(rows)
        return folder / name

    replace_file(folder, fill)
    return folder / name


def _row(path: Path, rejected: Rejected, redactor: Redactor) -> dict[str, str | int]:
    raw = redactor.start().text(rejected.raw[:_RAW_CHARS].encode("utf-8", "replace").decode())
    reason = redactor.start().text(rejected.reason)
    return {"file": path.name, "line": rejected.line, "reason": reason, "raw": raw}


def _nothing(report: Report) -> BadInput:
    if not report.rejected:
        return BadInput(f"{report.path} has no conversation in it; export it again")
    first = report.rejected[0]
    where = f"; all of them are in {report.quarantine}" if report.quarantine else ""
    return BadInput(
        f"{report.path}: nothing could be read as {report.format}, {len(report.rejected)} refused. "
        f"Line {first.line}: {first.reason}{where}"
    )
