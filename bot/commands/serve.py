"""`deskhand serve`, `worker`, `archive run`, `token`: the processes of a running desk."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.settings import Settings

app = typer.Typer(no_args_is_help=True)
archive = typer.Typer(help="Closed conversations become transcripts.", no_args_is_help=True)
app.add_typer(archive, name="archive")
console = Console(highlight=False, soft_wrap=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Configuration directory (DESKHAND_CONFIG_DIR).")]


def one_thread_each() -> None:
    """Before numpy is there. One message is a small product: more threads only spin against each other, and cost
    three times the time of a message on two cores (bench/serve.py: 32 ms against 9)."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (DESKHAND_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one (DESKHAND_PORT).")] = None,
    data: Data = None,
    config: ConfigDir = None,
) -> None:
    """Answer customers: REST channel, widget, operator API."""
    one_thread_each()
    from bot.server import run

    run(Settings.build(host=host, port=port, data_dir=data, config_dir=config))


@app.command()
def worker(
    data: Data = None,
    config: ConfigDir = None,
    burst: Annotated[bool, typer.Option(help="Do what is queued, then stop.")] = False,
) -> None:
    """Do the queued work: training runs, and the archive every minute."""
    from bot.jobs import work
    from bot.logs import configure
    from bot.stores.embedded import reachable

    settings = Settings.build(data_dir=data, config_dir=config)
    configure(settings.log_level, settings.log_format)
    with reachable(settings.redis_url, settings.redis_dir) as url:
        console.print("The worker is up: training and archive jobs run here. Ctrl-C stops it.")
        work(url, settings, burst=burst)


@archive.command("run")
def archive_run(data: Data = None, config: ConfigDir = None) -> None:
    """Archive closed and idle conversations now: redacted, into SQL and the transcript folder."""
    from bot.archiving import archive_once

    report = asyncio.run(archive_once(Settings.build(data_dir=data, config_dir=config)))
    console.print(
        f"{report.closed} idle conversations closed, {report.archived} archived, "
        f"{report.written} new transcripts for training."
    )


@app.command()
def token(data: Data = None) -> None:
    """Print the operator's token, for `Authorization: Bearer ...` on /api/v1."""
    from bot.auth import operator_token

    typer.echo(operator_token(Settings.build(data_dir=data)))
