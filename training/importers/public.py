"""Finds the desk's own contact values: "write to returns@shop.example" is an answer, not a secret."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from bot.redaction import Redactor, plain
from bot.transcript import Transcript


def public_values(transcripts: Iterable[Transcript], redactor: Redactor, at_least: int) -> list[str]:
    """E-mail addresses, phone numbers and addresses that the desk gave to `at_least` customers who did not say them.

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
