"""`deskhand groups`: the kinds of request that training found, and an operator's word on them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from bot.commands.tables import print_table
from bot.settings import Settings
from bot.transcript import TranscriptFolder
from retrieval.bundle import Bundles
from retrieval.errors import BadInput, NotFound

if TYPE_CHECKING:
    from training.groups import Decision, Group, Key

app = typer.Typer(help="Kinds of request that training found: list, rename, merge, split.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Id = Annotated[str, typer.Argument(metavar="GROUP", help="Its id or its name.")]

LATER = "It holds from the next `deskhand train` on."


@app.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """All kinds of request with three typical ones each, what may be merged or split, and what waits for training."""
    from training.decisions import read_decisions
    from training.kinds import suggestions

    settings = Settings.build(data_dir=data)
    groups, decisions = _groups(settings), read_decisions(settings.groups)
    waiting = [_in_words(one) for one in decisions if not _done(one, groups)]
    if as_json:
        rows = [_facts(group) for group in groups]
        typer.echo(json.dumps({"groups": rows, "suggestions": suggestions(groups), "waiting": waiting}))
        return
    table = Table(
        Column("id", no_wrap=True), "kind of request", Column("messages", justify="right"), "such as", box=None
    )
    for group in groups:
        name = f"{group.name} (ignored)" if group.ignored else group.name
        table.add_row(group.id, name, str(len(group.requests)), "\n".join(group.typical))
    print_table(table)
    for line in suggestions(groups):
        console.print(f"- {line}", markup=False)
    for line in waiting:
        console.print(f"Waits for the next training: {line}", markup=False)


@app.command()
def show(group: Id, data: Data = None) -> None:
    """Every message of a kind; where a split is suggested, its two parts."""
    settings = Settings.build(data_dir=data)
    own = _one(_groups(settings), group)
    texts = _texts(settings, own)
    console.print(f"{own.id}  {own.name}  {len(own.requests)} messages", markup=False)
    for number, part in enumerate(own.parts or (own.requests,), 1):
        if own.parts:
            console.print(f"part {number}, {len(part)} messages", markup=False)
        for key in part:
            console.print(f"  {texts.get(key, '(no longer in the transcripts)')}", markup=False)


@app.command()
def rename(group: Id, name: Annotated[str, typer.Argument(help="A few plain words.")], data: Data = None) -> None:
    """Call a kind of request something else."""
    settings = Settings.build(data_dir=data)
    groups = _groups(settings)
    own, called = _one(groups, group), _name(name, groups)
    _decide(settings, "rename", own, name=called)
    console.print(f"{own.name} will be called {called}. {LATER}", markup=False)


@app.command()
def merge(
    group: Id, into: Annotated[str, typer.Argument(help="Id or name of the kind that stays.")], data: Data = None
) -> None:
    """Make two kinds of request one."""
    settings = Settings.build(data_dir=data)
    groups = _groups(settings)
    own, stays = _one(groups, group), _one(groups, into)
    if own.id == stays.id:
        raise BadInput(f"{own.name} cannot be merged with itself; name another kind")
    _decide(settings, "merge", own, into=stays.id, requests=own.requests)
    console.print(f"{own.name} will be a part of {stays.name}. {LATER}", markup=False)


@app.command()
def split(
    group: Id,
    having: Annotated[
        str, typer.Option(help="Put the messages that hold these words apart; default: as suggested.")
    ] = "",
    name: Annotated[str, typer.Option(help="What the new kind is called; default: by its words.")] = "",
    data: Data = None,
) -> None:
    """Make two kinds of request of one: as suggested, or by words that the messages of the second hold."""
    settings = Settings.build(data_dir=data)
    groups = _groups(settings)
    own = _one(groups, group)
    part = _having(settings, own, having) if having else _suggested(own)
    called = _name(name or having or f"{own.name} 2", groups)
    _decide(settings, "split", own, into=_new_id(part, groups), name=called, requests=part)
    console.print(f"{len(part)} of {len(own.requests)} messages leave {own.name} for {called}. {LATER}", markup=False)


@app.command()
def ignore(group: Id, data: Data = None) -> None:
    """Say that this is no kind of request: its messages teach no intent."""
    settings = Settings.build(data_dir=data)
    own = _one(_groups(settings), group)
    _decide(settings, "ignore", own, requests=own.requests)
    console.print(f"{own.name} will be ignored. {LATER}", markup=False)


@app.command()
def undo(data: Data = None) -> None:
    """Take the latest decision back."""
    from training.decisions import changing

    with changing(Settings.build(data_dir=data).groups) as decisions:
        if not decisions:
            raise NotFound("there is no decision about groups to take back")
        last = decisions.pop()
    console.print(
        f"Taken back: {_in_words(last)}. What a training already did stays until it is decided anew.", markup=False
    )


def _groups(settings: Settings) -> list[Group]:
    from training.groups import latest_groups

    groups = latest_groups(Bundles(settings.bundles))
    if not groups:
        raise NotFound(f"no bundle in {settings.bundles} has groups of requests; run `deskhand train` once")
    return groups


def _one(groups: list[Group], given: str) -> Group:
    for group in groups:
        if given in (group.id, group.name):
            return group
    raise NotFound(f"no kind of request {given!r}; `deskhand groups list` shows all {len(groups)}")


def _name(given: str, groups: list[Group]) -> str:
    name = "_".join(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", given.casefold()))
    if not name:
        raise BadInput(f"{given!r} has no letter or digit; give a few plain words")
    if name in {group.name for group in groups}:
        raise BadInput(f"there is a kind of request {name!r} already; merge the two, or give another name")
    return name


def _decide(
    settings: Settings, do: str, group: Group, *, into: str = "", name: str = "", requests: tuple[Key, ...] = ()
) -> None:
    from training.decisions import changing
    from training.groups import Decision

    with changing(settings.groups) as decisions:
        decisions.append(Decision(do, group.id, into=into, name=name, requests=requests))


def _suggested(group: Group) -> tuple[Key, ...]:
    if not group.parts:
        raise BadInput(f"no split of {group.name} is suggested; say by which words: --having WORDS")
    return group.parts[1]


def _having(settings: Settings, group: Group, words: str) -> tuple[Key, ...]:
    texts = _texts(settings, group)
    part = tuple(key for key in group.requests if words.casefold() in texts.get(key, "").casefold())
    if not 0 < len(part) < len(group.requests):
        raise BadInput(
            f"{len(part)} of the {len(group.requests)} messages of {group.name} hold {words!r}; give other words"
        )
    return part


def _texts(settings: Settings, group: Group) -> dict[Key, str]:
    from training.pairs import pairs

    wanted = {conversation for conversation, _ in group.requests}
    found = (pair for one in TranscriptFolder(settings.transcripts).read() if one.id in wanted for pair in pairs(one))
    return {(pair.conversation, pair.turn): pair.text for pair in found}


def _new_id(part: tuple[Key, ...], groups: list[Group]) -> str:
    digest, taken = hashlib.sha256(repr(part).encode()).hexdigest(), {group.id for group in groups}
    return next(id for n in range(len(digest)) if (id := f"g-{(digest[n:] + digest[:n])[:6]}") not in taken)


def _done(decision: Decision, groups: list[Group]) -> bool:
    """Whether the bundle was made with it."""
    by_id = {group.id: group for group in groups}
    own = by_id.get(decision.group)
    match decision.do:
        case "rename":
            return own is None or own.name == decision.name
        case "merge":
            return own is None
        case "split":
            return decision.into in by_id
        case _:
            return own is None or own.ignored


def _in_words(decision: Decision) -> str:
    match decision.do:
        case "rename":
            return f"{decision.group} is called {decision.name}"
        case "merge":
            return f"{decision.group} becomes part of {decision.into}"
        case "split":
            return f"{len(decision.requests)} messages leave {decision.group} for {decision.name}"
        case _:
            return f"{decision.group} is ignored"


def _facts(group: Group) -> dict[str, object]:
    facts = asdict(group)
    parts = [len(part) for part in group.parts]
    kept = ("id", "name", "typical", "kept", "ignored", "alike")
    return {**{key: facts[key] for key in kept}, "messages": len(group.requests), "parts": parts}
