"""`deskhand migrate`: a Rasa project becomes a desk, and what does not come along is said with its line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from bot.commands.test import FailedTests, as_object, show
from bot.settings import Settings
from retrieval.errors import BadInput

if TYPE_CHECKING:
    from bot.rasa_project.project import Project
    from bot.testing.outcome import Coverage, Outcome

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True, emoji=False)

TITLES = {"works": "Works", "differs": "Works differently", "unsupported": "Not supported"}
DATA = "deskhand-data"


@app.command()
def migrate(
    project: Annotated[Path, typer.Argument(help="Folder of the Rasa project, the one with domain.yml.")],
    data: Annotated[
        Path | None, typer.Option("--data", help=f"Data directory; default: {DATA} in the project.")
    ] = None,
    check_only: Annotated[bool, typer.Option("--check-only", help="Write, train and test nothing.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write deskhand.yml anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take over a Rasa project: write our configuration beside its files, train, run its test stories, report."""
    from bot.rasa_project.project import read_project, tested, write_config

    found = read_project(project)
    settings = Settings.build(config_dir=project, data_dir=data or project / DATA)
    if not as_json:
        _report(found)
    if errors := [problem for problem in found.problems if problem.level == "error"]:
        raise BadInput(
            f"{project}: {len(errors)} error(s) in the dialogue files, listed above; mend them and run again"
        )
    if check_only:
        if as_json:
            typer.echo(json.dumps(_object(found, None, None)))
        return
    written = write_config(found, overwrite=overwrite)
    bundle = _train(settings)
    results = tested(settings) if found.tests else None
    if as_json:
        typer.echo(json.dumps(_object(found, bundle, results), ensure_ascii=False))
    else:
        _show_results(found, settings, written, bundle, results)
    if results and (failed := sum(not outcome.passed for outcome in results[0])):
        raise FailedTests(
            f"{failed} of {len(results[0])} of the project's test stories fail; their first differences are above"
        )


def _train(settings: Settings) -> str:
    from bot.commands.train import train_bundle
    from retrieval.bundle import Bundles
    from training.promote import judge_examples, promote

    id = train_bundle(settings)
    bundles = Bundles(settings.bundles)
    promote(bundles, id, judge_examples(bundles, id), forced_because="migrated from Rasa")
    return id


def _report(project: Project) -> None:
    domain = project.domain
    counts = {
        "intents": len(domain.intents), "examples": len(domain.nlu.examples), "slots": len(domain.slots) - 1,
        "forms": len(domain.forms), "responses": len(domain.responses), "actions": len(domain.actions),
        "rules": len(domain.rules), "stories": len(domain.stories), "test stories": project.tests,
    }  # fmt: skip
    console.print(f"{project.path}: {', '.join(f'{count} {name}' for name, count in counts.items())}", markup=False)
    for verdict, title in TITLES.items():
        findings = [one for one in project.findings if one.verdict == verdict]
        if findings:
            console.print(f"\n{title}", style="bold")
        for one in findings:
            console.print(f"  {one.place}: {one.text}", markup=False)
    if project.problems:
        console.print("\nIn the dialogue files (deskhand check)", style="bold")
    for problem in project.problems:
        console.print(f"  {problem}", markup=False)


def _show_results(
    project: Project,
    settings: Settings,
    written: Path | None,
    bundle: str,
    results: tuple[list[Outcome], list[Coverage]] | None,
) -> None:
    kept = f"{project.path / 'deskhand.yml'} was there and stays (--overwrite writes it anew)"
    console.print(f"\nWritten: {written}" if written else f"\n{kept}", markup=False)
    console.print(f"Trained: bundle {bundle}, in service in {settings.data_dir}", markup=False)
    console.print("\nThe project's own test stories", style="bold")
    if results:
        show(*results)
    else:
        console.print("none; docs/testing.md says how to write some")
    places = f"--config {shlex.quote(str(settings.config_dir))} --data {shlex.quote(str(settings.data_dir))}"
    console.print("\nNext", style="bold")
    for name, value in project.config.environment.items():
        console.print(f"  export {name}={shlex.quote(value)}", markup=False)
    console.print(f"  deskhand serve {places}", markup=False)


def _object(
    project: Project, bundle: str | None, results: tuple[Sequence[Outcome], Sequence[Coverage]] | None
) -> dict[str, Any]:
    places = [
        {"file": one.place.file, "line": one.place.line, "verdict": one.verdict, "text": one.text}
        for one in project.findings
    ]
    problems = [
        {"file": one.place.file, "line": one.place.line, "level": one.level, "text": one.text}
        for one in project.problems
    ]
    tests = as_object(*results) if results else None
    environment = project.config.environment
    return {"findings": places, "problems": problems, "environment": environment, "bundle": bundle, "tests": tests}
