"""Masks what must not be stored: values become typed placeholders (`<EMAIL>`), consistent inside one conversation.

The same value gets the same placeholder, further values of a kind are numbered from the second on (`<EMAIL_2>`).
Redacting twice changes nothing. What is found how: `redaction_patterns.py` (values with a form), `redaction_names.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from itertools import chain
from typing import Any

from bot import redaction_names as names
from bot.redaction_names import introduced, looks_like_name
from bot.redaction_patterns import PATTERNS, PLACEHOLDER, Span, find, known_region
from bot.transcript_schema import By, Transcript, Turn
from retrieval.errors import BadInput

__all__ = ["PATTERNS", "PLACEHOLDER", "Redaction", "Redactor", "introduced", "looks_like_name", "plain", "redact"]

MAX_NAMES = 200
"""Names that are looked for again in one conversation; keeps hostile input linear."""

CONTACTS = ("EMAIL", "PHONE", "ADDRESS")


def plain(value: str) -> str:
    """What makes two spellings of a value the same: letters and digits; of a long number the last ten digits."""
    kept = re.sub(r"[\W_]+", "", value).lower()
    return kept[-10:] if kept.isdigit() and len(kept) in (11, 12) else kept


class Redactor:
    """What to mask. `patterns`: placeholder name -> `re` expression, run on texts with a digit; the first group that
    matched is the value. `agents` are the names of the desk's people. `region` (ISO 3166) reads phone numbers without
    a country code. `salt` makes customer pseudonyms unguessable. `public` are e-mail addresses, phone numbers and
    addresses of the desk itself, which stay."""

    def __init__(
        self,
        patterns: Mapping[str, str] = PATTERNS,
        *,
        names: bool = True,
        region: str = "US",
        agents: Iterable[str] = (),
        salt: bytes = b"",
        public: Iterable[str] = (),
    ) -> None:
        self.patterns = {kind: _compiled(kind, pattern) for kind, pattern in patterns.items()}
        if not known_region(region):
            raise BadInput(f"region {region!r} is no country of phone numbers; write ISO 3166 such as US, GB, DE")
        self.names, self.region, self.agents, self.salt = names, region, tuple(agents), salt
        self.public = frozenset(map(plain, public))
        self.given: frozenset[str] = frozenset()

    def knowing(self, agents: Iterable[str], public: Iterable[str] = (), given: Iterable[str] = ()) -> Redactor:
        """The same redactor that also knows these people of the desk, these values that the desk publishes, and these
        first names of customers, which count as names after "this is" even without a capital."""
        other = copy(self)
        other.agents = (*self.agents, *agents)
        other.public = self.public | frozenset(map(plain, public))
        other.given = self.given | frozenset(name.lower() for name in given)
        return other

    def contacts(self, text: str) -> list[str]:
        """The e-mail addresses, phone numbers and street addresses in a text."""
        spans = find(text, {}, self.region, bytearray(len(text)))
        return [text[span.start : span.end] for span in spans if span.kind in CONTACTS]

    def start(self) -> Redaction:
        """The state of one conversation."""
        return Redaction(self)

    def pseudonym(self, value: str) -> str:
        """A stable stand-in for a customer or conversation id; a pseudonym stays what it is."""
        if re.fullmatch(r"p-[0-9a-f]{12}", value):
            return value
        return "p-" + hashlib.blake2b(value.encode(), key=self.salt[:64], digest_size=6).hexdigest()


def _compiled(kind: str, pattern: str) -> re.Pattern[str]:
    if not re.fullmatch("[A-Z]+", kind):
        raise BadInput(f"redaction pattern {kind!r}: a placeholder name has capital letters only, like ORDER")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise BadInput(f"redaction pattern {kind}: {pattern!r} is no regular expression: {error}") from error


class Redaction:
    """Masks the texts of one conversation, in their order."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._values: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._known: dict[str, int] = {}
        self._people: dict[int, str] = {}
        self._exact: set[str] = set()
        self._repeats: re.Pattern[str] | None = None
        self._asked = False
        for agent in redactor.agents:
            self.learn(agent)

    @property
    def names_known(self) -> int:
        return len(self._known)

    def learn(self, name: str) -> None:
        """Mask this person's name wherever it comes up, from now on."""
        if self._redactor.names and looks_like_name(name):
            self._remember(name)

    def text(self, text: str, by: By | None = None) -> str:
        """The text with its values masked. `by` sharpens the search for names; None looks for all forms."""
        while (masked := self._once(text, by)) != text:
            # A placeholder changes what is beside it ("Anna 555-0100" as a reply to "your name?"): until nothing moves.
            text = masked
        if by != "customer":
            self._asked = names.asks(text)
        return text

    def _once(self, text: str, by: By | None) -> str:
        parts, at = [], 0
        for span in self._free(text, by):
            parts += [text[at : span.start], self._placeholder(span.kind, text[span.start : span.end])]
            at = span.end
        return "".join([*parts, text[at:]]) if parts else text

    def _free(self, text: str, by: By | None) -> list[Span]:
        """What to mask, in the order of the text: spans that overlap neither a placeholder nor a surer span."""
        taken, kept = bytearray(len(text)), []
        if "<" in text:
            self._reserve(text, taken)
        for span in self._candidates(text, by, taken):
            if span.start < span.end and taken.find(1, span.start, span.end) < 0:
                taken[span.start : span.end] = b"\1" * (span.end - span.start)
                if not self._is_public(span, text):
                    kept.append(span)
        return sorted(kept)

    def _is_public(self, span: Span, text: str) -> bool:
        return span.kind in CONTACTS and plain(text[span.start : span.end]) in self._redactor.public

    def _reserve(self, text: str, taken: bytearray) -> None:
        """Placeholders that the text came with keep their place and their number."""
        for match in PLACEHOLDER.finditer(text):
            taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
            self._counts[match[1]] = max(self._counts.get(match[1], 0), int(match[2] or 1))

    def _candidates(self, text: str, by: By | None, taken: bytearray) -> Iterator[Span]:
        yield from find(text, self._redactor.patterns, self._redactor.region, taken)
        if not self._redactor.names:
            return
        found = introduced(text, by_customer=by == "customer", given=self._redactor.given)
        if self._asked and by in ("customer", None):
            found = chain(found, names.answered(text))
        for start, end in found:
            yield Span(start, end, "NAME")
        if self._known:
            yield from self._repeated(text)

    def _placeholder(self, kind: str, value: str) -> str:
        if kind == "NAME":
            return self._person(value)
        if kind == "EMAIL" and self._redactor.names and (name := names.in_mailbox(value)):
            self._remember(name)
        key = (kind, plain(value))
        if key not in self._values:
            self._values[key] = self._next(kind)
        return self._values[key]

    def _next(self, kind: str) -> str:
        self._counts[kind] = number = self._counts.get(kind, 0) + 1
        return f"<{kind}>" if number == 1 else f"<{kind}_{number}>"

    def _remember(self, name: str) -> int:
        """The person with this name; one part of a known name is enough to be the same person."""
        words = names.words(name)
        keys = [re.sub(r"['’]s$", "", word.lower()) for word in words]
        person = next((self._known[key] for key in keys if key in self._known), len(self._people) + 1)
        self._people.setdefault(person, "")
        for word, key in zip(words, keys, strict=True):
            if word.islower():
                self._exact.add(key)
            if len(key) > 1 and key not in names.COMMON and len(self._known) < MAX_NAMES:
                self._known.setdefault(key, person)
                self._repeats = None
        return person

    def _person(self, name: str) -> str:
        """The placeholder of a person, numbered when it is first written, not when the name is learned."""
        person = self._remember(name)
        self._people[person] = self._people[person] or self._next("NAME")
        return self._people[person]

    def _repeated(self, text: str) -> Iterator[Span]:
        """Where a known name comes again: "Hope" is a name, "hope" is not, unless it was introduced that way."""
        if self._repeats is None:
            either = "|".join(re.escape(key) for key in sorted(self._known, key=len, reverse=True))
            self._repeats = re.compile(rf"(?i)(?<!\w)(?:{either})(?:\s(?:{either}))*(?!\w)")
        for match in self._repeats.finditer(text):
            if all(not word.islower() or word in self._exact for word in match.group().split()):
                yield Span(*match.span(), "NAME")


