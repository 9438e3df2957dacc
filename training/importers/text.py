"""Reads a text file whatever its encoding: UTF-8 with or without BOM, UTF-16, Windows-1252. Refuses binary files."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from retrieval.errors import BadInput

_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def encoding_of(path: Path) -> str:
    """The encoding of a text file, judged by all of it; BadInput when it is missing, empty or binary."""
    head = _head(path)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if wide := _wide(head):
        return wide
    if len(_CONTROL.findall(head.decode("latin-1"))) > len(head) / 200:
        raise BadInput(f"{path} is a binary file (it begins with {head[:8]!r}); export it as CSV or JSON lines")
    return "utf-8" if _mostly_utf8(path) else "cp1252"


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(65536)
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; give the path of a file") from error
    except (IsADirectoryError, PermissionError) as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; give a file") from error
    if not head.strip():
        raise BadInput(f"{path} is empty; export it again")
    return head


def _wide(head: bytes) -> str | None:
    """UTF-16 without a BOM: every second byte of western text is NUL."""
    half = max(1, len(head) // 2)
    for name, zeros in (("utf-16-le", head[1::2].count(0)), ("utf-16-be", head[0::2].count(0))):
        if zeros / half > 0.7 and head.count(0) < half * 1.2:
            return name
    return None


def _mostly_utf8(path: Path) -> bool:
    """Whether it is UTF-8, a few broken bytes allowed: those rows are then refused one by one."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = broken = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            text = decoder.decode(chunk)
            broken += (found := text.count("\ufffd"))
            good += sum(map(len, re.findall(r"[^\x00-\x7f]+", text))) - found
    return not broken or good > broken
