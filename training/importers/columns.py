"""Finds out which column of a table is what, and which authors are the desk's; by option, by name, by content."""

from __future__ import annotations

import difflib
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from bot.transcript import By
from retrieval.errors import BadInput
from training.importers.times import clock

NAMES: Mapping[str, str] = {
    "conversation": "conversation_id conversation thread_id thread chat_id chat ticket_id ticket session_id session "
    "dialogue_id dialog_id dialogue dialog case_id case issue_id conv_id room_id room",
    "by": "by speaker author role sender_type author_type sender from user_type actor participant direction inbound "
    "author_role speaker_role who",
    "text": "text message body content utterance msg comment message_text transcript",
    "at": "at time timestamp created_at sent_at datetime date created date_time message_time",
    "customer": "customer customer_id user_id requester requester_id visitor_id",
    "channel": "channel via",
    "language": "language lang locale",
    "intent": "intent",
    "action": "action",
}
"""Role -> column names that mean it, the surest first. The first three roles are required."""

REQUIRED = ("conversation", "by", "text")
_WORDS: Mapping[By, str] = {
    "customer": "customer user client visitor guest requester end-user end_user enduser contact consumer caller buyer "
    "inbound incoming in true patient member",
    "agent": "agent support operator staff admin administrator rep representative advisor adviser employee company "
    "brand helpdesk csr outbound outgoing out false desk seller",
    "bot": "bot chatbot assistant virtual_assistant virtual-agent autoresponder",
    "system": "system event note automation info",
}
ROLES: Mapping[str, By] = {word: by for by, words in _WORDS.items() for word in words.split()}
_MANY = 3


def columns_of(header: Sequence[str], sample: Sequence[Sequence[str]], given: Mapping[str, str]) -> dict[str, int]:
    """Role -> column number: what `given` says, then what the names say, then what the content of `sample` says."""
    found = _given(header, given)
    for role in NAMES:
        if role not in found and given.get(role) != "-" and (index := _by_name(header, role, found)) is not None:
            found[role] = index
    for role in ("at", *REQUIRED):
        if (
            role not in found
            and given.get(role) != "-"
            and (index := _by_content(role, header, sample, found)) is not None
        ):
            found[role] = index
    if missing := [role for role in REQUIRED if role not in found]:
        raise BadInput(
            f"no column found for {', '.join(missing)}; the columns are {', '.join(header)}. "
            f"Name them: {' '.join(f'--column {role}=NAME' for role in missing)}"
        )
    return found


def _given(header: Sequence[str], given: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for role, name in given.items():
        if role not in NAMES:
            raise BadInput(
                f"--column {role}={name}: unknown role {role!r}; known: {', '.join(NAMES)}{_near(role, NAMES)}"
            )
        if name == "-":
            continue
        if name not in header:
            there = f"{', '.join(header)}{_near(name, header)}"
            raise BadInput(f"--column {role}={name}: there is no column {name!r}; there are {there}")
        found[role] = list(header).index(name)
    return found


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f". Did you mean {near[0]!r}?" if near else ""


def _by_name(header: Sequence[str], role: str, found: Mapping[str, int]) -> int | None:
    plain = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in header]
    free = (plain.index(name) for name in NAMES[role].split() if name in plain)
    return next((index for index in free if index not in found.values()), None)


def _by_content(
    role: str, header: Sequence[str], sample: Sequence[Sequence[str]], found: Mapping[str, int]
) -> int | None:
    scores = {
        index: _LIKELY[role]([row[index] for row in sample])
        for index in range(len(header))
        if index not in found.values()
    }
    best = max(scores, key=scores.__getitem__, default=None)
    return best if best is not None and scores[best] > 0 else None


def _text_like(values: Sequence[str]) -> float:
    words = statistics.fmean(len(value.split()) for value in values) if values else 0.0
    return words if words >= 2 else 0.0


def _author_like(values: Sequence[str]) -> float:
    """Few values that alternate; a plus when they are words such as "agent"."""
    kinds = set(values)
    if not 2 <= len(kinds) <= max(2, len(values) // 2):
        return 0.0
    changes = sum(a != b for a, b in pairwise(values)) / len(values)
    return changes + sum(kind.lower() in ROLES for kind in kinds)


def _conversation_like(values: Sequence[str]) -> float:
    """Values that come in runs: fewer changes than rows, but not one for all."""
    changes = sum(a != b for a, b in pairwise(values))
    return len(set(values)) / (1 + changes) if 0 < changes < 0.7 * len(values) and "" not in values else 0.0


def _time_like(values: Sequence[str]) -> float:
    filled = [value for value in values if value]
    return 1.0 if filled and clock(filled[:50]) else 0.0


_LIKELY = {"at": _time_like, "text": _text_like, "by": _author_like, "conversation": _conversation_like}


def speakers(authors: Mapping[str, int], conversations: int, agents: Sequence[str]) -> dict[str, By]:
    """Author value -> speaker. `authors` counts the conversations of each; `agents` are those that the operator named.

    Known words ("agent", "customer", "bot") speak for themselves; beside one of them unknown values are the other side.
    Among people's names, those are agents who talk in several conversations while most talk in one.
    """
    if agents:
        if unknown := [agent for agent in agents if agent not in authors]:
            raise BadInput(
                f"--agent {unknown[0]!r}: nobody has that name in the author column; there are {_some(authors)}"
            )
        return {author: "agent" if author in agents else _or_customer(author) for author in authors}
    found = {author: ROLES[author.strip().lower()] for author in authors if author.strip().lower() in ROLES}
    rest = [author for author in authors if author not in found]
    sides = set(found.values()) & {"customer", "agent"}
    if rest and len(sides) != 2:
        found |= _guess(rest, authors, conversations, sides)
    if "agent" not in found.values() and "bot" not in found.values():
        raise BadInput(f"no turn is by an agent: the authors are {_some(authors)}. Say who answers: --agent VALUE")
    if rest := [author for author in rest if author not in found]:
        raise BadInput(
            f"the author column has {_some(rest)} beside customers and agents. Say who answers: --agent VALUE"
        )
    return found


def _or_customer(author: str) -> By:
    by = ROLES.get(author.strip().lower(), "customer")
    return by if by in ("bot", "system") else "customer"


def _guess(rest: Sequence[str], authors: Mapping[str, int], conversations: int, sides: set[By]) -> dict[str, By]:
    if sides:
        other: By = "customer" if "agent" in sides else "agent"
        return dict.fromkeys(rest, other)
    busy = [author for author in rest if authors[author] >= min(_MANY, max(2, conversations))]
    if not busy or len(busy) > len(rest) / 2:
        raise BadInput(f"cannot tell who the agents are among {_some(rest)}. Say who answers: --agent VALUE")
    return {author: "agent" if author in busy else "customer" for author in rest}


def _some(values: Iterable[str]) -> str:
    shown = [repr(value[:40]) for value in values]
    return ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")
