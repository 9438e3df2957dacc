"""`deskhand mcp`: the desk as tools of an agent on this machine, over standard input and output."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot.commands.serve import one_thread_each
from bot.settings import Settings

app = typer.Typer()


@app.command()
def mcp(
    writes: Annotated[bool, typer.Option("--writes", help="Also tools that talk in conversations and call people.")] = (
        False
    ),
    data: Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration directory.")] = None,
) -> None:
    """Serve the Model Context Protocol on standard input and output: ask, search_knowledge."""
    one_thread_each()
    settings = Settings.build(data_dir=data, config_dir=config)
    asyncio.run(_write(settings) if writes else _read(settings))


async def _read(settings: Settings) -> None:
    from bot.channels.mcp import reading
    from bot.config import load_config
    from bot.domain import load_domain
    from bot.engines import Engines
    from bot.logs import configure
    from bot.metrics import Metrics
    from bot.shelf import KnowledgeShelf
    from retrieval.bundle import Bundles

    configure("error", settings.log_format)
    shelf = KnowledgeShelf(settings.config_dir / "knowledge", settings.knowledge)
    engines = Engines(Bundles(settings.bundles), shelf, metrics=Metrics())
    await engines.start()
    try:
        await reading(engines, load_domain(settings.config_dir), load_config(settings.config_dir)).run_stdio_async()
    finally:
        await engines.stop()


async def _write(settings: Settings) -> None:
    from bot.app import Parts
    from bot.channels.mcp import writing
    from bot.logs import configure

    configure("error", settings.log_format)
    parts = Parts.build(settings)
    async with parts.running():
        await writing(parts.manager, parts.engines, parts.manager.domain, parts.config).run_stdio_async()
