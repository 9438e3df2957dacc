"""Explicit intents: `/intent{"entity": "value"}`, as buttons and integrators send them."""

from __future__ import annotations

import json
import re
from typing import Any

_PAYLOAD = re.compile(r"^/([^\s{}/@:][^\s{}@]*)\s*(\{.*\})?\s*$", re.DOTALL)


def parse_payload(text: str) -> tuple[str, tuple[dict[str, Any], ...]] | None:
    """(intent, entities) of an explicit payload, None when the text is none or its JSON is broken.

    Entities are `{entity, value, start, end}` over the text of the payload. A list of values gives one entity each.
    """
    found = _PAYLOAD.match(text.strip())
    if not found:
        return None
    try:
        data = json.loads(found[2]) if found[2] else {}
    except ValueError:
        return None
    values = [(name, one) for name, value in data.items() for one in (value if isinstance(value, list) else [value])]
    start, end = found.span(2) if found[2] else (0, len(found[0]))
    entities = ({"entity": name, "value": value, "start": start, "end": end} for name, value in values)
    return found[1], tuple(entities)
