"""Pairs -> answers: agent replies cleaned, grouped by what they say, with one text each that the bot may send.

Notable choices: replies are compared without their particulars (delexicalised) and without greetings, hold lines and
sign-offs; a group that states conflicting facts (30 days, 14 days) is split, and when one side replaced the other in
time the old one is retired; the text sent is a reply that an agent really wrote, the most central of the recent ones.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.random_projection import GaussianRandomProjection

from retrieval.types import Matrix
from training.acts import Acts, joined, sentences
from training.cluster import Labels, centroids, renumber, tight_groups, unit
from training.delex import delexicalise, facts, slots
from training.pairs import Pair

Encode = Callable[[Sequence[str]], Matrix]

FILLABLE = frozenset({"NAME", "ORDER", "EMAIL"})
PARTICULAR = frozenset({"DATE", "TIME", "DAY", "CODE", "MONEY", "NUMBER", "SPAN", "PERCENT", "PROPER", "URL"})
WORDS_WEIGHT = np.float32(0.8)
FACTS_WEIGHT = np.float32(0.6)
PROJECTED = 256
LEAST_WORDS = 4
CONSTANT = 0.4
ONE_CUSTOMERS = ("DATE", "CODE")  # what no single reply can show to hold for everybody
_WORD = re.compile(r"[^\W\d_]+")
_PLACEHOLDER = re.compile(r"<[A-Z_0-9]+>")
_PROPER = re.compile(r"[\"“']([A-Z][^\"”'\n]{2,40})[\"”']|(?<=[a-z,;] )([A-Z][\w&-]+(?: [A-Z][\w&-]+)*)")


@dataclass(frozen=True, slots=True)
class Reply:
    """What an agent said to one request: `text` cleaned, `key` delexicalised; `kind` is inform | ask | phatic."""

    pair: Pair
    turn: int
    text: str
    key: str
    kind: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A mined answer. `turns` are the (conversation, turn) it was mined from; `why` says what keeps it from serving."""

    id: str
    text: str
    kind: str
    slots: tuple[str, ...]
    servable: bool
    why: str
    count: int
    turns: tuple[tuple[str, int], ...] = field(repr=False)


def replies(pairs: Sequence[Pair], acts: Acts) -> list[Reply]:
    """One reply a pair: the first agent turn with content, cleaned."""
    parts = [[sentences(text) for text in pair.replies] for pair in pairs]
    flat = [sentence for pair in parts for turn in pair for sentence in turn]
    act = dict(zip(flat, acts.of(flat), strict=True))
    return [_reply(pair, turns, act) for pair, turns in zip(pairs, parts, strict=True)]


def _reply(pair: Pair, turns: Sequence[list[str]], act: dict[str, str]) -> Reply:
    """The turn of the block that says most, without its greetings, hold lines and sign-offs."""
    content = [
        joined([sentence for sentence in turn if act[sentence] == "content"], said)
        for turn, said in zip(turns, pair.replies, strict=True)
    ]
    index = max(range(len(turns)), key=lambda i: (len(content[i].split()), -i))
    text = content[index]
    if len(_WORD.findall(text)) < LEAST_WORDS and not slots(text):
        text = pair.replies[0].strip()
        return Reply(pair, pair.reply_turns[0], text, delexicalise(text), "phatic")
    kind = "ask" if text.endswith("?") else "inform"
    return Reply(pair, pair.reply_turns[index], text, delexicalise(text), kind)


def group(
    found: Sequence[Reply], encode: Encode, *, similarity: float, most: int, seed: int, requests: Matrix, weight: float
) -> tuple[Labels, list[tuple[int, int]]]:
    """A group number for each reply, and the pairs of groups that state conflicting facts about the same thing.

    Alike are replies that say the same to requests that ask the same in the same place: `requests` are the encoded
    customer messages with what was said before, one row a reply; `weight` is how much they count beside the replies.
    """
    vectors = encode([reply.key for reply in found])
    said = [WORDS_WEIGHT * words(found, seed=seed), FACTS_WEIGHT * figures(found)]
    joint = np.hstack([vectors, np.float32(weight) * requests, *said])
    kinds = np.array([reply.kind for reply in found])
    labels = np.zeros(len(found), np.int64)
    offset = 0
    for kind in sorted(set(kinds.tolist())):
        rows = np.flatnonzero(kinds == kind)
        share = max(2, round(most * len(rows) / len(found)))
        labels[rows] = offset + tight_groups(joint[rows], similarity=similarity, most=share, seed=seed)
        offset = int(labels.max()) + 1
    return _split_conflicts(found, renumber(labels))


