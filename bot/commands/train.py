"""`deskhand train`: from the transcript folder to a bundle that the gate has judged."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bot.commands.progress import bar
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.domain import Domain
    from training.entities import Annotations

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Configuration directory (DESKHAND_CONFIG_DIR).")]


@app.command()
def train(
    promote: Annotated[bool, typer.Option(help="Put the new bundle into service when the gate lets it pass.")] = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Keep the encoder of the bundle in service; the rest is learned anew.")
    ] = False,
    search: Annotated[int, typer.Option(min=0, help="Try so many context weights first and take the best.")] = 0,
    data: Data = None,
    config: ConfigDir = None,
) -> None:
    """Train on all transcripts, measure the new bundle, and say whether it may go into service."""
    settings = Settings.build(data_dir=data, config_dir=config)
    started = time.monotonic()
    id = train_bundle(settings, go_on=go_on, search=search)
    console.print(f"Bundle {id} was made in {time.monotonic() - started:.0f} s; see `deskhand bundles show {id}`.")
    if promote:
        from bot.commands.bundles import promote as put_into_service

        put_into_service(id, data=data, config=config)
    else:
        console.print(f"It is not in service yet: `deskhand bundles promote {id}` asks the gate and swaps it in.")


def annotated(domain: Domain) -> Annotations:
    """The examples of nlu.yml with their entities, lookup tables and regular expressions, for the token head."""
    from retrieval.types import Entity
    from training.entities import Annotations

    messages = [
        (example.text, tuple(
            Entity(str(one["entity"]), example.text[one["start"] : one["end"]], one["start"], one["end"],
                   role=one.get("role"), group=one.get("group"))
            for one in example.entities if one["entity"] in domain.entities
        ))
        for example in domain.nlu.examples
    ]  # fmt: skip
    return Annotations(messages, domain.nlu.lookups, domain.nlu.regexes)


def train_bundle(settings: Settings, *, go_on: bool = False, search: int = 0) -> str:
    """The id of a new bundle made of everything in the transcript folder and the domain's examples.

    `go_on` keeps the encoder of the bundle in service; NotFound when there is none.
    """
    from bot.config import load_config as operators
    from bot.domain import load_domain, nlu_examples
    from bot.learned import action_names, story_dialogues
    from bot.transcript import TranscriptFolder
    from retrieval.bundle import Bundles
    from training.config import load_config
    from training.decisions import read_decisions
    from training.run import train as run

    recipe, domain = load_config(settings.config_dir / "training.yml"), load_domain(settings.config_dir)
    start = Bundles(settings.bundles).in_service() if go_on else None
    with bar() as report:
        return run(
            recipe,
            list(TranscriptFolder(settings.transcripts).read()),
            bundles=settings.bundles,
            work=settings.runs,
            error_budget=operators(settings.config_dir).error_budget,
            examples=nlu_examples(domain),
            annotations=annotated(domain),
            stories=story_dialogues(domain, seed=recipe.seed),
            actions=action_names(domain),
            start=start,
            trials=search,
            decisions=read_decisions(settings.groups),
            progress=report,
        )
