"""Which part is down: what `/health/ready` says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from bot.engines import Engines
from bot.stores.sql import Records
from bot.stores.store import ConversationStore

PATIENCE_S = 3.0


@dataclass(frozen=True)
class Health:
    """`parts` maps a part to "ok" or to what is wrong; `notes` are faults that do not stop the service."""

    parts: dict[str, str]
    notes: dict[str, str]

    @property
    def ready(self) -> bool:
        return all(state == "ok" for state in self.parts.values())


async def check(*, store: ConversationStore, records: Records, engines: Engines, actions_url: str | None) -> Health:
    async def bundle() -> None:
        _ = engines.engine

    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "redis": store.ping,
        "sql": lambda: asyncio.to_thread(records.ping),
        "bundle": bundle,
    }
    if actions_url:
        checks["actions"] = lambda: _reach(actions_url)
    states = await asyncio.gather(*(_state(one) for one in checks.values()))
    notes = {"bundle": engines.problem, "knowledge": engines.knowledge_problem}
    return Health(dict(zip(checks, states, strict=True)), {part: note for part, note in notes.items() if note})


async def _state(ask: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ask()
    except TimeoutError:
        return f"no answer within {PATIENCE_S:g} s"
    except Exception as error:
        return str(error) or type(error).__name__
    return "ok"


async def _reach(actions_url: str) -> None:
    """Any answer counts: rasa-sdk has /health beside its webhook, other servers may not."""
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        await client.get(httpx.URL(actions_url).copy_with(path="/health"))