def words(found: Sequence[Reply], *, seed: int) -> Matrix:
    """(n, at most 256) unit rows: the words and facts of each reply, weighted by tf-idf, randomly projected.

    The encoder hears style and mood; agents who word the same answer differently share its terms and its numbers.
    """
    counts = TfidfVectorizer(analyzer=_terms, min_df=min(3, len(found)), sublinear_tf=True)
    try:
        table = counts.fit_transform(found)
    except ValueError:  # no term is frequent enough
        return np.zeros((len(found), 1), np.float32)
    if table.shape[1] <= PROJECTED:
        return np.asarray(table.toarray(), np.float32)
    return unit(np.asarray(GaussianRandomProjection(PROJECTED, random_state=seed).fit_transform(table), np.float32))


def figures(found: Sequence[Reply]) -> Matrix:
    """(n, at most 256) unit rows: the facts of each reply alone, rare ones count more; zero where none is stated.

    A terse and a wordy agent share few words, and still promise the same "5 working days, then 2 to 3 for the bank".
    """
    counts = TfidfVectorizer(analyzer=lambda reply: sorted(facts(reply.text)), max_features=PROJECTED)
    try:
        return np.asarray(counts.fit_transform(found).toarray(), np.float32)
    except ValueError:  # no reply states a fact
        return np.zeros((len(found), 1), np.float32)


def _terms(reply: Reply) -> list[str]:
    return [word for word in _WORD.findall(reply.key.lower()) if len(word) > 2] + sorted(facts(reply.text))


def _split_conflicts(found: Sequence[Reply], labels: Labels) -> tuple[Labels, list[tuple[int, int]]]:
    """Give replies with a fact that excludes the group's main fact of the same kind a group of their own."""
    labels, conflicts = labels.copy(), []
    told = [facts(reply.text) for reply in found]
    fresh = int(labels.max()) + 1
    for label in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == label)
        for rival in _rivals([told[i] for i in rows]):
            moved = [i for i in rows if rival in told[i] and labels[i] == label]
            if 0 < len(moved) < np.count_nonzero(labels == label):
                labels[moved] = fresh
                conflicts.append((label, fresh))
                fresh += 1
    return labels, conflicts


def _rivals(told: Sequence[frozenset[str]]) -> Iterator[str]:
    """Facts stated by several replies of a group, never beside the main fact of their kind (SPAN, MONEY, ...)."""
    counts = Counter(fact for facts_ in told for fact in facts_)
    main: dict[str, str] = {}
    for fact, _ in counts.most_common():
        main.setdefault(fact.split()[0], fact)
    for fact, count in counts.items():
        first = main[fact.split()[0]]
        if fact != first and count >= 3 and counts[first] >= 3:
            both = sum(fact in facts_ and first in facts_ for facts_ in told)
            if both <= 0.1 * count:
                yield fact


def answers(found: Sequence[Reply], labels: Labels, vectors: Matrix, *, least: int) -> list[Answer]:
    """One answer for each group number, in that order. `vectors` are the encoded keys of `found`.

    An answer that fewer than `least` conversations gave is kept, and learned from, but not sent.
    """
    middle = centroids(vectors, labels)
    newest = max((reply.pair.at for reply in found), default=0.0)
    members: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels.tolist()):
        members[label].append(row)
    made = []
    for label in sorted(members):
        rows = members[label]
        central = vectors[rows] @ middle[label] - _age(found, rows, newest)
        made.append(_answer([found[i] for i in rows], central, least))
    return _unique_ids(made)


def _age(found: Sequence[Reply], rows: Sequence[int], newest: float) -> Matrix:
    """A small handicap for old wordings: 0.1 for one that is a year old."""
    ages = np.array([(newest - found[i].pair.at) / (365 * 86400) if found[i].pair.at else 0.0 for i in rows])
    return np.asarray(np.minimum(ages, 3) * 0.1, np.float32)


