"""Reads the time column of a table: ISO-8601, epoch seconds or milliseconds, or one of the usual export formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bot.transcript import seconds
from retrieval.errors import BadInput

Clock = Callable[[str], float]
FORMATS = (
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%a %b %d %H:%M:%S %z %Y",
)
"""Tried in this order: 03/04/2026 is the 4th of March unless another row of the file says that the day comes first."""


def clock(samples: Sequence[str]) -> Clock | None:
    """The reader that understands most of the samples (at least nine in ten), or None."""
    clocks = [_plain, *map(_formatted, FORMATS), _mail]
    scored = [(sum(_works(clock, sample) for sample in samples), clock) for clock in clocks]
    best, reader = max(scored, key=lambda pair: pair[0], default=(0, None))
    return reader if best and best >= 0.9 * len(samples) else None


def read_time(reader: Clock, text: str) -> float:
    """Seconds since the epoch; BadInput with the value that is no time."""
    try:
        return reader(text.strip())
    except (ValueError, OverflowError, TypeError, BadInput) as error:
        raise BadInput(f"the time {text[:60]!r} is not written like the others of its column") from error


def _works(reader: Clock, text: str) -> bool:
    try:
        read_time(reader, text)
    except BadInput:
        return False
    return True


def _plain(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return seconds(text.removesuffix(" UTC")) or 0.0
    # Epoch seconds reach 1e11 in the year 5138; larger numbers are milliseconds. Small ones are counters, not times.
    if number < 1e8:
        raise ValueError(text)
    return seconds(number / 1000 if number > 1e11 else number) or 0.0


def _formatted(form: str) -> Clock:
    def reader(text: str) -> float:
        moment = datetime.strptime(text, form)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    return reader


def _mail(text: str) -> float:
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
