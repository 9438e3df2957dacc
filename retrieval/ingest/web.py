"""Addresses -> pages to read: what a sitemap or a list names, as far as robots.txt lets us."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from lxml import etree
from protego import Protego

from retrieval.errors import BadInput, DeskhandError
from retrieval.fetch import AGENT, Fetcher, Page
from retrieval.ingest.found import Found, Given, Skipped

MOST_PAGES = 5000
MOST_MAPS = 50
KINDS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}


def page(answer: Page, given: Given) -> Found:
    """The articles of a page that was fetched."""
    from retrieval.ingest import read

    ending = KINDS.get(answer.type) or ("." + answer.url.rpartition(".")[2].lower() if not answer.type else "")
    if not ending:
        raise BadInput(f"{answer.url}: is {answer.type}; known are {', '.join(KINDS)}")
    return read(answer.url + ("" if answer.url.lower().endswith(ending) else ending), answer.content, given)


class Robots:
    """The robots.txt of every host that was asked about, read once."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._rules: dict[str, Protego | None] = {}

    def allow(self, url: str) -> bool:
        """RFC 9309: a host without robots.txt allows all, one whose server fails allows nothing."""
        parts = urlsplit(url)
        root = f"{parts.scheme}://{parts.netloc}"
        if root not in self._rules:
            self._rules[root] = self._read(root)
        rules = self._rules[root]
        return rules is not None and rules.can_fetch(url, AGENT)

    def _read(self, root: str) -> Protego | None:
        answer = self._fetcher.get(f"{root}/robots.txt")
        if answer.status >= 500:
            return None
        return Protego.parse(answer.content.decode("utf-8", "replace") if answer.status < 400 else "")


def sitemap(url: str, fetcher: Fetcher) -> tuple[list[str], list[Skipped]]:
    """The addresses of a sitemap and of those that it names, and what was left out. Raises BadInput when the first one
    cannot be used."""
    waiting, pages, skipped = [url], [], []
    seen = set(waiting)
    while waiting and len(seen) <= MOST_MAPS:
        at = waiting.pop(0)
        try:
            kind, found = _map(at, fetcher)
        except DeskhandError as error:
            if at == url:
                raise
            skipped.append(Skipped(at, str(error)))
            continue
        if kind == "sitemapindex":
            new = [one for one in found if one not in seen]
            waiting += new
            seen.update(new)
        else:
            pages += found
    pages = list(dict.fromkeys(pages))
    if waiting:
        skipped.append(Skipped(url, f"names more than {MOST_MAPS} sitemaps; {len(waiting)} were not read"))
    if len(pages) > MOST_PAGES:
        skipped.append(Skipped(url, f"names {len(pages)} pages; the first {MOST_PAGES} are read"))
    return pages[:MOST_PAGES], skipped


def _map(url: str, fetcher: Fetcher) -> tuple[str, list[str]]:
    content = fetcher.fetch(url).content
    if content[:2] == b"\x1f\x8b":
        content = _unpacked(url, content, fetcher.most_bytes)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise BadInput(f"{url}: is no sitemap: {error}") from error
    kind = etree.QName(root).localname
    if kind not in ("urlset", "sitemapindex"):
        raise BadInput(f"{url}: begins with <{kind}>; a sitemap begins with <urlset> or <sitemapindex>")
    found = (node.text.strip() for node in root.iter("{*}loc") if node.text)
    return kind, [address for address in found if address]


def _unpacked(url: str, content: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(content, most + 1)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{url}: is no gzip file: {error}") from error
    if len(text) > most:
        raise BadInput(f"{url}: unpacks to more than {most >> 20} MB")
    return text


def addresses(lines: Sequence[str]) -> Iterator[str]:
    """A list of addresses: one a line, `#` begins a comment."""
    return (line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
