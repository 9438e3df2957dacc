"""`/api/v1/keys`: API keys. The key itself is shown once, when it is made or rotated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from bot.api.pages import Cursor, Limit, Page, page_of
from bot.api.route import IDEMPOTENT, Body
from bot.auth import Access, Caller, Forbidden, known_scopes
from bot.stores.keys import ApiKey, ApiKeys

GRACE_H = 24.0
KeyId = Annotated[str, Path(max_length=40)]


class KeyView(BaseModel):
    id: str
    name: str
    scopes: list[str]
    created_at: float
    old_until: float | None = Field(description="After a rotation: the secret before is good until then.")

    @classmethod
    def of(cls, key: ApiKey) -> KeyView:
        shown = {name: getattr(key, name) for name in KeyView.model_fields}
        return cls(**{**shown, "scopes": list(key.scopes)})


class NewKey(KeyView):
    key: str = Field(description="Keep it: it is shown this once.")

    @classmethod
    def made(cls, made: tuple[ApiKey, str]) -> NewKey:
        return cls(**KeyView.of(made[0]).model_dump(), key=made[1])


class Make(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "shop backend", "scopes": ["conversations:write"]}]},
    )

    name: str = Field(min_length=1, max_length=100)
    scopes: list[str] = Field(min_length=1, max_length=50)


class Rotation(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"grace_hours": 1}]})

    grace_hours: float = Field(default=GRACE_H, ge=0, le=720, description="How long the secret before stays good.")


def add(routes: APIRouter, access: Access, keys: ApiKeys) -> None:
    needs = access.needs("keys:write")

    @routes.get("/keys", dependencies=[Depends(needs)])
    async def all_(limit: Limit = 50, cursor: Cursor = None) -> Page[KeyView]:
        """Newest first, without the keys themselves."""
        data, following = page_of(await asyncio.to_thread(keys.all), lambda key: key.id, cursor, limit)
        return Page(data=[KeyView.of(key) for key in data], next_cursor=following)

    @routes.post("/keys", status_code=201, dependencies=[IDEMPOTENT])
    async def make(body: Make, caller: Caller = Depends(needs)) -> NewKey:
        """A key can do no more than the one that makes it."""
        scopes = known_scopes(body.scopes)
        _within(scopes, caller)
        return NewKey.made(await asyncio.to_thread(keys.create, body.name, scopes))

    @routes.post("/keys/{key_id}/rotate", dependencies=[IDEMPOTENT])
    async def rotate(key_id: KeyId, body: Rotation | None = None, caller: Caller = Depends(needs)) -> NewKey:
        """A new secret for the same key; the one before stays good for `grace_hours`."""
        _within((await asyncio.to_thread(keys.get, key_id)).scopes, caller)
        grace_s = (body or Rotation()).grace_hours * 3600
        return NewKey.made(await asyncio.to_thread(keys.rotate, key_id, grace_s=grace_s))

    @routes.delete("/keys/{key_id}", status_code=204, dependencies=[Depends(needs)])
    async def revoke(key_id: KeyId) -> None:
        """Refused by every server within five seconds."""
        await asyncio.to_thread(keys.revoke, key_id)


def _within(scopes: Iterable[str], caller: Caller) -> None:
    if beyond := [scope for scope in scopes if not caller.may(scope)]:
        raise Forbidden(f"this key has no scope {beyond[0]} itself, so it cannot hand it on")
