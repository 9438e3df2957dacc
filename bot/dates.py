"""Days and times in a text, resolved where the customer is. English words, and digits: 2026-03-05, 5.3.2026, 3/5/2026.

This file finds where one stands and reads the clock; what day "next friday" is says dateparser.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Found = dict[str, Any]

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:mon|tues?|wednes|thurs?|fri|satur|sun)day"
_COUNT = r"(?:\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|a couple of)"
_UNIT = r"(?:minute|hour|day|week|month|year)s?"
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)?"
_DAYS = (
    r"\d{4}-\d{2}-\d{2}",
    r"\d{1,2}/\d{1,2}/\d{2,4}",
    r"\d{1,2}\.\d{1,2}\.\d{4}",
    rf"(?:the )?{_ORDINAL} (?:of )?{_MONTH}(?:,? \d{{4}})?(?!\w)",
    rf"{_MONTH} (?:the )?{_ORDINAL}(?!\d)(?:,? \d{{4}})?(?!\w)",
    r"(?:the )?day (?:after tomorrow|before yesterday)",
    r"today|tonight|tomorrow|yesterday",
    rf"(?:next |last |this |coming )?{_WEEKDAY}(?: next week)?",
    r"(?:next|last|this) (?:weekend|week|month|year|night)",
    rf"in {_COUNT} {_UNIT}",
    rf"{_COUNT} {_UNIT} (?:ago|from now)",
)
_PART = r"(?: (?P<part>morning|afternoon|evening|night))?"
_HOUR = r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_CLOCKS = (
    r"(?P<h>[01]?\d|2[0-3])[:.h](?P<m>[0-5]\d) ?(?P<ap>[ap]\.?m\.?)?(?![\w:])",
    rf"(?P<h2>1[0-2]|0?[1-9]|{_HOUR}) ?(?P<ap2>[ap]\.?m\.?)(?!\w)",
    rf"(?P<past>half|quarter|\d{{1,2}}) (?P<way>past|to) (?P<h3>\d{{1,2}}|{_HOUR})(?: ?(?P<ap3>[ap]\.?m\.?))?(?!\w)",
    rf"(?P<h4>\d{{1,2}}|{_HOUR}) o'?clock",
    r"(?P<word>noon|midday|midnight)",
)
_HOURS = {word: hour for hour, word in enumerate(_HOUR.split("|"), 1)}
_PARTS = {"morning": 9, "afternoon": 15, "evening": 19, "night": 22}
_DAY = re.compile(rf"(?<![\w/.-])(?:{'|'.join(_DAYS)}){_PART}(?![\w/-])", re.IGNORECASE)
_CLOCK = re.compile(rf"(?<![\w:.,-])(?:{'|'.join(_CLOCKS)})", re.IGNORECASE)
_BETWEEN = re.compile(r"^,?\s*(?:at|around|about|by|on|the|from)?\s*$", re.IGNORECASE)


def days(text: str, now: datetime) -> list[Found]:
    """`{value, start, end}` with ISO dates. `now` is aware: its zone is the customer's."""
    return [
        {"value": at.date().isoformat(), "start": start, "end": end}
        for start, end, at, grain in _found(text, now)
        if grain in ("day", "part", "week", "month", "year", "both")
    ]


def times(text: str, now: datetime) -> list[Found]:
    """`{value, start, end, additional_info: {grain}}` with ISO moments in the zone of `now`, as Duckling's dimension
    `time` has them: for days alone their beginning."""
    return [
        {"value": at.isoformat(timespec="milliseconds"), "start": start, "end": end,
         "additional_info": {"grain": {"both": "minute", "clock": "minute", "part": "hour"}.get(grain, grain)}}
        for start, end, at, grain in _found(text, now)
    ]  # fmt: skip


def _found(text: str, now: datetime) -> list[tuple[int, int, datetime, str]]:
    text = text.replace("’", "'")
    named = [(m.start(), m.end(), *told) for m in _DAY.finditer(text) if (told := _day(m, now))]
    clocks = [(m.start(), m.end(), clock) for m in _CLOCK.finditer(text) if (clock := _hour(m)) is not None]
    free = [one for one in clocks if not any(one[0] < end and one[1] > start for start, end, _, _ in named)]
    found = []
    for start, end, at, grain in named:
        near = next((one for one in free if _joined(text, (start, end), one)), None)
        if near is None or grain == "minute":
            found.append((start, end, at, grain))
            continue
        free.remove(near)
        begin, stop, (hour, minute) = near
        found.append((min(start, begin), max(end, stop), at.replace(hour=hour, minute=minute), "both"))
    for begin, stop, (hour, minute) in free:
        at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        found.append((begin, stop, at if at > now else _later(at), "clock"))
    return sorted(found, key=lambda one: one[0])


