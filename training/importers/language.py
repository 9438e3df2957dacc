"""Says which language a customer writes, where the source does not. The home of lingua."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from bot.redaction import PLACEHOLDER
from bot.transcript import Transcript

_CHARS = 120
_LETTERS = 10


@cache
def _detector() -> Any:
    """Fifteen languages that support desks meet most; more would make short texts a guess."""
    from lingua import IsoCode639_1 as Code
    from lingua import LanguageDetectorBuilder

    names = "EN DE FR ES IT PT NL PL TR SV ZH JA KO RU AR".split()
    codes = [getattr(Code, name) for name in names]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_minimum_relative_distance(0.1).build()


def language_of(transcript: Transcript) -> str | None:
    """ISO 639-1 of what the customer wrote (of all turns, when that is nothing); None when it is too little."""
    texts = [turn.text for turn in transcript.turns if turn.by == "customer"] or [t.text for t in transcript.turns]
    return language_in(texts)


def language_in(texts: Sequence[str]) -> str | None:
    """ISO 639-1 of what these texts begin with; None when it is too little."""
    text = PLACEHOLDER.sub(" ", " ".join(texts))[:_CHARS]
    if sum(map(str.isalpha, text)) < _LETTERS and text.isascii():
        return None
    found = _detector().detect_language_of(text)
    return found.iso_code_639_1.name.lower() if found else None


def commonest(texts: Sequence[str], *, samples: int = 40) -> str | None:
    """The language of most of some samples, each of a few texts from all over the list."""
    step = max(1, len(texts) // samples)
    found = Counter(language_in(texts[start : start + 4]) for start in range(0, len(texts), step))
    found.pop(None, None)
    return found.most_common(1)[0][0] if found else None
