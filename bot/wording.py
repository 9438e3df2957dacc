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


_CORRECTS = re.compile(
    r"^\W*(?:(?:oh|no|nope|sorry|oops|wait|actually|hm+|um+|well)\b[\s,.!-]*)*"
    r"(?:(?:i|we) (?:actually |really )?meant(?: to say| to write)?|(?:make|change) (?:that|it)(?: to)?"
    r"|(?:a )?correction)\b[\s,.:-]*(?P<rest>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_STARTS_OVER = re.compile(
    r"^\W*(?:(?:please|ok|okay|can we|could we|let's|lets|let us|i want to|i'd like to)\b[\s,]*)*"
    r"(?:start (?:over|again|afresh|from (?:the )?(?:beginning|scratch|start))|restart|begin again"
    r"|from the (?:top|beginning))(?: again| now| please|,)*\W*$",
    re.IGNORECASE,
)
_WISHES = (
    r"(?:(?:no|please|just|can|could|may|i|we|want|wanna|need|would|like|'d|to|let me|let us|get me|give me"
    r"|put me through|connect me|transfer me|pass me)\b[\s,]*)*"
)
_PERSON = (
    r"(?:(?:a|an|the|some|any|your|one of your)\s+)?(?:(?:real|live|actual|human)\s+)*"
    r"(?:person|people|human(?: being)?|agent|somebody|someone|representative|rep|operator|colleague|advis[eo]r)s?"
)
_WANTS_PERSON = re.compile(
    rf"^\W*{_LEAD}{_WISHES}(?:(?:talk|speak|chat|write)(?:ing)? (?:to|with) |(?:to|with) )?{_PERSON}"
    r"(?:\s+(?:instead|please|now|here))*\W*$",
    re.IGNORECASE,
)


def correction(text: str) -> str | None:
    """What somebody who corrects themselves means, "tomorrow" of "no, I meant tomorrow"; None without a correction."""
    found = _CORRECTS.match(text.replace("’", "'"))
    return found["rest"].strip() if found else None


def starts_over(text: str) -> bool:
    """Nothing but "start over" or the like, in English; other languages have an intent `restart`."""
    return bool(_STARTS_OVER.match(text.replace("’", "'")))


def wants_person(text: str) -> bool:
    """Nothing but "talk to a person" or the like, in English; other languages have an intent `talk_to_person`."""
    return bool(_WANTS_PERSON.match(text.replace("’", "'")))
