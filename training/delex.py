"""Texts with their particulars taken out: typed placeholders for dates, money, numbers and the like.

Grouping replies by their delexicalised text is what makes agents' wordings comparable (../shared/SCIENCE.md).
`facts` are the particulars themselves, normalised, so that "30 days" and "14 days" are not the same answer.
"""

from __future__ import annotations

import re

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("PLACEHOLDER", r"<[A-Z_]+?(?:_\d+)?>"),
        ("URL", r"https?://\S+|www\.\S+"),
        ("MONEY", r"[$€£]\s?\d+(?:[.,]\d+)*|\b\d+(?:[.,]\d+)*\s?(?:euros?|eur|usd|dollars?|pounds?|gbp)\b"),
        ("PERCENT", r"\b\d+(?:[.,]\d+)?\s?(?:%|per ?cent\b)"),
        ("DATE", rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b(?:\s+\d{{4}})?|\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+\d{{4}})?"
         r"|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"),
        ("TIME", r"\b\d{1,2}[:.]\d{2}(?:\s*(?:am|pm))?\b|\b\d{1,2}\s*(?:am|pm)\b"),
        ("SPAN", r"\b\d+(?:[.,]\d+)?(?:\s?(?:-|–|to)\s?\d+)?[\s-]?(?:business |working )?(?:seconds?|minutes?|mins?|hours?|days?|weeks?|months?|years?)\b"),
        ("DAY", rf"\b{_DAY}s?\b"),
        ("CODE", r"\b(?=[A-Z0-9-]*\d)[A-Z]{1,5}-?\d[A-Z0-9-]{2,}\b"),
        ("NUMBER", r"\b\d+(?:[.,]\d+)*\b"),
    )
)  # fmt: skip
_UNITS = {word: n for n, word in enumerate(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen".split(), 1)}  # fmt: skip
_TENS = {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_COUNTED = r"(?=[\s-]+(?:(?:to|and|or)[\s-]+\w+[\s-]+)?(?:business |working )?(?:second|minute|hour|day|week|month|year|euro|pound|dollar|per ?cent))"
_UNIT_WORD = re.compile(rf"(?<![-\w])({'|'.join(_UNITS)}){_COUNTED}", re.IGNORECASE)
_NUMBER_WORD = re.compile(rf"\b({'|'.join(_TENS)})(?:[\s-]({'|'.join(list(_UNITS)[:9])}))?{_COUNTED}", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_NUMBERED = re.compile(r"<([A-Z]+)_\d+>")


def slots(text: str) -> list[tuple[str, str]]:
    """(type, value) of every particular, in order; redaction placeholders come back as their own type."""
    found: list[tuple[int, int, str, str]] = []
    for name, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if all(match.end() <= a or match.start() >= b for a, b, _, _ in found):
                kind = _NUMBERED.sub(r"<\1>", match.group()).strip("<>").upper() if name == "PLACEHOLDER" else name
                found.append((match.start(), match.end(), kind, match.group()))
    return [(kind, value) for _, _, kind, value in sorted(found)]


def delexicalise(text: str) -> str:
    """`text` with every particular replaced by `<TYPE>`."""
    for name, pattern in _PATTERNS:
        text = pattern.sub(lambda m, name=name: m.group() if name == "PLACEHOLDER" else f"<{name}>", text)  # type: ignore[misc]
    return _SPACE.sub(" ", _NUMBERED.sub(r"<\1>", text)).strip()


def facts(text: str) -> frozenset[str]:
    """Normalised particulars that an answer may promise: spans of time, money, percentages ("SPAN 30day")."""
    kinds = ("SPAN", "MONEY", "PERCENT")
    return frozenset(f"{kind} {_normal(value)}" for kind, value in slots(in_digits(text)) if kind in kinds)


def in_digits(text: str) -> str:
    """Number words up to ninety-nine in digits: "sixty days" states the same as "60 days"."""
    return _NUMBER_WORD.sub(
        lambda m: str(_TENS.get(m[1].lower(), 0) + _UNITS.get((m[2] or "").lower(), 0)), _units(text)
    )


def _units(text: str) -> str:
    return _UNIT_WORD.sub(lambda m: str(_UNITS[m[1].lower()]), text)


def _normal(value: str) -> str:
    value = re.sub(r"\b(business|working)\b", "", value.lower())
    value = re.sub(r"\s*(?:-|–|\bto\b)\s*(?=\d)", "~", value)  # a range; other hyphens ("30-day") say nothing
    return re.sub(r"[^\w.,%$€£~]+", "", re.sub(r"s\b", "", value).replace("per cent", "%").replace("percent", "%"))