def _later(at: datetime) -> datetime:
    """The same time a day on, also over a change of the clocks: the arithmetic is that of the wall clock."""
    return at + timedelta(days=1)


def _joined(text: str, day: tuple[int, int], clock: tuple[int, int, Any]) -> bool:
    between = text[day[1] : clock[0]] if day[1] <= clock[0] else text[clock[1] : day[0]]
    return bool(_BETWEEN.match(between))


def _day(match: re.Match[str], now: datetime) -> tuple[datetime, str] | None:
    """The moment, and how fine it is: minute, part, day, week, month or year."""
    said = match[0].casefold()
    part = match["part"].casefold() if match["part"] else "night" if said in ("tonight", "last night") else None
    plain = said.removesuffix(f" {part}") if match["part"] else said
    plain = plain.replace("tonight", "today").replace("last night", "yesterday").replace("a couple of", "2")
    if weekend := re.fullmatch(r"(next|last|this) weekend", plain):
        saturday = now + timedelta(days=(5 - now.weekday()) % 7 + {"next": 7, "last": -7, "this": 0}[weekend[1]])
        return saturday.replace(hour=0, minute=0, second=0, microsecond=0), "day"
    at = _parsed(re.sub(r"^(?:this|coming) (?!week|month|year)", "", plain), now)
    if at is None:
        return None
    if re.search(r"minute|hour", plain):
        return at.replace(second=0, microsecond=0), "minute"
    at = at.replace(hour=_PARTS[part] if part else 0, minute=0, second=0, microsecond=0)
    rough = re.fullmatch(r"(?:next|last|this) (week|month|year)", plain)
    return at, "part" if part else rough[1] if rough else "day"


def _parsed(said: str, now: datetime) -> datetime | None:
    import dateparser  # half a second, so only where a day was named

    said, after = re.subn(r"\s*next week$", "", said)
    settings: Any = {
        "RELATIVE_BASE": now.replace(tzinfo=None), "PREFER_DATES_FROM": "future", "RETURN_AS_TIMEZONE_AWARE": False,
        "DATE_ORDER": "MDY" if _month_first(said, now) else "DMY",
    }  # fmt: skip
    if not said:
        said, after = "next week", 0
    found: datetime | None = dateparser.parse(re.sub(r"^the ", "", said), languages=["en"], settings=settings)
    if found is None:
        return None
    monday = now.replace(tzinfo=None) + timedelta(days=7 - now.weekday())
    if after and found.date() < monday.date():
        found += timedelta(days=7)
    return found.replace(tzinfo=now.tzinfo)


def _month_first(said: str, now: datetime) -> bool:
    """3/4 is the 4th of March in the Americas and the 3rd of April elsewhere; 3/14 and 14/3 are clear."""
    slashes = re.fullmatch(r"(\d{1,2})/(\d{1,2})/\d{2,4}", said)
    if slashes is None or int(slashes[1]) > 12:
        return False
    return int(slashes[2]) > 12 or str(getattr(now.tzinfo, "key", "")).startswith(("America/", "US/"))


def _hour(match: re.Match[str]) -> tuple[int, int] | None:
    if word := match["word"]:
        return (0, 0) if word.casefold() == "midnight" else (12, 0)
    said = match["h"] or match["h2"] or match["h3"] or match["h4"]
    hour = int(said) if said.isdigit() else _HOURS[said.casefold()]
    minute = int(match["m"] or 0)
    if past := match["past"]:
        minute = {"half": 30, "quarter": 15}.get(past.casefold()) or int(past)
        if match["way"].casefold() == "to":
            hour, minute = hour - 1, 60 - minute
    half = (match["ap"] or match["ap2"] or match["ap3"] or "").casefold()
    if half.startswith("p") and hour < 12:
        hour += 12
    elif half.startswith("a") and hour == 12:
        hour = 0
    return (hour % 24, minute) if hour <= 24 and 0 <= minute < 60 else None


def zone(name: object, default: str) -> ZoneInfo:
    """The zone that a customer's client names (`metadata.timezone`), else that of the desk."""
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else ZoneInfo(default)
    except (ValueError, OSError, LookupError):  # a client may send anything
        return ZoneInfo(default)
