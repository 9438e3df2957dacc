"""How people type: slips, text-message spelling, no capitals. Order numbers, addresses and links stay as they are."""

from __future__ import annotations

import re
from random import Random

_NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuioipsdfghjkkxcvbnmn", strict=False)) | {"l": "k", "p": "o"}
_SMS = {
    "please": "pls", "you": "u", "your": "ur", "are": "r", "because": "cos", "thanks": "thx", "tomorrow": "tmrw",
    "and": "&", "though": "tho", "about": "abt", "with": "w", "people": "ppl", "before": "b4", "message": "msg",
    "weeks": "wks", "know": "kno", "great": "gr8", "for": "4", "something": "smth", "delivery": "dlvry", "would": "wd",
    "could": "cd", "have": "hv", "okay": "k", "really": "rly",
}  # fmt: skip
_WORD = re.compile(r"(?<![\w@./-])[A-Za-z]+(?:'[a-z]+)?(?![\w@/-]|\.\w)")


def _slip(word: str, rng: Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    match rng.randrange(4):
        case 0:
            return word[:at] + word[at + 1 :]
        case 1:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case 2:
            return word[:at] + word[at] + word[at:]
        case _:
            return word[:at] + _NEIGHBOURS.get(word[at], word[at]) + word[at + 1 :]


def typos(text: str, rng: Random, rate: float = 0.12) -> str:
    def maybe(match: re.Match[str]) -> str:
        word = match[0]
        return _slip(word, rng) if len(word) > 3 and word.isalpha() and rng.random() < rate else word

    return _WORD.sub(maybe, text)


def lowercase(text: str, rng: Random) -> str:
    text = _WORD.sub(lambda m: m[0].lower(), text)
    return text.rstrip(".") if rng.random() < 0.7 else text


def sms(text: str, rng: Random) -> str:
    text = _WORD.sub(lambda m: _SMS.get(m[0].lower(), m[0]).lower() if rng.random() < 0.8 else m[0].lower(), text)
    text = text.replace("'", "").rstrip(".")
    return text.replace("?", "") if rng.random() < 0.4 else text


def shout(text: str, rng: Random) -> str:
    return _WORD.sub(lambda m: m[0].upper(), text) + "!" * rng.randrange(3)
