"""How people put things: what reads as a question, and what they say before they ask."""

from __future__ import annotations

import re

_LEAD = r"(?:(?:and|but|ok|okay|so|wait|also|um+|please|sorry|btw|hi|hello|hey)\b[\s,.!-]*)*"
# "When it came it was broken" tells, "when does it come" asks.
_TELLS = r"(?!\s+(?:i|we|it|they|he|she|you|my|our|your|the|this|that)\b)"
_QUESTION = re.compile(
    rf"^\W*{_LEAD}(?:"
    r"(?:how|why|who|whose|whats|what's|wheres|where's|whens|when's|hows|how's|whos|who's)\b(?!ever)"
    rf"|(?:what|when|where|which)\b{_TELLS}"
    r"|(?:can|could|do|does|did|is|are|will|would|should|may|must|am|have|has)"
    r"\s+(?:i|we|you|it|they|he|she|there|this|that|these|those|my|your|the|a|an|any|anyone|someone)\b"
    r")",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(?:good (?:morning|afternoon|evening|day)|greetings|hi+|hello+|hey+|hiya)\b"
    r"(?:\s+(?:there|all|team|everyone|everybody|folks|again)\b)*[\s,.!:;-]*",
    re.IGNORECASE,
)


def asks(text: str) -> bool:
    """Does this read as a question? A question mark of any script says so, or, in English, how it begins."""
    return bool(re.search("[?？؟]", text) or _QUESTION.match(text.replace("’", "'")))


def without_greeting(text: str) -> str:
    """The text from "how" on in "Good morning, how can I pay"; a text that is only a greeting stays as it is."""
    rest = text.strip()
    while (shorter := _GREETING.sub("", rest, count=1)) not in (rest, ""):
        rest = shorter
    return rest
