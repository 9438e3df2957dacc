"""What of a sentence must not be got wrong: its numbers, and whether it says yes or no."""

from __future__ import annotations

import re

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100}
NUMBER_WORDS = {word: str(value) for value, word in enumerate(_NUMBERS)} | {word: str(n) for word, n in _TENS.items()}
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NOT = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|cannot|without|neither|nor|unable|impossible|except|unless)\b|n['’]t\b",
    re.IGNORECASE,
)


def numbers(text: str) -> set[str]:
    """Numbers in digits and words, written alike: "30.00" and "thirty" are "30"; "one" is mostly no number."""
    words = (NUMBER_WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in NUMBER_WORDS)
    return {_plain(found) for found in _NUMBER.findall(text)} | {word for word in words if word != "1"}


def denies(text: str) -> bool:
    return bool(_NOT.search(text))


def _plain(number: str) -> str:
    return re.sub(r"[.,]0+$", "", number).replace(",", ".")
