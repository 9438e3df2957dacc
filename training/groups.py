"""Kinds of request that keep their id and name from training to training, and what an operator decided about them.

A new grouping takes over the ids of the one before by the requests that both hold. Groups that an operator merged,
split or ignored are `kept`: their requests stay where they were put, and new ones that were grouped with them follow.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from retrieval.bundle import Bundles
from retrieval.types import Matrix
from training.cluster import Labels, unit
from training.intents import NOISE
from training.pairs import Pair

FILE = "groups.jsonl"
TYPICAL = 3
LONG = 30

Key = tuple[str, int]
"""A request: its conversation and its turn there."""


@dataclass(frozen=True)
class Group:
    """`requests` are its members; `parts` are the two halves of a split that is suggested, `alike` the groups that a
    merge is suggested with, each with the reason."""

    id: str
    name: str
    requests: tuple[Key, ...] = field(repr=False)
    typical: tuple[str, ...] = ()
    kept: bool = False
    ignored: bool = False
    alike: tuple[tuple[str, str], ...] = ()
    parts: tuple[tuple[Key, ...], ...] = field(default=(), repr=False)
    parts_typical: tuple[tuple[str, ...], ...] = ()

    def row(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Group:
        return cls(
            row["id"], row["name"], _keys(row["requests"]), tuple(row["typical"]), row["kept"], row["ignored"],
            tuple((id, why) for id, why in row["alike"]), tuple(_keys(part) for part in row["parts"]),
            tuple(tuple(texts) for texts in row["parts_typical"]),
        )  # fmt: skip


def _keys(rows: Iterable[Sequence[Any]]) -> tuple[Key, ...]:
    return tuple((str(conversation), int(turn)) for conversation, turn in rows)


@dataclass(frozen=True)
class Decision:
    """What an operator decided: `do` is rename | merge | split | ignore. `into` is the group that the `requests` of
    `group` go to, `name` the new name of `group`, or that of `into` for a split."""

    do: str
    group: str
    into: str = ""
    name: str = ""
    requests: tuple[Key, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Decision:
        return cls(**{**row, "requests": _keys(row["requests"])})


def read_groups(bundle: Path) -> list[Group]:
    """Those of a bundle, the largest first; none for a bundle that was made before there were any."""
    path = bundle / FILE
    if not path.is_file():
        return []
    return [Group.of(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def latest_groups(bundles: Bundles) -> list[Group]:
    """Of the bundle in service, or of the latest where none is."""
    ids = bundles.ids()
    id = bundles.current() or (ids[-1] if ids else None)
    return read_groups(bundles.root / id) if id else []


def decided(groups: Sequence[Group], decisions: Sequence[Decision]) -> list[Group]:
    """`groups` as they are once all decisions are carried out, in their order. To do it again changes nothing."""
    home: dict[Key, str] = {key: group.id for group in groups for key in group.requests}
    names = {group.id: group.name for group in groups}
    kept = {group.id for group in groups if group.kept}
    ignored = {group.id for group in groups if group.ignored}
    for one in decisions:
        if one.do == "rename":
            names[one.group] = one.name
        elif one.do == "ignore":
            ignored.add(one.group)
            home.update(dict.fromkeys(one.requests, one.group))
        else:
            home.update(dict.fromkeys(one.requests, one.into))
            if one.do == "merge":
                home.update({key: one.into for key, id in home.items() if id == one.group})
        kept |= {id for id in (one.group, one.into) if id and one.do != "rename"}
        names.setdefault(one.into or one.group, one.name or one.into or one.group)
    members: dict[str, list[Key]] = defaultdict(list)
    for key, id in home.items():
        members[id].append(key)
    old = {group.id: group for group in groups}
    return [
        replace(
            old.get(id, Group(id, "", ())), name=names[id], requests=tuple(keys), kept=id in kept, ignored=id in ignored
        )
        for id, keys in members.items()
    ]


@dataclass(frozen=True)
class Settled:
    """`group_of` (n,) numbers `groups`, `NOISE` for a request of none."""

    groups: tuple[Group, ...]
    group_of: Labels


def settle(
    labels: Labels, names: Sequence[str], pairs: Sequence[Pair], requests: Matrix, before: Sequence[Group],
    *, taken: Iterable[str] = (),
) -> Settled:  # fmt: skip
    """New groups under the ids and names of `before`. `labels` (n,) number the new groups, called `names`; `requests`
    (n, d) are the encoded messages; names in `taken` belong to somebody else."""
    keys = [(pair.conversation, pair.turn) for pair in pairs]
    home = {key: group.id for group in before for key in group.requests}
    known = np.array([home.get(key, "") for key in keys], dtype=object)
    kept = {group.id for group in before if group.kept}
    ids = _followed(labels, known, kept, requests)
    named = {group.id: group.name for group in before}
    used = set(home.values()) | set(named)
    for label, id in _inherited(labels, ids, known, kept).items():
        rows = np.flatnonzero((labels == label) & (ids == ""))
        own = id or _new_id([keys[row] for row in rows.tolist()], used)
        used.add(own)
        named.setdefault(own, names[label])
        ids[rows] = own
    return _settled(ids, keys, [pair.text for pair in pairs], requests, before, named, set(taken))


def _followed(labels: Labels, known: Any, kept: set[str], requests: Matrix) -> Any:
    """The kept group of each request, "" for none: those that are in one stay, and where they are most of what was
    known of a new group, the rest of it goes to the kept group of the nearest of them."""
    stays = np.array([id in kept for id in known.tolist()], bool)
    ids = np.where(stays, known, "").astype(object)
    for label in np.unique(labels[labels != NOISE]):
        rows = np.flatnonzero(labels == label)
        fixed, rest = rows[stays[rows]], rows[~stays[rows]]
        if len(rest) and 2 * len(fixed) > np.count_nonzero(known[rows] != ""):
            ids[rest] = known[fixed][(requests[rest] @ requests[fixed].T).argmax(1)]
    return ids


def _inherited(labels: Labels, ids: Any, known: Any, kept: set[str]) -> dict[int, str]:
    """New group -> the id of the group before with which it shares most, "" where that is little of both."""
    free = (labels != NOISE) & (ids == "")
    new = [int(label) for label in np.unique(labels[free])]
    old = sorted({id for id in known.tolist() if id and id not in kept})
    shared = np.zeros((len(new), len(old)))
    where, column = {label: i for i, label in enumerate(new)}, {id: i for i, id in enumerate(old)}
    for label, id in zip(labels[free].tolist(), known[free].tolist(), strict=True):
        if id in column:
            shared[where[label], column[id]] += 1
    found = dict.fromkeys(new, "")
    if shared.size:
        for i, j in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[i, j] and (2 * shared[i, j] >= shared[i].sum() or 2 * shared[i, j] >= shared[:, j].sum()):
                found[new[i]] = old[j]
    return found


def _new_id(members: Sequence[Key], used: set[str]) -> str:
    digest = hashlib.sha256(repr(min(members)).encode()).hexdigest()
    return next(id for n in range(len(digest)) if (id := f"g-{(digest[n:] + digest[:n])[:6]}") not in used)


def _settled(
    ids: Any, keys: Sequence[Key], texts: Sequence[str], requests: Matrix, before: Sequence[Group],
    named: Mapping[str, str], taken: set[str],
) -> Settled:  # fmt: skip
    old = {group.id: group for group in before}
    counts = Counter(id for id in ids.tolist() if id)
    made: list[Group] = []
    group_of = np.full(len(keys), NOISE, np.int64)
    for id in sorted(counts, key=lambda id: (id not in old, -counts[id], id)):  # names that were there come first
        rows = np.flatnonzero(ids == id)
        own = Group(
            id, _distinct(named[id], taken), tuple(keys[row] for row in rows.tolist()), typical(texts, requests, rows),
            kept=id in old and old[id].kept, ignored=id in old and old[id].ignored,
        )  # fmt: skip
        taken.add(own.name)
        made.append(own)
    order = sorted(range(len(made)), key=lambda i: (-len(made[i].requests), made[i].id))
    groups = tuple(made[i] for i in order)
    for number, group in enumerate(groups):
        group_of[ids == group.id] = number
    return Settled(groups, group_of)


def _distinct(name: str, taken: set[str]) -> str:
    number, unique = 2, name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def typical(texts: Sequence[str], requests: Matrix, rows: Labels) -> tuple[str, ...]:
    """Up to three different requests, central and unlike each other; long ones only where there are no short ones."""
    short = np.array([len(texts[row].split()) <= LONG for row in rows], bool)
    own = (rows[short] if short.any() else rows).tolist()
    vectors = unit(requests[own])
    central = vectors @ unit(vectors.mean(0))
    said: list[int] = []
    while len(said) < TYPICAL:
        told = {texts[own[i]].casefold() for i in said}
        left = [i for i in range(len(own)) if texts[own[i]].casefold() not in told]
        if not left:
            break
        near = (vectors[left] @ vectors[said].T).max(1) if said else np.zeros(len(left))
        said.append(left[int(np.argmax(central[left] - 0.5 * near))])
    return tuple(texts[own[i]] for i in said)