def _answer(own: Sequence[Reply], central: Matrix, least: int) -> Answer:
    reply, blocked = _text(own, central)
    needed = tuple(dict.fromkeys(name for name, _ in slots(reply.text) if name in FILLABLE))
    talks = len({r.pair.conversation for r in own})
    why = ""
    if reply.kind != "inform":
        why = "it asks back" if reply.kind == "ask" else "it is small talk"
    elif blocked:
        why = f"it states facts of one customer ({', '.join(blocked)})"
    elif talks < least and not any(r.pair.trusted for r in own):
        why = f"it was said in {talks} conversation{'s' * (talks != 1)} only"
    turns = tuple((r.pair.conversation, r.turn) for r in own)
    digest = hashlib.sha256(reply.key.encode()).hexdigest()[:10]
    return Answer(f"a-{digest}", reply.text, reply.kind, needed, not why, why, len(own), turns)


def _text(own: Sequence[Reply], central: Matrix) -> tuple[Reply, tuple[str, ...]]:
    """The most central reply that may be sent, and what keeps it from being sent where none may.

    Only the more central half is asked: what a few outliers say is not what the group says, however harmless it is.
    """
    varying = _varying(own)
    typical = float(np.quantile(central, 0.5, method="lower"))
    order = [i for i in np.argsort(-central, kind="stable").tolist() if central[i] >= typical]
    blocked = {i: _blocking(own[i].text, varying) for i in order}
    best = min(order, key=lambda i: blocked[i] != ())
    return own[best], blocked[best]


def _varying(own: Sequence[Reply]) -> frozenset[str]:
    """Particulars whose value changes from reply to reply, so that no one value can be promised.

    A value is constant when at least two in five of the replies that state something of its kind state it.
    """
    values: dict[str, Counter[str]] = defaultdict(Counter)
    stating: Counter[str] = Counter()
    for reply in own:
        told = {(kind, value.lower()) for kind, value in particulars(reply.text) if kind in PARTICULAR}
        stating.update({kind for kind, _ in told})
        for kind, value in told:
            values[kind][value] += 1
    if len(own) == 1:
        return frozenset(f"{kind} {value}" for kind in ONE_CUSTOMERS for value in values[kind])
    return frozenset(
        f"{kind} {value}"
        for kind, counts in values.items()
        for value, count in counts.items()
        if count < max(2, CONSTANT * stating[kind])
    )


def particulars(text: str) -> list[tuple[str, str]]:
    """`slots`, and as PROPER what is quoted or written with a capital inside a sentence: hotels, people, products."""
    bare = _PLACEHOLDER.sub(" ", text)
    return slots(text) + [("PROPER", next(filter(None, match.groups()))) for match in _PROPER.finditer(bare)]


def _blocking(text: str, varying: frozenset[str]) -> tuple[str, ...]:
    """The particulars of `text` that keep it from being sent to another customer."""
    blocked = []
    for kind, value in particulars(text):
        private = kind not in PARTICULAR and kind not in FILLABLE
        if private or f"{kind} {value.lower()}" in varying:
            blocked.append(kind.lower())
    return tuple(dict.fromkeys(blocked))


def replaced(found: Sequence[Reply], labels: Labels, conflicts: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Old group -> the newer group that took its place: they conflict, and the old one has not been said since.

    "Since" means: nine tenths of the old group lie before nine tenths of the newer one.
    """
    times: dict[int, list[float]] = defaultdict(list)
    for reply, label in zip(found, labels.tolist(), strict=True):
        times[label].append(reply.pair.at)
    gone = {}
    for pair in conflicts:
        old, new = sorted(pair, key=lambda label: float(np.median(times[label])))
        if np.quantile(times[old], 0.9) < np.quantile(times[new], 0.1):
            gone[old] = new
    return gone


def _unique_ids(made: list[Answer]) -> list[Answer]:
    """Two groups may have the same wording once delexicalised; the later ones get a suffix."""
    seen: Counter[str] = Counter()
    out = []
    for answer in made:
        seen[answer.id] += 1
        out.append(answer if seen[answer.id] == 1 else replace(answer, id=f"{answer.id}-{seen[answer.id]}"))
    return out
