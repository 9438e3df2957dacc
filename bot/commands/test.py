"""`deskhand test`: the desk's own tests of its dialogue, and Rasa's test stories."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bot.commands.serve import one_thread_each
from bot.settings import Settings
from retrieval.errors import DeskhandError

if TYPE_CHECKING:
    from bot.testing.outcome import Coverage, Outcome

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True, emoji=False)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Folder of the dialogue files (DESKHAND_CONFIG_DIR).")]


class FailedTests(DeskhandError):
    title = "Tests failed"


@app.command("test")
def command(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders; default: those of the config.")] = None,
    data: Data = None,
    config: ConfigDir = None,
    actions: Annotated[str | None, typer.Option(help="Action server (DESKHAND_ACTIONS_URL).")] = None,
    only_dialogue: Annotated[
        bool, typer.Option("--only-dialogue", help="Take the intents of test stories for granted; needs no bundle.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run conversation tests and Rasa test stories; the first difference of each, and what no test went through."""
    one_thread_each()
    from bot.testing.run import run_tests

    settings = Settings.build(data_dir=data, config_dir=config, actions_url=actions)
    where = paths or [settings.config_dir]
    outcomes, found = asyncio.run(run_tests(settings, where, only_dialogue=only_dialogue))
    if as_json:
        typer.echo(json.dumps(as_object(outcomes, found), ensure_ascii=False))
    else:
        show(outcomes, found)
    failed = sum(not outcome.passed for outcome in outcomes)
    if failed:
        raise FailedTests(f"{failed} of {len(outcomes)} tests failed")


def show(outcomes: Sequence[Outcome], found: Sequence[Coverage]) -> None:
    from bot.testing.outcome import share

    for outcome in outcomes:
        if outcome.difference:
            console.print(f"FAILED {outcome.name}", markup=False, style="red")
            console.print(f"  {outcome.difference}", markup=False)
    console.print(f"{sum(outcome.passed for outcome in outcomes)} of {len(outcomes)} tests passed")
    for one in found:
        if one.total:
            missing = f"; not reached: {', '.join(one.missing[:12])}" if one.missing else ""
            more = f" and {len(one.missing) - 12} more" if len(one.missing) > 12 else ""
            console.print(f"  {one.reached} of {one.total} {one.kind}{missing}{more}", markup=False)
    console.print(f"coverage {share(found):.0%}")


def as_object(outcomes: Sequence[Outcome], found: Sequence[Coverage]) -> dict[str, object]:
    from bot.testing.outcome import share

    return {
        "tests": len(outcomes),
        "passed": sum(outcome.passed for outcome in outcomes),
        "failures": [
            {
                "test": outcome.name,
                "file": outcome.difference.place.file,
                "line": outcome.difference.place.line,
                "wanted": outcome.difference.wanted,
                "got": outcome.difference.found,
                "said": outcome.difference.said,
            }
            for outcome in outcomes
            if outcome.difference
        ],
        "coverage": share(found),
        "parts": {one.kind: {"total": one.total, "missing": list(one.missing)} for one in found},
    }
