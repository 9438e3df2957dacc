"""`/api/v1/deliveries`: what has not reached its platform."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from bot.api.pages import Cursor, Limit, Page, page_of
from bot.auth import Access
from bot.stores.outbox import Outbox

MOST = 1000


class DueView(BaseModel):
    id: str
    offset: int
    attempts: int
    next_try: float
    error: str


def add(routes: APIRouter, access: Access, outbox: Outbox) -> None:
    @routes.get("/deliveries", dependencies=[Depends(access.needs("conversations:read"))])
    async def deliveries(limit: Limit = 100, cursor: Cursor = None) -> Page[DueView]:
        """Conversations with messages that have not reached their platform, next try first, with the last error."""
        data, following = page_of(await outbox.due(limit=MOST), lambda due: due.id, cursor, limit)
        return Page(data=[DueView(**asdict(one)) for one in data], next_cursor=following)
