"""Text -> stems, for word search and for picking sentences: lower case, no stop words, a crude English suffix cut."""

from __future__ import annotations

import re
from functools import lru_cache

_STOP = frozenset(
    "a about am an and any are as at be been but by can could did do does for from get got had has have hello hi how i "
    "if in is it its just like me my need no not of on or our please so some than that the their them then there they "
    "this to up us want was we were what when where which who why will with would you your".split()
)
_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def stems(text: str) -> list[str]:
    """In the order of the text, repeats kept; a CJK run becomes its pairs of characters."""
    return [stem for word in _WORD.findall(text.lower()) if word not in _STOP for stem in _stem(word)]


@lru_cache(maxsize=20_000)
def _stem(word: str) -> tuple[str, ...]:
    """Joins ship, ships and shipping; a word with a digit (an id, a code) stays whole."""
    if _CJK.match(word):
        return tuple(word[at : at + 2] for at in range(max(1, len(word) - 1)))
    if any(letter.isdigit() for letter in word):
        return (word,)
    base = re.sub(r"(?<=\w{3})(ing|ies|ed|es|s|y)$", "", word)
    return (re.sub(r"(.)\1$", r"\1", base)[:6],)
