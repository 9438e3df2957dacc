"""Pages: what a reader came for, without navigation, scripts and footers (trafilatura)."""

from __future__ import annotations

import re

from lxml import html as lxml_html

from retrieval.blocks import parse
from retrieval.errors import BadInput
from retrieval.ingest.found import Found, Given

MOST_BYTES = 10 << 20


def read(name: str, content: bytes, given: Given) -> Found:
    import trafilatura

    if len(content) > MOST_BYTES:
        raise BadInput(f"{name}: has {len(content) >> 20} MB of HTML, at most {MOST_BYTES >> 20} are read")
    tree = trafilatura.load_html(content)
    if tree is None:
        raise BadInput(f"{name}: is no HTML that can be read")
    about = trafilatura.extract_metadata(tree, default_url=given.url or None)
    language = _language(tree)
    title = given.title or _title(tree, about)
    _simplify(tree)
    markdown = trafilatura.extract(
        tree,
        output_format="markdown",
        include_comments=False,
        include_tables=True,
        include_links=True,
        include_formatting=True,
        favor_recall=True,
        url=given.url or None,
    )
    if not markdown or not any(block.kind != "heading" for block in parse(markdown)):
        raise BadInput(f"{name}: has no text of its own; a page that scripts fill in has to be saved as it is shown")
    updated = given.updated or (about.date or "" if about else "")
    body = _without_title(markdown, title)
    return Found((given.article(body, title=title or given.id, language=language, updated=updated),))


def _title(tree: lxml_html.HtmlElement, about: object) -> str:
    """The page's own heading; the title of the window often ends in the name of the site."""
    headings = [" ".join(node.text_content().split()) for node in tree.iter("h1")]
    found = next((heading for heading in headings if heading), "") or getattr(about, "title", "") or ""
    return str(found)


def _language(tree: lxml_html.HtmlElement) -> str:
    code = str(tree.getroottree().getroot().get("lang") or "").lower()
    return code[:2] if re.match(r"[a-z]{2}(-|_|$)", code) else ""


def _simplify(tree: lxml_html.HtmlElement) -> None:
    """Details that fold away are opened: trafilatura keeps headings and paragraphs only."""
    for node in tree.iter("summary"):
        node.tag = "h3"
    for node in tree.iter("details"):
        node.tag = "div"


def _without_title(markdown: str, title: str) -> str:
    lines = markdown.split("\n")
    if lines and lines[0].lstrip("# ").strip() == title:
        return "\n".join(lines[1:]).lstrip("\n")
    return markdown
