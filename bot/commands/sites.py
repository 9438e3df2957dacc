"""`deskhand sites`: who may embed the widget, and the secret with which a site vouches for its users."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.commands.tables import print_table
from bot.settings import Settings
from retrieval.errors import NotFound

app = typer.Typer(help="Sites that may embed the widget.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Configuration directory (DESKHAND_CONFIG_DIR).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command("list")
def list_(config: ConfigDir = None, as_json: AsJson = False) -> None:
    """The sites of config/deskhand.yml with their origins."""
    from bot.config import load_config

    sites = load_config(Settings.build(config_dir=config).config_dir).channels.widget.sites
    if as_json:
        typer.echo(json.dumps([{"site": key, "origins": site.origins} for key, site in sites.items()]))
        return
    table = Table("site key", "origins that may embed it", box=None)
    for key, site in sites.items():
        table.add_row(key, ", ".join(site.origins))
    print_table(table)


@app.command()
def secret(
    site: Annotated[str, typer.Argument(help="The site key.")], data: Data = None, config: ConfigDir = None
) -> None:
    """Print the identity secret of a site: your server signs user ids with it, for setUser(id, traits, hmac)."""
    from bot.config import load_config
    from bot.widget.tokens import site_tokens

    settings = Settings.build(data_dir=data, config_dir=config)
    widget = load_config(settings.config_dir).channels.widget
    if site not in widget.sites:
        raise NotFound(f"no site {site!r}; channels.widget.sites has {', '.join(widget.sites)}")
    typer.echo(site_tokens(settings, widget).identity_secret(site))
