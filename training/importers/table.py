"""CSV and TSV, one message a row. What is not said by option is guessed, and `layout` shows what was guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.redaction import looks_like_name
from bot.transcript import By, Transcript, Turn, clean, iso
from retrieval.errors import BadInput
from training.importers.columns import columns_of, speakers
from training.importers.records import Record, delimiter_of, records
from training.importers.rows import MAX_CHARS, Options, Rejected, stable_id
from training.importers.text import encoding_of
from training.importers.times import Clock, clock, read_time

_SAMPLE = 500


@dataclass(frozen=True)
class Layout:
    """How a table is read. `columns`: role -> column name; `speakers`: author value -> customer, agent, bot, system."""

    encoding: str
    delimiter: str
    columns: Mapping[str, str]
    speakers: Mapping[str, By]
    indexes: Mapping[str, int]
    clock: Clock | None

    @property
    def agents(self) -> list[str]:
        """The people of the desk that the author column names."""
        return [author for author, by in self.speakers.items() if by == "agent" and looks_like_name(author)]


def layout(path: Path, options: Options) -> Layout:
    """Judge the whole file; BadInput when a column is missing or nobody is an agent, with the option that helps."""
    encoding = encoding_of(path)
    delimiter = delimiter_of(path, encoding)
    found = (record for record in records(path, encoding, delimiter) if isinstance(record, Record))
    header = next(found, None)
    sample = [record.fields for _, record in zip(range(_SAMPLE), found, strict=False)]
    if header is None or not sample:
        raise BadInput(f"{path} has a header but no row that can be read; export it again")
    names = [name.strip() for name in header.fields]
    indexes = columns_of(names, sample, options.columns)
    authors = _authors(
        (record.fields for record in records(path, encoding, delimiter) if isinstance(record, Record)), indexes
    )
    times = [fields[indexes["at"]] for fields in sample if fields[indexes["at"]].strip()] if "at" in indexes else []
    reader = clock(times)
    if times and reader is None:
        raise BadInput(
            f"column {names[indexes['at']]!r} holds no times (first {times[0]!r}); leave it out: --column at=-"
        )
    counts = Counter(author for _, author in authors)
    return Layout(
        encoding=encoding,
        delimiter=delimiter,
        columns={role: names[index] for role, index in indexes.items()},
        speakers=speakers(counts, len({conversation for conversation, _ in authors}), options.agents),
        indexes=indexes,
        clock=reader,
    )


def _authors(rows: Iterator[list[str]], indexes: Mapping[str, int]) -> dict[tuple[str, str], None]:
    """Each (conversation, author) pair of the table once, in its order; the header left out."""
    next(rows)
    pairs = ((row[indexes["conversation"]].strip(), row[indexes["by"]].strip()) for row in rows)
    return dict.fromkeys(pair for pair in pairs if pair[1])


def read(path: Path, options: Options, known: Layout | None = None) -> Iterator[Transcript | Rejected]:
    """Rejected rows as they come, then one transcript a conversation, in the order of first appearance."""
    plan = known or layout(path, options)
    conversations: dict[str, list[Record]] = {}
    header = True
    for record in records(path, plan.encoding, plan.delimiter):
        if isinstance(record, Rejected):
            yield record
        elif header:
            header = False
        elif reason := _wrong(record.fields, plan):
            yield Rejected(record.line, reason, plan.delimiter.join(record.fields))
        else:
            conversations.setdefault(record.fields[plan.indexes["conversation"]].strip(), []).append(record)
    for key, found in conversations.items():
        yield _transcript(key, [record.fields for record in found], plan, options.source_of(path))


def _wrong(fields: list[str], plan: Layout) -> str | None:
    text = fields[plan.indexes["text"]]
    if len(text) > MAX_CHARS:
        return f"the text has {len(text)} characters, more than {MAX_CHARS}: a file or a broken quote, no message"
    for role in ("conversation", "by", "text"):
        if not fields[plan.indexes[role]].strip():
            return f"column {plan.columns[role]!r} is empty; every row needs its {role}"
    try:
        _at(fields, plan)
    except BadInput as error:
        return str(error)
    return None


def _at(fields: list[str], plan: Layout) -> float | None:
    text = fields[plan.indexes["at"]].strip() if plan.clock and "at" in plan.indexes else ""
    return read_time(plan.clock, text) if plan.clock and text else None


def _transcript(key: str, rows: list[list[str]], plan: Layout, source: str) -> Transcript:
    turns = [_turn(row, plan) for row in rows]
    if all(turn.at is not None for turn in turns):
        turns.sort(key=lambda turn: turn.at or 0.0)
    times = [turn.at for turn in turns if turn.at is not None]
    return Transcript(
        id=stable_id(source, key),
        source=source,
        channel=_first(rows, "channel", plan) or "",
        language=_first(rows, "language", plan),
        started_at=iso(min(times)) if times else None,
        customer=_first(rows, "customer", plan) or _named_customer(rows, plan),
        turns=tuple(turns),
    )


def _turn(fields: list[str], plan: Layout) -> Turn:
    by = plan.speakers[fields[plan.indexes["by"]].strip()]
    return Turn(
        by=by,
        text=clean(fields[plan.indexes["text"]].strip()),
        at=_at(fields, plan),
        intent=_label(fields, "intent", plan) if by == "customer" else None,
        action=_label(fields, "action", plan) if by != "customer" else None,
    )


def _label(fields: list[str], role: str, plan: Layout) -> str | None:
    return fields[plan.indexes[role]].strip() or None if role in plan.indexes else None


def _first(rows: list[list[str]], role: str, plan: Layout) -> str | None:
    return next((value for row in rows if (value := _label(row, role, plan))), None)


def _named_customer(rows: list[list[str]], plan: Layout) -> str | None:
    """The author value of the customer, where it is a name and not the word "customer"."""
    authors = (row[plan.indexes["by"]].strip() for row in rows)
    return next((author for author in authors if plan.speakers[author] == "customer" and looks_like_name(author)), None)
