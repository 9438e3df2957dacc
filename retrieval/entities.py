"""Typed spans by pattern: order numbers, e-mail addresses, phone numbers, links, and the desk's own patterns.

The same patterns mask a message before it is encoded, so that a live message looks like a redacted transcript.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from retrieval.errors import BadInput
from retrieval.types import Entity

BUILT_IN: dict[str, str] = {
    "email": r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+",
    "url": r"https?://[^\s<>]{1,2000}",
    "order": r"\b[A-Z]{2,3}-\d{5,8}\b",
    "phone": r"(?<![\w-])\+?\d(?:[ ().-]{0,2}\d){7,14}(?![\w-])",
}
_NUMBERED = re.compile(r"<([A-Z]+)_\d+>")


class Recogniser:
    """Finds entities by name -> regular expression. Earlier names win where spans overlap."""

    def __init__(self, patterns: Mapping[str, str] | None = None) -> None:
        self.patterns = {**BUILT_IN, **(patterns or {})}
        self._compiled = [(name, _compile(name, pattern)) for name, pattern in self.patterns.items()]

    def find(self, text: str) -> tuple[Entity, ...]:
        found: list[Entity] = []
        for name, pattern in self._compiled:
            for match in pattern.finditer(text):
                if all(match.end() <= e.start or match.start() >= e.end for e in found):
                    found.append(Entity(name, match.group(), match.start(), match.end()))
        return tuple(sorted(found, key=lambda e: e.start))

    def mask(self, text: str) -> str:
        """`text` with each span replaced by `<NAME>`; numbered placeholders (`<EMAIL_2>`) lose their number."""
        parts, at = [], 0
        for start, end, placeholder in self._edits(text):
            parts += [text[at:start], placeholder]
            at = end
        return "".join([*parts, text[at:]])

    def aligned(self, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Where the spans of `text` lie in `mask(text)`; what was replaced lies in its placeholder. Spans in order."""
        edits = self._edits(text)
        out, moved, at = [], 0, 0
        for start, end in spans:
            while at < len(edits) and edits[at][1] <= start:
                first, last, placeholder = edits[at]
                moved += len(placeholder) - (last - first)
                at += 1
            if at < len(edits) and edits[at][0] < end:
                first, _, placeholder = edits[at]
                out.append((first + moved, first + moved + len(placeholder)))
            else:
                out.append((start + moved, end + moved))
        return out

    def _edits(self, text: str) -> list[tuple[int, int, str]]:
        edits = [(entity.start, entity.end, f"<{entity.name.upper()}>") for entity in self.find(text)]
        for match in _NUMBERED.finditer(text):
            if all(match.end() <= start or match.start() >= end for start, end, _ in edits):
                edits.append((match.start(), match.end(), f"<{match[1]}>"))
        return sorted(edits)


def _compile(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE if name not in BUILT_IN else 0)
    except re.error as error:
        raise BadInput(f"entity pattern {name!r} is not a regular expression: {pattern!r} ({error})") from error
