"""The desk's articles from every source: files of the knowledge folder, uploads, pages. One JSON file a source.

Every function that changes something works under a lock that processes share and writes whole files, so servers that
look at `fingerprint` take changes without a restart. A source that cannot be read any more keeps the articles that it
had; the report says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from retrieval.articles import Article
from retrieval.errors import BadInput, DeskhandError, NotFound
from retrieval.fetch import Fetcher, Page, Refused
from retrieval.files import locked
from retrieval.ingest import Found, Given, Skipped, read, readable, web
from retrieval.source import (
    Kind,
    Report,
    Source,
    blank,
    condition,
    difference,
    load,
    now,
    page_id,
    save,
    stem,
    validators,
    versioned,
)

Progress = Callable[[int, int, str], None]
WORDINGS = 20  # of customers that are kept for one article


class Library:
    """`store` is where sources are kept; `folder` (which need not exist) is followed by `sync`."""

    def __init__(self, store: Path, folder: Path | None = None) -> None:
        self.store = store
        self.folder = folder

    def exists(self) -> bool:
        """Whether there is a folder to follow, or anything was ever added."""
        return self.store.is_dir() or (self.folder is not None and self.folder.is_dir())

    def sources(self) -> list[Source]:
        return [load(path) for path in sorted(self.store.glob("*.json"))]

    def articles(self) -> list[Article]:
        """Of all sources, with what was learned of how customers ask for them."""
        found = {}
        for source in self.sources():
            for article in source.articles:
                wordings = dict.fromkeys((*article.questions, *source.learned.get(article.id, ())))
                found[article.id] = replace(article, questions=tuple(wordings))
        return list(found.values())

    def article(self, id: str) -> Article:
        return self.owner(id)[1]

    def versions(self, id: str) -> list[Article]:
        """All wordings that an article had, the newest first."""
        source, article = self.owner(id)
        return [article, *reversed(source.earlier.get(id, ()))]

    def owner(self, id: str) -> tuple[Source, Article]:
        """The article and the source it comes from. Raises NotFound."""
        for source in self.sources():
            for article in source.articles:
                if article.id == id:
                    return source, article
        raise NotFound(f"no article {id!r}; 'deskhand knowledge list' shows them")

    def fingerprint(self) -> str:
        """Changes whenever a source or a file of the folder does. Reads no content, so a server may poll it."""
        paths = [path for path in self.store.glob("*.json") if not path.name.startswith(".")]
        stats = [(path.name, path.stat()) for path in sorted(paths)]
        stats += [(name, path.stat()) for name, path in self._files()]
        seen = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()

    def _files(self) -> list[tuple[str, Path]]:
        if self.folder is None or not self.folder.is_dir():
            return []
        found = ((path.relative_to(self.folder).as_posix(), path) for path in self.folder.rglob("*"))
        return sorted((name, path) for name, path in found if path.is_file() and readable(name) and name[0] != ".")

    def sync(self, *, progress: Progress | None = None) -> Report:
        """Bring the library up to the files of the folder: new and touched ones are read, those that are gone leave."""
        report = Report()
        with locked(self.store):
            sources = self.sources()
            known = {source.origin: source for source in sources if source.kind == "file"}
            owners, files = _owners(sources), self._files()
            for done, (name, path) in enumerate(files):
                if progress:
                    progress(done, len(files), name)
                stat = path.stat()
                seen = f"{stat.st_size} {stat.st_mtime_ns}"
                old = known.pop(name, None)
                if old is None or old.stamp != seen:
                    given = Given(stem(name))
                    report += self._take("file", name, given, path.read_bytes(), owners, stamp=seen)
                elif old.problem:
                    report += Report(skipped=(Skipped(name, old.problem),))
            for gone in known.values():
                report += self._drop(gone)
        return report

    def add(self, name: str, content: bytes, given: Given | None = None) -> Report:
        """Take a file that somebody uploaded, or its new version. Raises BadInput when nothing of it can be used; what
        it held before then stays."""
        if not name.strip():
            raise BadInput("the file has no name; give one with its ending, such as returns.md")
        given = given or Given(stem(name))
        held = self._held("upload", name)
        found = None if held.hash == _digest(content, given) else _read(name, content, given)
        with locked(self.store):
            report = self._take("upload", name, given, content, _owners(self.sources()), found=found)
            if problem := load(self.store / blank("upload", name).name).problem:
                raise BadInput(problem)
            return report

    def add_pages(
        self,
        urls: Sequence[str],
        fetcher: Fetcher,
        *,
        given: Given | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Fetch pages and keep them as sources; what cannot be had is skipped, and what it held before stays."""
        robots, report = web.Robots(fetcher), Report()
        for done, url in enumerate(dict.fromkeys(urls)):
            if progress:
                progress(done, len(urls), url)
            report += self._page(url, fetcher, robots, given or Given(page_id(url)))
        return report

    def add_sitemap(self, url: str, fetcher: Fetcher, *, progress: Progress | None = None) -> Report:
        pages, skipped = web.sitemap(url, fetcher)
        return self.add_pages(pages, fetcher, progress=progress) + Report(skipped=tuple(skipped))

    def refetch(self, fetcher: Fetcher, *, progress: Progress | None = None) -> Report:
        """Look at all pages again; what did not change is not read, a page that is gone (404, 410) leaves."""
        pages = [source for source in self.sources() if source.kind == "page"]
        robots, report = web.Robots(fetcher), Report()
        for done, source in enumerate(pages):
            if progress:
                progress(done, len(pages), source.origin)
            report += self._page(source.origin, fetcher, robots, source.given or Given(page_id(source.origin)))
        return report

    def _page(self, url: str, fetcher: Fetcher, robots: web.Robots, given: Given) -> Report:
        old = self._held("page", url)
        try:
            if not robots.allow(url):
                raise Refused(f"{url}: its robots.txt does not allow it")
            answer = fetcher.get(url, headers=condition(old))
            if answer.status == 304:
                return Report()
            if answer.status in (404, 410) and old != blank("page", url):
                with locked(self.store):
                    return self._drop(old)
            if answer.status >= 400:
                raise BadInput(f"{url}: the server answered {answer.status}; look at the address in a browser")
            given = replace(given, url=given.url or answer.url)
            found = None if old.hash == _digest(answer.content, given) else _read_page(answer, given)
            with locked(self.store):
                owners = _owners(self.sources())
                stamp = validators(answer)
                return self._take("page", url, given, answer.content, owners, found=found, page=answer, stamp=stamp)
        except DeskhandError as error:
            return Report(skipped=(Skipped(url, str(error)),))

    def remove(self, what: str) -> Report:
        """An article by its id, or a source by its origin with all its articles. A file of the folder has to be deleted
        there."""
        with locked(self.store):
            for source in self.sources():
                if source.origin == what or any(article.id == what for article in source.articles):
                    if source.kind == "file":
                        raise BadInput(f"{what} comes from {source.origin} in the knowledge folder; delete it there")
                    kept = tuple(article for article in source.articles if article.id != what)
                    if source.origin == what or not kept:
                        return self._drop(source)
                    save(self.store, replace(source, articles=kept))
                    return Report(removed=(what,))
        raise NotFound(f"no article or source {what!r}; 'deskhand knowledge list' shows them")

    def remove_source(self, origin: str) -> Report:
        """An upload or page by its origin, with all its articles. A file of the folder has to be deleted there."""
        with locked(self.store):
            found = [source for source in self.sources() if source.origin == origin]
            if not found:
                raise NotFound(f"no source {origin!r}; 'deskhand knowledge list' shows them")
            own = [source for source in found if source.kind != "file"]
            if not own:
                raise BadInput(f"{origin} is a file of the knowledge folder; delete it there")
            report = Report()
            for source in own:
                report += self._drop(source)
            return report

    def edit(self, id: str, **changes: Any) -> Article:
        """Change an article in place; its earlier wording is kept. One from the knowledge folder is changed there."""
        with locked(self.store):
            source, article = self.owner(id)
            if source.kind == "file":
                raise BadInput(f"{id} comes from {source.origin} in the knowledge folder; change it there")
            wrong = changes.keys() - {one.name for one in fields(Article)} | changes.keys() & {"id", "version"}
            if wrong:
                raise BadInput(f"{id}: an article has no {', '.join(sorted(wrong))} that can be changed")
            new = replace(article, **changes)
            if not new.title.strip() or not new.markdown.strip():
                raise BadInput(f"{id}: title and text must not be empty; remove the article instead")
            if new.hash == article.hash:
                return article
            articles = tuple(new if one.id == id else one for one in source.articles)
            save(self.store, versioned(replace(source, articles=articles, at=now()), source))
            return self.owner(id)[1]

    def learn(self, wordings: Mapping[str, Sequence[str]]) -> int:
        """Keep how customers put the questions that articles answer; how many are new. The newest `WORDINGS` of an
        article count, and they stay when its text changes."""
        new = 0
        with locked(self.store):
            for source in self.sources():
                learned = dict(source.learned)
                for article in source.articles:
                    known = dict.fromkeys((article.title, *article.questions, *learned.get(article.id, ())))
                    more = [text for text in dict.fromkeys(wordings.get(article.id, ())) if text not in known]
                    if more:
                        learned[article.id] = [*learned.get(article.id, ()), *more][-WORDINGS:]
                        new += len(more)
                if learned != source.learned:
                    save(self.store, replace(source, learned=learned))
        return new

    def _take(
        self,
        kind: Kind,
        origin: str,
        given: Given,
        content: bytes,
        owners: dict[str, Source],
        *,
        found: Found | BadInput | None = None,
        page: Page | None = None,
        stamp: str = "",
    ) -> Report:
        """Keep what a source holds. `owners` are the sources of the ids that are taken. `found` is what was read of it
        before the lock was taken, so that a long file holds up nobody; without it, it is read now if it is new."""
        old = self._held(kind, origin)
        digest = _digest(content, given)
        if old.hash == digest and not old.problem:
            save(self.store, replace(old, stamp=stamp))
            return Report()
        found = found or (_read_page(page, given) if page else _read(origin, content, given))
        if isinstance(found, BadInput):
            save(self.store, replace(old, stamp=stamp, problem=str(found), given=given))
            return Report(skipped=(Skipped(origin, str(found)),))
        kept, doubled = _unique(found, old.name, owners)
        new = replace(
            old,
            hash=digest,
            at=now(),
            articles=kept,
            skipped=(*found.skipped, *doubled),
            stamp=stamp,
            problem="",
            given=given,
        )
        new = versioned(new, old)
        save(self.store, new)
        owners.update({article.id: new for article in kept})
        return difference(old, new)

    def _held(self, kind: Kind, origin: str) -> Source:
        """The source as it is kept; `blank` when it is new."""
        empty = blank(kind, origin)
        path = self.store / empty.name
        return load(path) if path.is_file() else empty

    def _drop(self, source: Source) -> Report:
        (self.store / source.name).unlink(missing_ok=True)
        return Report(removed=tuple(article.id for article in source.articles))


def _digest(content: bytes, given: Given) -> str:
    return hashlib.sha256(content + repr(given).encode()).hexdigest()


def _read(name: str, content: bytes, given: Given) -> Found | BadInput:
    try:
        return read(name, content, given)
    except BadInput as error:
        return error


def _read_page(page: Page, given: Given) -> Found | BadInput:
    try:
        return web.page(page, given)
    except BadInput as error:
        return error


def _owners(sources: Sequence[Source]) -> dict[str, Source]:
    return {article.id: source for source in sources for article in source.articles}


def _unique(found: Found, own: str, owners: Mapping[str, Source]) -> tuple[tuple[Article, ...], list[Skipped]]:
    """Without articles whose id another source has."""
    taken = {one.id: owners[one.id] for one in found.articles if one.id in owners and owners[one.id].name != own}
    why = "this id is already that of an article from {}; rename one of them"
    doubled = [Skipped(id, why.format(source.origin)) for id, source in taken.items()]
    return tuple(one for one in found.articles if one.id not in taken), doubled
