"""`deskhand knowledge`: the articles that the bot quotes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.settings import Settings
from retrieval.errors import NotFound

if TYPE_CHECKING:
    from retrieval.engine import Engine
    from retrieval.knowledge import Synced

app = typer.Typer(help="Knowledge articles: index them, list them, search them.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True)

Folder = Annotated[Path | None, typer.Argument(help="Markdown articles; default: knowledge/ in the configuration.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Configuration directory (DESKHAND_CONFIG_DIR).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command()
def sync(folder: Folder = None, data: Data = None, config: ConfigDir = None, as_json: AsJson = False) -> None:
    """Bring the index of the bundle in service up to the articles; only new and changed ones are encoded."""
    settings = Settings.build(data_dir=data, config_dir=config)
    _, synced = _synced(settings, folder)
    if as_json:
        facts = {"articles": len(synced.index.articles), "passages": len(synced.index)}
        typer.echo(json.dumps(facts | {"encoded": synced.encoded, "removed": synced.removed}))
        return
    console.print(f"{len(synced.index.articles)} articles, {len(synced.index)} passages")
    console.print(f"{len(synced.encoded)} encoded, {len(synced.removed)} removed")


@app.command("list")
def list_(folder: Folder = None, data: Data = None, config: ConfigDir = None, as_json: AsJson = False) -> None:
    """Every article with its passages' number, its tags and its date. Needs no trained bundle."""
    from retrieval.articles import load_articles
    from retrieval.passages import drafts

    articles = load_articles(folder or Settings.build(data_dir=data, config_dir=config).config_dir / "knowledge")
    rows = [{**asdict(article), "passages": len(drafts(article)), "hash": article.hash} for article in articles]
    if as_json:
        facts = [{key: row[key] for key in row if key != "markdown"} for row in rows]
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    table = Table("article", "title", "passages", "tags", "updated", box=None)
    for row in rows:
        table.add_row(row["id"], row["title"], str(row["passages"]), ", ".join(row["tags"]), row["updated"])
    console.print(table)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A question as a customer would ask it.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages.")] = 5,
    folder: Annotated[Path | None, typer.Option("--folder", help="Articles, when not those of the desk.")] = None,
    data: Data = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """The passages closest to a question, how sure the desk is of each, and the reply it would compose."""
    from retrieval.compose import compose

    settings = Settings.build(data_dir=data, config_dir=config)
    engine, synced = _synced(settings, folder)
    engine.knowledge = synced.index
    hits = engine.search(engine.understand(text), k=k)
    clear = [hit for hit in hits if hit.p_relevant >= engine.thresholds.passage]
    composed = compose(text, clear)
    if as_json:
        reply = composed.text if composed else None
        typer.echo(json.dumps({"passages": [asdict(hit) for hit in hits], "reply": reply}, ensure_ascii=False))
        return
    table = Table("P(relevant)", "score", "passage", "source", box=None)
    for hit in hits:
        source = f"{hit.title} > {hit.heading}" if hit.heading else hit.title
        table.add_row(f"{hit.p_relevant:.2f}", f"{hit.score:.2f}", hit.id, source)
    console.print(table)
    console.print(f"\nthreshold {engine.thresholds.passage:.2f}: " + (composed.text if composed else "no reply"))


def _synced(settings: Settings, folder: Path | None) -> tuple[Engine, Synced]:
    from bot.shelf import encoder_id
    from retrieval.articles import load_articles
    from retrieval.bundle import Bundles
    from retrieval.engine import Engine
    from retrieval.knowledge import sync

    bundles = Bundles(settings.bundles)
    current = bundles.current()
    if current is None:
        raise NotFound(f"no bundle is in service in {settings.bundles}; run 'deskhand train' first")
    engine = Engine.load(bundles.path(current))
    articles = load_articles(folder or settings.config_dir / "knowledge")
    return engine, sync(articles, settings.knowledge, engine.encode, encoder_id=encoder_id(engine.manifest))
