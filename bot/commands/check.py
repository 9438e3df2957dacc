"""`deskhand check`: validates the dialogue files of a folder, as `rasa data validate` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bot.settings import Settings
from bot.slots import REQUESTED
from retrieval.errors import DeskhandError

if TYPE_CHECKING:
    from bot.domain import Domain
    from bot.problems import Problems

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True, emoji=False)


class DialogueErrors(DeskhandError):
    """The files were read and are wrong: a failure of the work that was asked for."""

    title = "Errors in the dialogue files"


@app.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="Folder of domain.yml, or a file.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check domain, rules, stories and examples: unknown, unused and contradicting names, with file and line."""
    from bot.domain_check import examine

    where = path or Settings.build().config_dir
    domain, problems = examine(where)
    if as_json:
        typer.echo(json.dumps(_as_json(domain, problems)))
    else:
        _print(where, domain, problems)
    failures = len(problems) if strict else len(problems.errors)
    if failures:
        raise DialogueErrors(f"{where}: {failures} problem(s) in the dialogue files; each says where and its cure")


def _counts(domain: Domain) -> dict[str, int]:
    return {
        "intents": len(domain.intents),
        "examples": len(domain.nlu.examples),
        "slots": len(domain.slots.keys() - {REQUESTED}),
        "forms": len(domain.forms),
        "responses": len(domain.responses),
        "actions": len(domain.actions),
        "rules": len(domain.rules),
        "stories": len(domain.stories),
    }


def _print(where: Path, domain: Domain, problems: Problems) -> None:
    for problem in problems:
        style = "red" if problem.level == "error" else "yellow"
        console.print(f"{problem.place}: ", end="", markup=False)
        console.print(problem.level, style=style, end="")
        console.print(f": {problem.text}", markup=False)
    counts = ", ".join(f"{count} {name}" for name, count in _counts(domain).items())
    console.print(f"{where}: {counts}", markup=False)
    warnings = len(problems) - len(problems.errors)
    console.print(f"{len(problems.errors)} errors, {warnings} warnings", markup=False)


def _as_json(domain: Domain, problems: Problems) -> dict[str, object]:
    found = [
        {"file": problem.place.file, "line": problem.place.line, "level": problem.level, "text": problem.text}
        for problem in problems
    ]
    return {**_counts(domain), "problems": found}
