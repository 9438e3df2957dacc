"""Lists come in pages: `{"data": [...], "next_cursor": "..."}`; the cursor of the last page is null."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from retrieval.errors import BadInput

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=200, description="How many a page has.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]


class Page(BaseModel, Generic[Item]):
    data: list[Item]
    next_cursor: str | None = Field(default=None, description="null: this is the last page")


def cursor_of(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()


def read_cursor(cursor: str, *kinds: type | tuple[type, ...]) -> list[Any]:
    """The values of a cursor that we made. Raises BadInput for anything else."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise _unknown(cursor) from error
    if not isinstance(values, list) or len(values) != len(kinds) or not all(map(isinstance, values, kinds)):
        raise _unknown(cursor)
    return values


def page_of(
    items: Sequence[Item], key: Callable[[Item], str], cursor: str | None, limit: int
) -> tuple[list[Item], str | None]:
    """A page of a list that is at hand: what follows the item that the cursor names."""
    start = 0
    if cursor is not None:
        (last,) = read_cursor(cursor, str)
        start = next((n + 1 for n, item in enumerate(items) if key(item) == last), -1)
        if start < 0:
            raise BadInput(f"the item {last!r} of this cursor is gone; begin again without a cursor")
    found = list(items[start : start + limit])
    return found, cursor_of(key(found[-1])) if start + limit < len(items) else None


def _unknown(cursor: str) -> BadInput:
    return BadInput(f"the cursor {cursor[:60]!r} is none of ours; take `next_cursor` of the page before, or none")
