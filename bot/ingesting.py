"""The worker's share of knowledge: files that were uploaded and addresses that were named become articles.

The servers see the library change and index it; nothing here needs a bundle.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bot.config import load_config
from bot.settings import Settings
from retrieval.errors import BadInput
from retrieval.ingest import FORMATS, Given, Skipped, readable
from retrieval.library import Library
from retrieval.source import Report, page_id, stem

MOST_NAMED = 500  # articles and skipped parts that a job's result names; the library has them all
TELL_EVERY_S = 0.5

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Order:
    """What to read: the uploaded file `stored` that somebody calls `name`, or pages, or the pages of a sitemap. `tags`
    and `language` are for articles that do not say theirs."""

    name: str = ""
    stored: str = ""
    urls: tuple[str, ...] = ()
    sitemap: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""


def check_name(name: str) -> str:
    """The name of an upload without its folders. Raises BadInput for a kind of file that is not read."""
    kept = PurePosixPath(name.replace("\\", "/")).name.strip()
    if not readable(kept) or not stem(kept).strip("."):
        raise BadInput(f"{name[:100]!r} is no file that is read; its name has to end in {', '.join(FORMATS)}")
    if len(kept) > 200:
        raise BadInput(f"the name {kept[:60]!r}... has {len(kept)} characters; give one of at most 200")
    return kept


def incoming(settings: Settings) -> Path:
    """Where an upload waits for the worker: a new path in a folder that servers and worker share."""
    folder = settings.knowledge / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / uuid.uuid4().hex


def ingest(settings: Settings, order: Order, tell: Tell) -> dict[str, Any]:
    """Does an order and returns its report; what cannot be read is in it, with the reason."""
    library = Library(settings.knowledge / "library", settings.config_dir / "knowledge")
    started = time.monotonic()
    if order.stored:
        report = _file(library, order, tell)
    else:
        fetcher = load_config(settings.config_dir).knowledge.fetcher()
        progress = _seldom(tell)
        report = Report()
        if order.sitemap:
            report += library.add_sitemap(order.sitemap, fetcher, progress=progress)
        for number, url in enumerate(order.urls):
            progress(number, len(order.urls), url)
            given = Given(page_id(url), tags=order.tags, language=order.language)
            report += library.add_pages([url], fetcher, given=given)
    return told(report) | {"seconds": round(time.monotonic() - started, 2)}


def _file(library: Library, order: Order, tell: Tell) -> Report:
    path = Path(order.stored)
    tell({"done": 0, "total": 1, "what": order.name})
    try:
        content = path.read_bytes()
        given = Given(stem(order.name), tags=order.tags, language=order.language)
        return library.add(order.name, content, given)
    except BadInput as error:
        return Report(skipped=(Skipped(order.name, str(error)),))
    finally:
        path.unlink(missing_ok=True)


def _seldom(tell: Tell) -> Callable[[int, int, str], None]:
    last = 0.0

    def progress(done: int, total: int, what: str) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_EVERY_S:
            last = time.monotonic()
            tell({"done": done, "total": total, "what": what})

    return progress


def told(report: Report) -> dict[str, Any]:
    """A report of bounded size: counts, and the first `MOST_NAMED` of each kind by name."""
    kinds = ("added", "changed", "removed", "skipped")
    counts = {kind: len(getattr(report, kind)) for kind in kinds}
    named = {kind: list(getattr(report, kind)[:MOST_NAMED]) for kind in kinds}
    named["skipped"] = [asdict(one) for one in named["skipped"]]
    return {"counts": counts, **named}
