"""Numbers and sums of money in a text: digits as English and continental desks write them, English number words. Pure.

Sources: the dimensions `number` and `amount-of-money` of Duckling, whose values Rasa projects expect.
"""

from __future__ import annotations

import re
from typing import Any

Found = dict[str, Any]

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WRITTEN: dict[str, float] = {word: value for value, word in enumerate(_SMALL)}
_WRITTEN |= {word: 10 * value for value, word in enumerate(_TENS, 2)}
_WRITTEN |= {f"{ten}-{one}": _WRITTEN[ten] + _WRITTEN[one] for ten in _TENS for one in _SMALL[1:10]}
_WORDS = "|".join(sorted(_WRITTEN, key=len, reverse=True))
_DIGITS = r"\d{1,3}(?:[,.' ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
_NUMBER = re.compile(rf"(?<![\w.,-])(?:{_DIGITS}|{_WORDS})(?!\w|[.,-]\d)", re.IGNORECASE)

_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "zł": "PLN", "元": "CNY"}
_NAMES = {
    "euro": "EUR", "euros": "EUR", "eur": "EUR", "dollar": "USD", "dollars": "USD", "usd": "USD", "bucks": "USD",
    "pound": "GBP", "pounds": "GBP", "gbp": "GBP", "quid": "GBP", "chf": "CHF", "franken": "CHF", "yen": "JPY",
    "jpy": "JPY", "rupees": "INR", "inr": "INR", "cny": "CNY", "rmb": "CNY", "yuan": "CNY", "sek": "SEK",
    "nok": "NOK", "dkk": "DKK", "pln": "PLN", "aud": "AUD", "cad": "CAD", "nzd": "NZD",
}  # fmt: skip
_SIGN = "|".join(map(re.escape, _SIGNS))
_NAME = "|".join(sorted(_NAMES, key=len, reverse=True))
_MONEY = re.compile(
    rf"(?:(?P<sign>{_SIGN}|\b(?:{_NAME}))\s?(?P<after>{_DIGITS})(?P<k>k\b)?(?![\w]|[.,-]\d))"
    rf"|(?<![\w.,-])(?P<before>{_DIGITS}|{_WORDS})(?P<k2>k)?\s?(?P<unit>{_SIGN}|(?:{_NAME})\b)(?P<cents>\s?\d\d\b)?",
    re.IGNORECASE,
)


def numbers(text: str) -> list[Found]:
    """`{value, start, end}`: 4, four, 3.5 and 2,5, 1,200 and 1.200,50."""
    return [
        {"value": value_of(match[0]), "start": match.start(), "end": match.end()} for match in _NUMBER.finditer(text)
    ]


def money(text: str) -> list[Found]:
    """`{value, start, end, additional_info: {unit}}`: $12.50, 1.200,50 €, 20 dollars, twenty pounds, £2k."""
    found = []
    for match in _MONEY.finditer(text):
        amount = value_of(match["after"] or match["before"], cents=2)
        amount = amount * 1000 if match["k"] or match["k2"] else amount
        said = match["sign"] or match["unit"]
        unit = _SIGNS.get(said.casefold()) or _NAMES[said.casefold()]
        end = match.end() - len(match["cents"] or "")
        found.append({"value": amount, "start": match.start(), "end": end, "additional_info": {"unit": unit}})
    return found


def value_of(written: str, *, cents: int | None = None) -> int | float:
    """1,200 and 1.200.300 are thousands, since three digits follow each sign; else the last sign is the decimal one.
    Sums of money have `cents` decimals, so that there 1.200 are thousands, too."""
    low = written.casefold()
    if low in _WRITTEN:
        return int(_WRITTEN[low])
    digits = re.sub(r"[' ]", "", low)
    dots = 1 if cents else 2
    if re.fullmatch(rf"\d{{1,3}}(?:(?:,\d{{3}})+|(?:\.\d{{3}}){{{dots},}})|\d+", digits):
        return int(re.sub(r"[.,]", "", digits))
    *whole, rest = re.split("[.,]", digits)
    return float(f"{''.join(whole)}.{rest}")
