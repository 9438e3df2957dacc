"""Noise as customers make it: typos, missing accents, capitals, emoji, filler, a speech recogniser. Seeded.

For training (`noisy`) and for measuring what noise costs (`PERTURBATIONS`, bench/understanding.py).
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Sequence

KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
FILLER = ("hi", "hello there", "um", "so", "ok so", "please", "hey guys", "quick question", "thanks")
EMOJI = ("🙏", "😡", "🙂", "❤️", "😭", "👍")
HOMOPHONES = {
    "to": "two", "for": "four", "your": "you're", "there": "their", "where": "wear", "buy": "by", "fee": "fi",
    "card": "car", "pay": "pe", "sent": "cent", "right": "write", "order": "or the", "account": "a count", "i'm": "im",
    "check": "cheque", "mail": "male", "write": "right", "know": "no", "new": "knew", "top up": "topup",
}  # fmt: skip
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

Perturb = Callable[[str, random.Random], str]


def typos(text: str, rng: random.Random, *, share: float = 0.12) -> str:
    """About one word in eight: two letters swapped, one left out, doubled, or hit beside the key."""
    words = text.split(" ")
    longer = [i for i, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    for i in rng.sample(longer, min(len(longer), max(1, round(share * len(words))))):
        words[i] = _mistyped(words[i], rng)
    return " ".join(words)


def _mistyped(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    kind = rng.randrange(4)
    if kind == 0:
        return before + after[0] + letter + after[1:]
    if kind == 1:
        return before + after
    if kind == 2:
        return before + letter + letter + after
    return before + _beside(letter, rng) + after


def _beside(letter: str, rng: random.Random) -> str:
    for row in KEYS:
        if (at := row.find(letter.lower())) >= 0:
            return rng.choice([row[i] for i in (at - 1, at + 1) if 0 <= i < len(row)])
    return letter


def without_accents(text: str, rng: random.Random) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def capitals(text: str, rng: random.Random) -> str:
    return text.upper()


def emoji(text: str, rng: random.Random) -> str:
    return f"{text} {rng.choice(EMOJI) * rng.randint(1, 3)}"


def filler(text: str, rng: random.Random) -> str:
    return f"{rng.choice(FILLER)} {text}" if rng.random() < 0.7 else f"{text} {rng.choice(FILLER)}"


def speech(text: str, rng: random.Random) -> str:
    """As a recogniser writes it: no case, no punctuation, digits as words, some words heard as others."""
    words = re.sub(r"[^\w\s']", " ", text.lower()).split()
    heard = [HOMOPHONES[w] if w in HOMOPHONES and rng.random() < 0.5 else w for w in words]
    return " ".join(" ".join(DIGITS[int(c)] for c in w) if w.isascii() and w.isdigit() else w for w in heard)


PERTURBATIONS: dict[str, Perturb] = {
    "typos": typos,
    "no accents": without_accents,
    "capitals": capitals,
    "emoji": emoji,
    "filler": filler,
    "speech": speech,
}


def noisy(texts: Sequence[str], *, seed: int) -> list[str]:
    """Each text once, with typos, filler or as heard by a recogniser."""
    rng = random.Random(seed)
    return [rng.choice((typos, typos, filler, speech))(text, rng) for text in texts]
