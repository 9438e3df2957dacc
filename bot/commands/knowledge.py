"""`deskhand knowledge`: the articles that the bot quotes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.commands.progress import bar
from bot.settings import Settings
from retrieval.errors import BadInput, NotFound

if TYPE_CHECKING:
    from bot.shelf import KnowledgeShelf
    from retrieval.engine import Engine
    from retrieval.fetch import Fetcher
    from retrieval.source import Report

app = typer.Typer(help="Knowledge articles: add them, index them, list them, search them.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
ConfigDir = Annotated[Path | None, typer.Option("--config", help="Configuration directory (DESKHAND_CONFIG_DIR).")]
Folder = Annotated[Path | None, typer.Argument(help="Other articles than those of the desk.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command()
def add(
    sources: Annotated[list[str], typer.Argument(help="Files, addresses of pages, or lists of addresses (.urls).")],
    sitemap: Annotated[
        bool, typer.Option("--sitemap", help="The addresses are sitemaps: add the pages they name.")
    ] = False,
    tag: Annotated[list[str] | None, typer.Option(help="A tag, such as the audience; may be repeated.")] = None,
    language: Annotated[str, typer.Option(help="ISO 639-1 code, for sources that do not say it.")] = "",
    data: Data = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Add files (Markdown, HTML, PDF, DOCX, CSV or JSON lines of questions and answers) and pages."""
    settings = Settings.build(data_dir=data, config_dir=config)
    shelf = _shelf(settings, None)
    report = _empty()
    with bar() as progress:
        for source in sources:
            report += _added(
                shelf, source, _fetcher(settings), sitemap=sitemap, tags=tuple(tag or ()), language=language,
                progress=lambda done, total, what: progress("read", done, total, what),
            )  # fmt: skip
    _print_report(report, as_json=as_json)


def _added(
    shelf: KnowledgeShelf, source: str, fetcher: Fetcher, *, sitemap: bool, progress: Any, **told: Any
) -> Report:
    from retrieval.ingest import Given
    from retrieval.ingest.web import addresses
    from retrieval.source import page_id, stem

    library = shelf.library
    if source.startswith(("http://", "https://")):
        if sitemap:
            return library.add_sitemap(source, fetcher, progress=progress)
        return library.add_pages([source], fetcher, given=Given(page_id(source), **told), progress=progress)
    path = Path(source)
    if not path.is_file():
        raise NotFound(f"{source} is no file that is there, and no address that begins with http:// or https://")
    if path.suffix == ".urls":
        return library.add_pages(list(addresses(path.read_text("utf-8").splitlines())), fetcher, progress=progress)
    return library.add(path.name, path.read_bytes(), Given(stem(path.name), **told))


@app.command()
def sync(
    pages: Annotated[bool, typer.Option("--pages", help="Look at all pages again, too.")] = False,
    folder: Folder = None,
    data: Data = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Read what changed and bring the index of the bundle in service up to it; only new articles are encoded."""
    from retrieval.conflicts import conflicts

    settings = Settings.build(data_dir=data, config_dir=config)
    shelf, engine = _shelf(settings, folder), _engine(settings)
    report = _empty()
    with bar() as progress:
        if pages:
            report += shelf.library.refetch(_fetcher(settings), progress=lambda *at: progress("pages", *at))
        more, synced = shelf.bring_up(engine, progress=lambda *at: progress("files", *at))
    report += more
    index = synced.index
    against = [one for one in conflicts(shelf.library.articles()) if not one.elsewhere]
    facts = {
        "articles": len(index.articles),
        "passages": len(index),
        "encoded": synced.encoded,
        "left": synced.removed,
        "index": [segment.index.explain for segment in index.segments],
        "conflicts": [asdict(one) for one in against],
    }
    if as_json:
        typer.echo(json.dumps(facts | asdict(report), ensure_ascii=False))
        return
    console.print(f"{facts['articles']} articles, {facts['passages']} passages")
    console.print(f"{len(synced.encoded)} encoded, {len(synced.removed)} removed")
    for line in (segment.index.explain for segment in index.segments):
        console.print(f"index: {line}")
    if against:
        console.print(f"{len(against)} contradictions between articles; 'deskhand knowledge check' shows them")
    _print_skipped(report)


@app.command()
def remove(
    what: Annotated[str, typer.Argument(help="The id of an article, or a source with all its articles.")],
    data: Data = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove an article or a source that was added."""
    _print_report(_shelf(Settings.build(data_dir=data, config_dir=config), None).library.remove(what), as_json=as_json)


@app.command("list")
def list_(folder: Folder = None, data: Data = None, config: ConfigDir = None, as_json: AsJson = False) -> None:
    """Every article with its source, passages, tags and date. Needs no trained bundle."""
    from retrieval.shelves import passages

    library = _shelf(Settings.build(data_dir=data, config_dir=config), folder).library
    report = library.sync()
    rows = [
        {**asdict(article), "source": source.origin, "passages": len(passages(article)), "hash": article.hash}
        for source in library.sources()
        for article in source.articles
    ]
    if as_json:
        facts = [{key: row[key] for key in row if key != "markdown"} for row in rows]
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    table = Table("article", "title", "passages", "tags", "updated", "version", "source", box=None)
    for row in rows:
        tags = ", ".join(row["tags"])
        table.add_row(
            row["id"], row["title"], str(row["passages"]), tags, row["updated"], str(row["version"]), row["source"]
        )
    console.print(table)
    _print_skipped(report)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="The id of an article.")],
    data: Data = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """What an article became: its passages, and the wordings it had before."""
    from retrieval.shelves import passages

    library = _shelf(Settings.build(data_dir=data, config_dir=config), None).library
    library.sync()
    article, *earlier = library.versions(id)
    cut = passages(article)
    if as_json:
        typer.echo(json.dumps({"article": asdict(article), "passages": [asdict(one) for one in cut],
                               "earlier": [asdict(one) for one in earlier]}, ensure_ascii=False))  # fmt: skip
        return
    console.print(f"{article.title}, version {article.version}; earlier: {len(earlier)}")
    for passage in cut:
        console.print(f"\n{passage.id}  {passage.heading}\n{passage.text}", markup=False)


