"""`deskhand keys`: API keys for `/api/v1`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.commands.tables import print_table
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.stores.keys import ApiKeys

app = typer.Typer(help="API keys: make, list, rotate, revoke.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True, stderr=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
KeyId = Annotated[str, typer.Argument(help="The id, as `deskhand keys list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, e.g. conversations:write; * is all. Repeatable.")],
    data: Data = None,
) -> None:
    """Make a key and print it, this once."""
    from bot.auth import known_scopes

    with _keys(data) as keys:
        key, shown = keys.create(name, known_scopes(scope))
    console.print(f"key {key.id} may {', '.join(key.scopes)}; it is shown this once:")
    typer.echo(shown)


@app.command("list")
def list_(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False
) -> None:
    """The keys in use, newest first."""
    with _keys(data) as keys:
        found = keys.all()
    if as_json:
        rows = [{"id": k.id, "name": k.name, "scopes": k.scopes, "created_at": k.created_at} for k in found]
        typer.echo(json.dumps(rows))
        return
    table = Table("id", "name", "may", "made", box=None)
    for key in found:
        made = datetime.fromtimestamp(key.created_at, UTC)
        table.add_row(key.id, key.name, ", ".join(key.scopes), f"{made:%Y-%m-%d}")
    print_table(table)


@app.command()
def rotate(
    id: KeyId,
    grace_hours: Annotated[float, typer.Option(min=0, help="How long the old secret stays good.")] = 24,
    data: Data = None,
) -> None:
    """Give a key a new secret and print it; the old one stays good for a while."""
    with _keys(data) as keys:
        _, shown = keys.rotate(id, grace_s=grace_hours * 3600)
    typer.echo(shown)


@app.command()
def revoke(id: KeyId, data: Data = None) -> None:
    """Make a key useless; every server refuses it within five seconds."""
    with _keys(data) as keys:
        keys.revoke(id)
    console.print(f"key {id} is revoked.")


@contextmanager
def _keys(data: Path | None) -> Iterator[ApiKeys]:
    from bot.stores.keys import ApiKeys
    from bot.stores.sql import Records

    records = Records(Settings.build(data_dir=data).database)
    try:
        records.migrate()
        yield ApiKeys(records)
    finally:
        records.close()
