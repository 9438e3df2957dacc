"""What only the whole log shows: the contact values that the desk publishes, and the names of its people."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from bot.redaction import Redactor, introduced, plain
from bot.transcript import Transcript


def public_values(transcripts: Iterable[Transcript], redactor: Redactor, at_least: int) -> list[str]:
    """E-mail addresses, phone numbers and addresses that the desk gave to `at_least` customers who did not say them:
    "write to returns@shop.example" is an answer, not a secret.

    Where the source does not name the customer, each conversation counts as one. None when `at_least` is 0.
    """
    told: dict[str, set[str]] = defaultdict(set)
    spelled: dict[str, str] = {}
    for transcript in transcripts if at_least else ():
        who = transcript.customer or transcript.id
        desk, customer = _contacts(transcript, redactor, desk=True), _contacts(transcript, redactor, desk=False)
        for key in desk.keys() - customer.keys() - {plain(who)}:
            told[key].add(who)
            spelled.setdefault(key, desk[key])
    return sorted(spelled[key] for key, customers in told.items() if len(customers) >= at_least)


def _contacts(transcript: Transcript, redactor: Redactor, *, desk: bool) -> dict[str, str]:
    texts = (turn.text for turn in transcript.turns if (turn.by in ("agent", "bot")) == desk)
    return {plain(value): value for text in texts for value in redactor.contacts(text)}


_OFTEN, _SHARE = 3, 0.2


def agent_names(transcripts: Iterable[Transcript]) -> list[str]:
    """Words that agents give as a name ("Kasia here", "regards, Kasia") in three conversations, so that they are known
    as names where nothing tells ("happy trails, Kasia"). A word that mostly stands elsewhere is no name of a person."""
    given, seen = Counter[str](), Counter[str]()
    for transcript in transcripts:
        texts = [turn.text for turn in transcript.turns if turn.by == "agent"]
        seen.update({word for text in texts for word in re.findall(r"[^\W\d_]+", text) if word[0].isupper()})
        spans = ((text, span) for text in texts for span in introduced(text, by_customer=True))
        given.update({word for text, (start, end) in spans for word in text[start:end].split()})
    return sorted(word for word, count in given.items() if count >= max(_OFTEN, _SHARE * seen[word]))


def first_names(transcripts: Iterable[Transcript]) -> list[str]:
    """First names by which customers are known in two conversations or more."""
    found = Counter[str]()
    for transcript in transcripts:
        texts = [(turn.text, turn.by == "customer") for turn in transcript.turns]
        spans = ((text, span) for text, customer in texts for span in introduced(text, by_customer=customer))
        found.update({text[start:end].split()[0].lower() for text, (start, end) in spans if text[start].isupper()})
    return sorted(name for name, count in found.items() if count >= 2 and len(name) > 2)
