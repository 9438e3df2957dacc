"""Finds values with a fixed form: e-mail, card, IBAN, phone, order and account numbers, addresses, secrets in links.

Cheap linear expressions propose short candidates, and the recognisers (presidio, phonenumbers) only judge those: a text
without a digit, an "@" or a link costs microseconds, and no recogniser ever sees a whole megabyte. The home of presidio
and phonenumbers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import phonenumbers


class Span(NamedTuple):
    start: int
    end: int
    kind: str


_ID = r"((?=[A-Z-]{0,9}\d)[A-Z0-9][A-Z0-9-]{3,19})\b"
_IS = r"\s*+(?:(?:is|was|:|=)\s*+)?#?\s*+"
_NUMBER = r"[\s_]*+(?:number|num|nr|no\b\.?|id\b|code|ref(?:erence)?|#)"

PATTERNS: Mapping[str, str] = {
    "ORDER": (
        r"(?i:\b[A-Z]{2,3}-?\d{5,8}\b)"
        rf"|(?i:\b(?:order|invoice|booking|reservation|shipment|parcel|tracking|ticket|case|rma|return){_NUMBER}{_IS}{_ID})"
        r"|(?i:\b(?:order|invoice|booking|reservation|tracking|ticket|rma)\s*+#?\s*+([A-Z]{0,4}-?\d{5,14})\b)"
        r"|(?<![\w#])#\s?(\d{5,14})\b"
    ),
    "CARD": rf"(?i:\bcard{_NUMBER}{_IS}(\d(?:[ -]?\d){{11,18}})\b)",
    "ACCOUNT": (
        r"(?i:\b(?:account|acct|customer|client|user|member(?:ship)?|policy|loyalty|flyer|contract|card|routing|passport"
        rf"|licen[cs]e|reference|confirmation){_NUMBER}{_IS}{_ID})"
        r"|(?i:\b(?:account|acct|policy|contract)\s*+(?:is\s*+)?#?\s*+([A-Z]{0,4}-?\d{5,16})\b)"
    ),
}
"""Default patterns, placeholder name -> `re` expression. The group that matched is the value, else the whole match."""

Finder = Callable[[str, str, bytearray], Iterator[Span]]

PLACEHOLDER = re.compile(r"<([A-Z]+)(?:_(\d{1,6}))?>")
_WORTH_A_LOOK = re.compile(r"(?i)[\d@]|://|www\.| dot ")
_SECRET = re.compile(
    r"(?i)\b(?:password|passcode|passwd|pin|cvv|cvc)(?:\s++is|\s?[:=])\s*+([^\s,;<>]{0,60}\d(?:[^\s,;<>]{0,60}[^\s,;<>.!?])?)"
    r"|\b(?:pin|cvv|cvc)(?:\s++(?:code|number))?\s++(\d{3,6})\b"
)


def find(text: str, patterns: Mapping[str, re.Pattern[str]], region: str, taken: bytearray) -> Iterator[Span]:
    """Spans of identifying values, the surest kind first; later ones may overlap earlier ones and then lose.

    `taken` has a byte for every character, 1 where the caller has already accepted a span: no judge is asked there.
    """
    if not _WORTH_A_LOOK.search(text):
        return
    yield from _links(text)
    yield from _emails(text)
    if not any(map(str.isdigit, text)):
        return
    yield from _groups(_SECRET, text, "SECRET")
    for name in ("IBAN", "CARD", "SSN"):
        yield from _FINDERS[name](text, region, taken)
    for kind, pattern in patterns.items():
        yield from _groups(pattern, text, kind)
    for name in ("IP", "CRYPTO", "PHONE", "ADDRESS", "ACCOUNT"):
        yield from _FINDERS[name](text, region, taken)


def _groups(pattern: re.Pattern[str], text: str, kind: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        yield Span(*match.span(match.lastindex or 0), kind)


_LINK = re.compile(r"(?i)(?:https?://|\bwww\.)[^\s<>\"']++")
_PARAMETER = re.compile(r"[?&#;]([^=&#;?]{1,60})=([^&#;]+)")
_SECRET_KEY = re.compile(
    r"(?i)token|key|auth|sig|pass|pwd|secret|session|sid\b|jwt|otp|code|nonce|hash|ticket|e-?mail|phone|user|customer|name"
)
_TOKEN = re.compile(
    r"eyJ[\w-]{8,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[^-_.]*\d)(?=[^-_.]*[A-Za-z])[^-_.]{16,}"
)


def _links(text: str) -> Iterator[Span]:
    """The secret parts of links: user info, telling parameters, token-like values and path segments."""
    for link in _LINK.finditer(text):
        start, url = link.start(), link.group()
        if user := re.match(r"(?i)https?://([^/?#@]+)@", url):
            yield Span(start + user.start(1), start + user.end(1), "SECRET")
        for match in _PARAMETER.finditer(url):
            if _SECRET_KEY.search(match[1]) or _token(match[2]):
                yield Span(start + match.start(2), start + match.end(2), "SECRET")
        for segment in re.finditer(r"(?<=[^:/]/)[^/?#]+", url.partition("?")[0]):
            if _token(segment.group()):
                yield Span(start + segment.start(), start + segment.end(), "SECRET")


def _token(value: str) -> bool:
    return any(_TOKEN.fullmatch(part) for part in (value, *re.split(r"[-_.]", value)))


_DOMAIN = re.compile(r"@[^\W_][\w-]*+(?:\.[\w-]++)++")
_LOCAL = re.compile(r"[\w.+%'-]{1,64}\Z")
_SPOKEN = re.compile(
    r"(?i)(?<![\w.+-])[\w.+-]++\s++[(\[]?at[)\]]?\s++[\w-]++(?:\s++[(\[]?dot[)\]]?\s++[a-z]{2,10}\b){1,3}"
)


def _emails(text: str) -> Iterator[Span]:
    for domain in _DOMAIN.finditer(text):
        before = text[max(0, domain.start() - 64) : domain.start()]
        if (local := _LOCAL.search(before)) and (name := local.group().lstrip("'.-")):
            yield Span(domain.start() - len(name), domain.end(), "EMAIL")
    if " dot" in text.lower():
        yield from _groups(_SPOKEN, text, "EMAIL")


@cache
def _recogniser(name: str) -> Any:
    """A pattern recogniser of presidio; importing presidio takes two seconds, so it waits for the first candidate."""
    # presidio imports spaCy, spaCy imports torch and transformers where they are installed. The pattern recognisers use
    # neither, and serving must not carry torch: make both look absent until presidio is there.
    absent = [module for module in ("torch", "transformers") if module not in sys.modules]
    try:
        sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
        from presidio_analyzer import predefined_recognizers
    finally:
        for module in absent:
            sys.modules.pop(module, None)
    return getattr(predefined_recognizers, name)()


def _judge(recogniser: str, candidate: str) -> list[tuple[int, int]]:
    judge = _recogniser(recogniser)
    return [(hit.start, hit.end) for hit in judge.analyze(candidate, judge.supported_entities)]


def _judged(kind: str, recogniser: str, candidates: str) -> Finder:
    pattern = re.compile(candidates)

    def spans(text: str, region: str, taken: bytearray) -> Iterator[Span]:
        for match in pattern.finditer(text):
            for start, end in _judge(recogniser, match.group().upper() if kind == "IBAN" else match.group()):
                yield Span(match.start() + start, match.start() + end, kind)

    return spans


_CARD = re.compile(r"(?<![\d+.,])\d(?:[ -]?\d){11,18}(?![\d])")
_FOUR_BY_FOUR = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}")


def _cards(text: str, region: str, taken: bytearray) -> Iterator[Span]:
    """Numbers that pass Luhn, that presidio knows by their prefix, or that are grouped like a card (a typing error)."""
    for match in _CARD.finditer(text):
        number = match.group()
        if (
            (number[0] in "23456" and luhn(number))
            or _FOUR_BY_FOUR.fullmatch(number)
            or _judge("CreditCardRecognizer", number)
        ):
            yield Span(*match.span(), "CARD")


def luhn(number: str) -> bool:
    """Whether 13 to 19 digits, separators ignored, have the check digit of a payment card (ISO/IEC 7812-1)."""
    digits = [int(c) for c in number if c.isdigit()]
    doubled = (sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return 13 <= len(digits) <= 19 and any(digits) and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


_PHONE = re.compile(
    r"(?<![\w.,$€£#/+-])\+?\(?\d(?:[ ().\-/]{0,3}\d){6,16}(?: ?(?:x|ext\.?) ?\d{1,6})?(?![\w%€£$]|[-./]\w)"
)
_PHONE_SHAPE = re.compile(
    r"(?:1?[-. ]?\(?\d{3}\)?[-. ]{0,2}\d{3}[-. ]\d{4}|\d{3}-\d{4}"
    r"|(?=(?:\D*\d){9})\(?0\d+\)?(?:[ /.-]\d+)+|\(\d+\)[ -]?\d.+)"
    r"(?: ?(?:x|ext\.?) ?\d{1,6})?"
)
_PHONE_BEFORE = re.compile(
    r"(?i)\b(?:(?:tele)?phone|mobile|cell|call|tel|fax|whatsapp|(?:reach|text|contact) (?:me|us)|answer(?:ing)? at"
    r"|messages? to)\b"
)
_PHONE_AFTER = re.compile(r"(?i) ?\(?(?:office|fax|mobile|cell|home|work)\b")
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DATE = re.compile(rf"\b(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ]{_DAY}\b|\b{_DAY}[-/.]{_DAY}[-/.](?:19|20)?\d\d\b")


def _phones(text: str, region: str, taken: bytearray) -> Iterator[Span]:
    for match in _PHONE.finditer(text):
        number = match.group()
        if taken.find(1, *match.span()) >= 0:
            continue
        if number.startswith("+") or (
            not _DATE.search(number)
            and (
                _PHONE_SHAPE.fullmatch(number)
                or _PHONE_BEFORE.search(text, max(0, match.start() - 40), match.start())
                or _PHONE_AFTER.match(text, match.end())
                or _valid_phone(number, region)
            )
        ):
            yield Span(*match.span(), "PHONE")


def known_region(region: str) -> bool:
    """Whether phone numbers of this ISO 3166 country can be read."""
    return region in phonenumbers.SUPPORTED_REGIONS


def _valid_phone(number: str, region: str) -> bool:
    found = phonenumbers.PhoneNumberMatcher(number, region, leniency=phonenumbers.Leniency.VALID, max_tries=10)
    return bool(found.has_next())


_STREET = (
    r"street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|way|place|pl|square|sq|terrace|parkway|pkwy"
    r"|highway|hwy|close|crescent"
)
_ADDRESS = re.compile(
    r"(?<![\w.$€£@#])\d{1,5}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[A-Z][\w.'’]{1,25} ){1,4}(?i:" + _STREET + r")\b\.?"
    r"(?:,? (?i:apt|suite|ste|unit|flat|apartment|#)\.? ?\w{1,6}\b)?"
    r"(?:,? [A-Z][\w' ]{1,25},? [A-Z]{2} \d{5}(?:-\d{4})?)?"
    r"|(?<![\w.$€£@#])\d{1,5}(?: [A-Z][\w.'’-]{1,25}){1,4}(?: \d{1,4})? (?:Apt|Suite|Unit)\b\.? ?\w{1,6}\b"
    r"|(?i:\bp\.? ?o\.? ?box \d{1,7})"
    r"|(?i:\baddress(?: is|:) )(\d{1,5} [^\n;!?]{3,70}?)"
    r"(?=[.;!?](?:\s(?!\d)|$)|\n|$|(?i: (?:and|but|please|can|could|thanks)\b))"
)
_LONG = re.compile(r"(?<![\w.,$€£])[A-Z0-9]{9,40}(?![\w%€£$])")


def _addresses(text: str, region: str, taken: bytearray) -> Iterator[Span]:
    return _groups(_ADDRESS, text, "ADDRESS")


def _long_numbers(text: str, region: str, taken: bytearray) -> Iterator[Span]:
    """Nine digits and more that nothing else has claimed, and long codes such as parcel numbers, identify somebody."""
    for match in _LONG.finditer(text):
        if match.group().isdigit() or sum(map(str.isdigit, match.group())) >= 6:
            yield Span(*match.span(), "ACCOUNT")


_FINDERS: dict[str, Finder] = {
    "IBAN": _judged("IBAN", "IbanRecognizer", r"(?i)(?<![^\W_])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}(?![^\W_])"),
    "CARD": _cards,
    "SSN": _judged("SSN", "UsSsnRecognizer", r"(?<![\d-])\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])"),
    "IP": _judged(
        "IP",
        "IpRecognizer",
        r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:])",
    ),
    "CRYPTO": _judged("CRYPTO", "CryptoRecognizer", r"(?<!\w)(?:bc1|[13])[a-zA-HJ-NP-Z0-9]{25,59}(?!\w)"),
    "PHONE": _phones,
    "ADDRESS": _addresses,
    "ACCOUNT": _long_numbers,
}
