"""Word files: headings, lists and tables by their styles (python-docx)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from retrieval.errors import BadInput
from retrieval.ingest.found import Found, Given

MOST_UNPACKED = 200 << 20
MOST_RATIO = 200


def read(name: str, content: bytes, given: Given) -> Found:
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    check_zip(name, content)
    try:
        document = docx.Document(io.BytesIO(content))
    except (PackageNotFoundError, KeyError, ValueError, SyntaxError) as error:
        raise BadInput(f"{name}: is no Word document ({error}); save it as .docx again") from error
    markdown = "\n\n".join(_blocks(document))
    if not re.search(r"\w", re.sub(r"(?m)^#.*$", "", markdown)):
        raise BadInput(f"{name}: has no text; pictures of text cannot be read")
    about = document.core_properties
    heading = re.match(r"# (.+)\n+", markdown)
    title = given.title or (heading[1] if heading else "") or about.title or given.id.rpartition("/")[2]
    updated = about.modified.date().isoformat() if about.modified else ""
    body = markdown[heading.end() :] if heading and title == heading[1] else markdown
    language = (about.language or "")[:2]
    return Found((given.article(body, title=title, updated=given.updated or updated, language=language),))


def check_zip(name: str, content: bytes) -> None:
    """Raises BadInput for what is no zip file, is encrypted, or would unpack to more than it should."""
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise BadInput(f"{name}: is encrypted or an old .doc; save it as .docx without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise BadInput(f"{name}: is no Word document ({error}); save it as .docx again") from error
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED or unpacked > MOST_RATIO * len(content) + (1 << 20):
        raise BadInput(f"{name}: would unpack to {unpacked >> 20} MB, which is no ordinary document; it was not opened")


def _blocks(document: Any) -> Iterator[str]:
    """Markdown blocks in the order of the document; the items of one list stay together."""
    items: list[str] = []
    for block in document.iter_inner_content():
        text = _text(block)
        item = _item(block) if text else None
        if item is None and items:
            yield "\n".join(items)
            items = []
        if item is not None:
            items.append(item + text)
        elif text:
            yield _heading(block) + text
    if items:
        yield "\n".join(items)


def _text(block: Any) -> str:
    if hasattr(block, "rows"):
        return "\n".join(_rows(block))
    return " ".join(block.text.split())


def _rows(table: Any) -> Iterator[str]:
    for number, row in enumerate(table.rows):
        cells = [" ".join(cell.text.split()).replace("|", "\\|") for cell in row.cells]
        yield f"| {' | '.join(cells)} |"
        if not number:
            yield "|" + " --- |" * len(cells)


def _style(block: Any) -> str:
    return str(block.style.name or "") if getattr(block, "style", None) is not None else ""


def _heading(block: Any) -> str:
    style = _style(block)
    if style == "Title":
        return "# "
    level = re.fullmatch(r"Heading (\d)", style)
    return "#" * min(6, int(level[1])) + " " if level else ""


def _item(block: Any) -> str | None:
    """The mark of a list item with its indent, or None."""
    if hasattr(block, "rows"):
        return None
    style = _style(block)
    properties = block._p.pPr
    numbered = properties is not None and properties.numPr is not None
    if not style.startswith("List") and not (numbered and not style.startswith("Heading")):
        return None
    deeper = re.search(r"(\d)$", style)
    depth = int(deeper[1]) - 1 if deeper else 0
    if numbered and properties.numPr.ilvl is not None:
        depth = int(properties.numPr.ilvl.val)
    return "   " * depth + ("1. " if "Number" in style else "- ")