@app.command()
def check(
    every: Annotated[
        bool, typer.Option("--all", help="Also pairs whose titles name different things; many of them are in order.")
    ] = False,
    folder: Folder = None,
    data: Data = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Articles that contradict each other: both sentences and what differs. Needs no trained bundle."""
    from retrieval.conflicts import conflicts

    library = _shelf(Settings.build(data_dir=data, config_dir=config), folder).library
    library.sync()
    found = [one for one in conflicts(library.articles()) if every or not one.elsewhere]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False))
        return
    console.print(f"{len(found)} contradictions")
    for one in found:
        console.print(f"\n{one.what}")
        for side in (one.newer, one.older):
            when = f", updated {side.updated}" if side.updated else ""
            console.print(f"  {side.article} ({side.title}{when}): {side.text}", markup=False)


@app.command()
def learn(data: Data = None, config: ConfigDir = None, as_json: AsJson = False) -> None:
    """Let FAQ entries learn other wordings of their question from the requests of the bundle in service."""
    from retrieval.phrasings import learned

    settings = Settings.build(data_dir=data, config_dir=config)
    library, engine = _shelf(settings, None).library, _engine(settings)
    library.sync()
    owner = engine.answers.answer_of.tolist() if engine.answers is not None else []
    requests = [(int(number), text) for number, (_, _, text) in zip(owner, engine.questions, strict=True)]
    wordings = learned(library.articles(), [str(row["text"]) for row in engine.table], requests, engine.encode)
    new = library.learn(wordings)
    if as_json:
        typer.echo(json.dumps({"new": new, "wordings": wordings}, ensure_ascii=False))
        return
    console.print(
        f"{new} new wordings of {len(wordings)} entries; 'deskhand knowledge sync' or a running server indexes them"
    )


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A question as a customer would ask it.")],
    history: Annotated[
        list[str] | None, typer.Option(help="What was said before, oldest first; may be repeated.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages.")] = 5,
    tag: Annotated[list[str] | None, typer.Option(help="Only articles with one of these tags.")] = None,
    language: Annotated[str, typer.Option(help="Only articles in this language, or in none.")] = "",
    on: Annotated[
        str, typer.Option(help="A date, for articles that are valid on some days only; default: today.")
    ] = "",
    folder: Annotated[Path | None, typer.Option("--folder", help="Articles, when not those of the desk.")] = None,
    data: Data = None,
    config: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """The passages closest to a question, how sure the desk is of each, and the reply it would compose."""
    from retrieval.compose import compose
    from retrieval.knowledge import Filter

    settings = Settings.build(data_dir=data, config_dir=config)
    shelf, engine = _shelf(settings, folder), _engine(settings)
    shelf.bring_up(engine)
    only = Filter(language, frozenset(tag or ()), on)
    hits = engine.search(engine.understand(text), k=k, history=tuple(history or ()), only=only)
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
    for conflict in composed.conflicts if composed else ():
        console.print(
            f"these contradict each other ({conflict.what}): {conflict.newer.article}, {conflict.older.article}"
        )


def _shelf(settings: Settings, folder: Path | None) -> KnowledgeShelf:
    from bot.shelf import KnowledgeShelf
    from retrieval.source import slug

    if folder is not None and not folder.is_dir():
        raise NotFound(f"knowledge folder {folder} is not there; create it with one file an article")
    if folder is not None:  # a look at other articles must not touch those of the desk
        return KnowledgeShelf(folder, settings.knowledge / "elsewhere" / slug(str(folder.absolute())))
    return KnowledgeShelf(settings.config_dir / "knowledge", settings.knowledge)


def _engine(settings: Settings) -> Engine:
    from retrieval.bundle import Bundles
    from retrieval.engine import Engine

    bundles = Bundles(settings.bundles)
    current = bundles.current()
    if current is None:
        raise NotFound(f"no bundle is in service in {settings.bundles}; run 'deskhand train' first")
    return Engine.load(bundles.path(current))


def _fetcher(settings: Settings) -> Fetcher:
    from bot.config import load_config

    return load_config(settings.config_dir).knowledge.fetcher()


def _empty() -> Report:
    from retrieval.source import Report

    return Report()


def _print_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        console.print(f"{len(report.added)} added, {len(report.changed)} changed, {len(report.removed)} removed")
        _print_skipped(report)
    if report.skipped and not (report.added or report.changed or report.removed):
        raise BadInput(f"nothing was read; {report.skipped[0].what}: {report.skipped[0].why}")


def _print_skipped(report: Report, most: int = 20) -> None:
    skipped: Sequence[Any] = report.skipped
    if skipped:
        console.print(f"{len(skipped)} skipped:")
    for one in skipped[:most]:
        console.print(f"  {one.what}: {one.why}", markup=False)
    if len(skipped) > most:
        console.print(f"  and {len(skipped) - most} more (--json shows all)")