def redact(transcript: Transcript, redactor: Redactor) -> Transcript:
    """The transcript as it may be stored: texts, entity values and the reason masked, the customer a pseudonym."""
    redaction = redactor.start()
    if transcript.customer:
        redaction.learn(transcript.customer)
    texts = _texts(transcript.turns, redaction)
    turns = tuple(_masked(turn, text, redaction) for turn, text in zip(transcript.turns, texts, strict=True))
    reason = transcript.outcome.reason
    return replace(
        transcript,
        id=redactor.pseudonym(transcript.id) if _personal(transcript.id) else transcript.id,
        customer=redactor.pseudonym(transcript.customer) if transcript.customer else None,
        outcome=replace(transcript.outcome, reason=redaction.text(reason) if reason else reason),
        turns=turns,
    )


def _texts(turns: tuple[Turn, ...], redaction: Redaction) -> list[str]:
    """The masked texts; again from the start when a later turn gave a name that an earlier one may hold."""
    texts = [turn.text for turn in turns]
    known = -1
    while redaction.names_known > known:
        known = redaction.names_known
        texts = [redaction.text(text, turn.by) for text, turn in zip(texts, turns, strict=True)]
    return texts


def _masked(turn: Turn, text: str, redaction: Redaction) -> Turn:
    if not turn.entities:
        return replace(turn, text=text)
    return replace(turn, text=text, entities=tuple(_entity(entity, text, redaction) for entity in turn.entities))


def _entity(entity: dict[str, Any], text: str, redaction: Redaction) -> dict[str, Any]:
    """The entity with its value masked, and its place in the masked text or none."""
    value = entity.get("value")
    kept = {key: entity[key] for key in entity.keys() & {"entity", "role", "group", "confidence"}}
    if not isinstance(value, str):
        return {**kept, "value": value}
    masked = redaction.text(value, "system")
    at = text.find(masked)
    return {**kept, "value": masked, **({"start": at, "end": at + len(masked)} if at >= 0 and masked else {})}


def _personal(identifier: str) -> bool:
    return "@" in identifier or bool(re.search(r"\+\d{7,15}\b", identifier))
