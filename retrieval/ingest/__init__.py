"""Files of any kind -> articles, with a report of what was left out and why. One module a format."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import PurePosixPath

from retrieval.errors import BadInput, DeskhandError
from retrieval.ingest.found import Found, Given, Skipped

__all__ = ["FORMATS", "Found", "Given", "Skipped", "read", "readable"]

log = logging.getLogger(__name__)

MOST_BYTES = 100 << 20

# ending -> module; imported when the first such file comes, because some bring large libraries
FORMATS: Mapping[str, str] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".csv": "pairs",
    ".tsv": "pairs",
    ".jsonl": "pairs",
    ".ndjson": "pairs",
}


def readable(name: str) -> bool:
    return PurePosixPath(name.lower()).suffix in FORMATS


def read(name: str, content: bytes, given: Given) -> Found:
    """The articles of one file. Raises BadInput when nothing of it can be used; `Found.skipped` names the parts that
    could not."""
    suffix = PurePosixPath(name.lower()).suffix
    if suffix not in FORMATS:
        raise BadInput(f"{name}: files of this kind are not read; known: {', '.join(FORMATS)}")
    if len(content) > MOST_BYTES:
        raise BadInput(f"{name}: has {len(content) >> 20} MB, at most {MOST_BYTES >> 20} are read; split it")
    if not content.strip():
        raise BadInput(f"{name}: is empty; write the article or remove the file")
    reader: Callable[[str, bytes, Given], Found] = import_module(f"retrieval.ingest.{FORMATS[suffix]}").read
    try:
        return reader(name, content, given)
    except DeskhandError:
        raise
    except Exception as error:  # what the libraries of the formats raise for a damaged file has no end
        log.warning("%s cannot be read", name, exc_info=True)
        raise BadInput(f"{name}: is damaged ({type(error).__name__}: {str(error)[:200]}); save it again") from error
