"""Mined intents under the ids and names that they had before, as operators decided, and what the report says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from retrieval.types import Matrix
from training.groups import Group, settle
from training.intents import NOISE
from training.mine import Mined
from training.pairs import Pair
from training.suggestions import suggested

Encode = Callable[[Sequence[str]], Matrix]

SHOWN = 60


def settled(
    mined: Mined, pairs: Sequence[Pair], encode: Encode, before: Sequence[Group], *, domain: Collection[str]
) -> tuple[Mined, tuple[Group, ...]]:
    """`mined` with its induced intents as groups that follow those of `before`; `domain` are the intents that the
    dialogue names, which come first in `mined.intents` and are no groups. Requests of an ignored group have none."""
    requests, texts = encode([pair.text for pair in pairs]), [pair.text for pair in pairs]
    labels = np.where(mined.intent_of >= len(domain), mined.intent_of - len(domain), NOISE)
    found = settle(labels, mined.intents[len(domain) :], pairs, requests, before, taken=domain)
    groups = suggested(found, texts, requests, encode(mined.keys), mined.answer_of)
    used = [number for number, group in enumerate(groups) if not group.ignored]
    number_of = np.full(len(groups) + 1, NOISE, np.int64)  # the last is that of NOISE
    number_of[used] = len(domain) + np.arange(len(used))
    theirs = np.where(mined.intent_of < len(domain), mined.intent_of, NOISE)
    intent_of = np.where(found.group_of == NOISE, theirs, number_of[found.group_of])
    names = (*mined.intents[: len(domain)], *(groups[number].name for number in used))
    return replace(mined, intents=names, intent_of=intent_of), groups


def section(groups: Sequence[Group], cell: Callable[[str], str]) -> list[str]:
    """Lines of Markdown; `cell` makes a text fit into a table."""
    if not groups:
        return []
    shown = [group for group in groups if not group.ignored]
    lines = [
        "## Kinds of request that were found",
        "Nobody named them. `deskhand groups` lists them, and renames, merges, splits or ignores one; that holds from "
        "the next training on.",
        "",
        "| id | kind of request | messages | such as |",
        "| --- | --- | ---: | --- |",
        *(
            f"| {group.id} | {cell(group.name)} | {len(group.requests)} | {cell(' / '.join(group.typical))} |"
            for group in shown[:SHOWN]
        ),
    ]
    if more := len(shown) - SHOWN:
        lines += ["", f"{more} rarer ones are not shown."] if more > 0 else []
    advice = list(suggestions(groups))
    return [*lines, "", *(f"- {cell(line)}" for line in advice)] if advice else lines


def suggestions(groups: Sequence[Group]) -> list[str]:
    """Sentences, each with the command that does it."""
    name = {group.id: group.name for group in groups}
    merges = [
        f"{group.name} and {name[other]} may be one kind: {why}. deskhand groups merge {group.id} {other}"
        for group in groups
        for other, why in group.alike
        if other in name
    ]
    splits = [
        f"{group.name} may be two kinds, such as {one[0]!r} and {two[0]!r}, answered differently. "
        f"deskhand groups split {group.id}"
        for group in groups
        if group.parts
        for one, two in [group.parts_typical]
    ]
    return merges + splits
