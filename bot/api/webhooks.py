"""`/api/v1/webhooks`: who is told what, and what became of it."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from bot.api.pages import Cursor, Limit, Page, cursor_of, page_of, read_cursor
from bot.api.route import IDEMPOTENT, Body
from bot.auth import Access
from bot.stores.hooks import Delivery, Endpoint, Hooks
from bot.webhooks.happenings import TYPES
from bot.webhooks.send import check_url
from bot.webhooks.trial import try_out
from retrieval.errors import BadInput, NotFound

GRACE_H = 24.0
EXAMPLE: dict[str, Any] = {"url": "https://shop.example/hooks", "events": ["gap.detected"], "body": "full"}
HookId = Annotated[str, Path(max_length=60)]
Status = Literal["pending", "delivered", "failed"]


class EndpointView(BaseModel):
    """`events` is empty for all of them. A disabled endpoint gets nothing until `enabled` is set again."""

    id: str
    url: str
    description: str
    events: list[str]
    body: Literal["thin", "full"]
    created_at: float
    enabled: bool
    disabled_because: str | None
    old_until: float | None = Field(description="After a rotation: signed with both secrets until then.")

    @classmethod
    def of(cls, one: Endpoint) -> EndpointView:
        shown = {name: getattr(one, name) for name in EndpointView.model_fields if name != "enabled"}
        return cls(**{**shown, "events": list(one.events), "enabled": one.disabled_at is None})


class NewEndpoint(EndpointView):
    secret: str = Field(description="Verifies the signatures. Keep it: it is shown this once.")

    @classmethod
    def made(cls, one: Endpoint) -> NewEndpoint:
        return cls(**EndpointView.of(one).model_dump(), secret=one.secret)


class DeliveryView(BaseModel):
    """`event` is the `webhook-id` that the receiver sees."""

    id: str
    event: str
    type: str
    status: Status
    attempts: int
    created_at: float
    next_at: float | None
    last_at: float | None
    last_status: int | None
    last_error: str | None

    @classmethod
    def of(cls, one: Delivery, type_: str) -> DeliveryView:
        shown = {name: getattr(one, name) for name in cls.model_fields if name not in ("event", "type")}
        return cls(**shown, event=one.event_id, type=type_)


class Add(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    url: str = Field(min_length=1, max_length=2000)
    events: list[str] = Field(default_factory=list, max_length=50, description="Without any: all of them.")
    body: Literal["thin", "full"] = "thin"
    description: str = Field(default="", max_length=200)


class Change(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"events": ["gap.detected"]}]})

    url: str | None = Field(default=None, min_length=1, max_length=2000)
    events: list[str] | None = Field(default=None, max_length=50)
    body: Literal["thin", "full"] | None = None
    description: str | None = Field(default=None, max_length=200)
    enabled: bool | None = None


class Rotate(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"grace_hours": 24}]})

    grace_hours: float = Field(default=GRACE_H, ge=0, le=720)


class Replay(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"since": 1767225600}, {"delivery": "dlv_1"}]}
    )

    delivery: str | None = Field(default=None, max_length=60, description="This one, whatever became of it.")
    since: float = Field(default=0, ge=0, description="Without `delivery`: all that failed since, in epoch seconds.")


class Replayed(BaseModel):
    deliveries: int


def add(routes: APIRouter, access: Access, hooks: Hooks, *, private: bool) -> None:
    _endpoints(routes, access, hooks, private)
    _secrets_and_tests(routes, access, hooks)
    _deliveries(routes, access, hooks)


def _endpoints(routes: APIRouter, access: Access, hooks: Hooks, private: bool) -> None:
    reads, writes = [Depends(access.needs("webhooks:read"))], [Depends(access.needs("webhooks:write"))]

    @routes.get("/webhooks", dependencies=reads)
    async def all_(limit: Limit = 50, cursor: Cursor = None) -> Page[EndpointView]:
        """Newest first, without their secrets."""
        found = await asyncio.to_thread(hooks.endpoints)
        data, following = page_of(found, lambda one: one.id, cursor, limit)
        return Page(data=[EndpointView.of(one) for one in data], next_cursor=following)

    @routes.post("/webhooks", status_code=201, dependencies=[*writes, IDEMPOTENT])
    async def make(body: Add) -> NewEndpoint:
        """Tells this address what happens from now on."""
        check_url(body.url, private=private)
        _known(body.events)
        values = {"events": body.events, "body": body.body, "description": body.description}
        return NewEndpoint.made(await asyncio.to_thread(lambda: hooks.add(body.url, **values)))  # type: ignore[arg-type]

    @routes.get("/webhooks/{hook_id}", dependencies=reads)
    async def one(hook_id: HookId) -> EndpointView:
        """One endpoint."""
        return EndpointView.of(await asyncio.to_thread(hooks.endpoint, hook_id))

    @routes.patch("/webhooks/{hook_id}", dependencies=writes)
    async def change(hook_id: HookId, body: Change) -> EndpointView:
        """Changes what is given; `"enabled": true` brings back one that 410 has disabled."""
        if body.url is not None:
            check_url(body.url, private=private)
        _known(body.events or [])
        values: dict[str, Any] = body.model_dump(exclude_none=True, exclude={"enabled"})
        if body.enabled is not None:
            values |= {"disabled_at": None, "disabled_because": None} if body.enabled else _off()
        return EndpointView.of(await asyncio.to_thread(lambda: hooks.change(hook_id, **values)))

    @routes.delete("/webhooks/{hook_id}", status_code=204, dependencies=writes)
    async def remove(hook_id: HookId) -> None:
        """With all its deliveries."""
        await asyncio.to_thread(hooks.remove, hook_id)


def _secrets_and_tests(routes: APIRouter, access: Access, hooks: Hooks) -> None:
    writes = [Depends(access.needs("webhooks:write")), IDEMPOTENT]

    @routes.post("/webhooks/{hook_id}/rotate", dependencies=writes)
    async def rotate(hook_id: HookId, body: Rotate | None = None) -> NewEndpoint:
        """A new secret; for `grace_hours` everything is signed with both."""
        grace_s = (body or Rotate()).grace_hours * 3600
        return NewEndpoint.made(await asyncio.to_thread(lambda: hooks.rotate(hook_id, grace_s=grace_s)))

    @routes.post("/webhooks/{hook_id}/test", status_code=202, dependencies=writes)
    async def test(hook_id: HookId) -> DeliveryView:
        """Queues a `webhook.test` for this endpoint alone; its delivery tells what became of it."""
        endpoint = await asyncio.to_thread(hooks.endpoint, hook_id)
        delivery = await asyncio.to_thread(try_out, hooks, endpoint)
        return DeliveryView.of(delivery, "webhook.test")


def _deliveries(routes: APIRouter, access: Access, hooks: Hooks) -> None:
    reads, writes = [Depends(access.needs("webhooks:read"))], [Depends(access.needs("webhooks:write")), IDEMPOTENT]

    @routes.get("/webhooks/{hook_id}/deliveries", dependencies=reads)
    async def deliveries(
        hook_id: HookId,
        status: Annotated[Status | None, Query(description="failed: what was given up.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[DeliveryView]:
        """Newest first."""
        await asyncio.to_thread(hooks.endpoint, hook_id)
        after = read_cursor(cursor, (int, float), str) if cursor else None
        rows = await asyncio.to_thread(
            lambda: hooks.deliveries(hook_id, status=status, limit=limit + 1, after=after)
        )  # fmt: skip
        last = rows[limit - 1][0] if len(rows) > limit else None
        following = cursor_of(last.created_at, last.id) if last else None
        return Page(data=[DeliveryView.of(*row) for row in rows[:limit]], next_cursor=following)

    @routes.post("/webhooks/{hook_id}/replay", status_code=202, dependencies=writes)
    async def replay(hook_id: HookId, body: Replay | None = None) -> Replayed:
        """Tries again from the first rung on: one delivery, or all that failed."""
        how = body or Replay()
        await asyncio.to_thread(hooks.endpoint, hook_id)
        count = await asyncio.to_thread(
            lambda: hooks.replay(hook_id, delivery_id=how.delivery, since=how.since)
        )  # fmt: skip
        if how.delivery is not None and not count:
            raise NotFound(f"endpoint {hook_id!r} has no delivery {how.delivery!r}")
        return Replayed(deliveries=count)


def _known(events: list[str]) -> None:
    if unknown := set(events) - set(TYPES):
        raise BadInput(f"no event {sorted(unknown)[0]!r}; there are {', '.join(TYPES)}")


def _off() -> dict[str, Any]:
    return {"disabled_at": time.time(), "disabled_because": "switched off"}
