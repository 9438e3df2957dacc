"""Markdown -> blocks of plain text -> sentences. A block is what must not be torn: a paragraph, a list, a table, code.

Inline markup is dropped because a chat shows plain text: a link becomes `text (url)`, an image its description, a
list item keeps its `- ` or `1. `, a table row becomes `cell | cell`, HTML loses its tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

Kind = Literal["heading", "paragraph", "list", "table", "code"]

_MARKDOWN = MarkdownIt("commonmark").enable("table")

# A sentence ends at . ! ? (with closing quotes or brackets) before white space, or at a CJK full stop.
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[”’」』）]*")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|etc|vs|approx|incl|excl|no|nr|art|fig|mr|mrs|ms|dr|prof|st|inc|ltd|co|corp|dept|est|min|max"
    r"|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|z\.b|d\.h|bzw|ca|[a-z])\.$",
    re.IGNORECASE,
)
_TAG = re.compile(r"<!--.*?-->|<[^<>]*>", re.DOTALL)
_LIST_LINE = re.compile(r"\s*(?:[-*•]|\d+[.)])\s")


@dataclass(frozen=True, slots=True)
class Block:
    """`level` is the depth of a heading, 1 to 6, and 0 for everything else."""

    kind: Kind
    text: str
    level: int = 0

    @property
    def words(self) -> int:
        return count_words(self.text)


def count_words(text: str) -> int:
    """Words as white space divides them; a CJK character counts as half a word."""
    cjk = len(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]", text))
    return len(text.split()) + cjk // 2


def parse(markdown: str) -> list[Block]:
    """The blocks of a Markdown text in order; empty ones are left out."""
    root = SyntaxTreeNode(_MARKDOWN.parse(markdown))
    return [block for node in root.children for block in _block(node) if block.text.strip()]


def _block(node: SyntaxTreeNode) -> Iterator[Block]:
    match node.type:
        case "heading":
            yield Block("heading", _inline(node), int(node.tag[1]))
        case "paragraph":
            yield Block("paragraph", _inline(node))
        case "bullet_list" | "ordered_list":
            yield Block("list", "\n".join(_list(node)))
        case "table":
            yield Block("table", "\n".join(_rows(node)))
        case "fence" | "code_block":
            yield Block("code", node.content.rstrip("\n"))
        case "blockquote":
            for child in node.children:
                yield from _block(child)
        case "html_block":
            yield Block("paragraph", " ".join(_TAG.sub(" ", node.content).split()))
        case _:
            return


def _list(node: SyntaxTreeNode, indent: str = "") -> Iterator[str]:
    first = int(node.attrs.get("start", 1))
    for number, item in enumerate(node.children, first):
        mark = f"{number}. " if node.type == "ordered_list" else "- "
        lead = indent + mark
        for child in item.children:
            if child.type in ("bullet_list", "ordered_list"):
                yield from _list(child, indent + " " * len(mark))
            else:
                for block in _block(child):
                    for line in block.text.splitlines():
                        yield lead + line
                        lead = indent + " " * len(mark)


def _rows(table: SyntaxTreeNode) -> Iterator[str]:
    for part in table.children:
        for row in part.children:
            yield " | ".join(_inline(cell) for cell in row.children)


def _inline(node: SyntaxTreeNode) -> str:
    tokens = [token for child in node.children if child.type == "inline" for token in child.to_tokens()]
    children = [child for token in tokens for child in token.children or ()]
    return re.sub(r"[ \t]+", " ", "".join(_words(children))).strip()


def _words(tokens: list[Token]) -> Iterator[str]:
    links: list[tuple[str, str]] = []
    for token in tokens:
        match token.type:
            case "text" | "code_inline" | "image":
                text = token.content
                yield text
                links = [(href, seen + text) for href, seen in links]
            case "softbreak":
                yield " "
            case "hardbreak":
                yield "\n"
            case "link_open":
                links.append((str(token.attrGet("href") or ""), ""))
            case "link_close":
                href, seen = links.pop()
                if re.match(r"https?:", href) and seen != href:
                    yield f" ({href})"
            case _:
                continue


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, each a verbatim slice of `text` without the white space around it."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if text[match.start()] == "." and _ABBREVIATION.search(text[start : match.start() + 1]):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def units(text: str) -> list[str]:
    """Plain text of a passage -> the pieces that stay whole when sentences are picked, each a slice of `text`.

    A piece is one sentence, or a list or table with the line that introduces it ("You need:").
    """
    pieces: list[str] = []
    for part in re.split(r"\n{2,}", text.strip("\n")):
        if "\n" in part or _LIST_LINE.match(part):
            pieces.append(part)
        else:
            pieces.extend(sentences(part))
    return [piece for piece in pieces if piece.strip()]
