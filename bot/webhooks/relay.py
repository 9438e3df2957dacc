"""From what is committed to what is to be delivered: conversations by the outbox of the store, bundles by their log.

A conversation leaves the outbox only when SQL has all of it, and every row's key is made of what happened: a kill at
any point repeats work and neither loses nor doubles a delivery.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bot.conversation import Conversation
from bot.drift import BASE_DAYS, RECENT_DAYS, drift
from bot.stores.hooks import Hooks, Told
from bot.stores.outbox import Claim, Outbox
from bot.stores.redis import RedisStore
from bot.webhooks.happenings import Happening, asked_and_gaps, happening, of_conversation
from retrieval.bundle import Bundles
from retrieval.errors import BadBundle

READER = "webhooks"
BATCH = 100


def always(conversation: Conversation) -> bool:
    """Every conversation is told, whether somebody listens yet or not: the days' counts need it, too."""
    return True


class Relay:
    def __init__(self, store: RedisStore, hooks: Hooks, bundles: Bundles) -> None:
        self._store = store
        self._outbox: Outbox = store.outbox(READER)
        self._hooks = hooks
        self._bundles = bundles
        self._known: set[str] = set()

    async def relay(self) -> int:
        """How many conversations were told. Raises Unavailable without Redis or SQL; then nothing is lost."""
        claims = await self._outbox.claim(limit=BATCH)
        if claims:  # together, because each fsync of Redis and of SQL holds somebody up
            conversations = await asyncio.gather(*(self._store.read(claim.id) for claim in claims))
            await asyncio.to_thread(self._tell, claims, conversations)
            await asyncio.gather(*map(self._outbox.finish, claims, (one.version for one in conversations)))
        return len(claims)

    def _tell(self, claims: Sequence[Claim], conversations: Sequence[Conversation]) -> None:
        known = self._hooks.told([claim.id for claim in claims])
        told = []
        for claim, conversation in zip(claims, conversations, strict=True):
            start = max(claim.offset, known.get(claim.id, 0))
            happenings, counts = of_conversation(conversation, start), asked_and_gaps(conversation, start)
            told.append(Told(conversation.id, conversation.version, tuple(happenings), tuple(counts)))
        self._hooks.tell(told)

    def look_around(self, today: date | None = None) -> None:
        """Bundles that were trained, promoted and rolled back; and whether the bot knows less than it did."""
        now = datetime.now(UTC)
        told = [*self._evaluated(), *_changes(self._bundles)]
        self._hooks.put(one for one in told if one.id not in self._known)
        self._known |= {one.id for one in told}
        self._hooks.put(self._drifted(today or now.date(), now.timestamp()))

    def _evaluated(self) -> Iterator[Happening]:
        for id_ in self._bundles.ids():
            try:
                replay = self._bundles.manifest(id_).scores.get("replay", {})
            except BadBundle:
                continue  # `deskhand bundles list` says so; it is nothing that was evaluated
            at = (self._bundles.root / id_ / "manifest.json").stat().st_mtime
            scores = {name: value for name, value in replay.items() if isinstance(value, int | float | None)}
            yield happening("bundle.evaluated", at, {"bundle": id_}, {"scores": scores}, key=id_)

    def _drifted(self, today: date, at: float) -> Iterator[Happening]:
        """At most once a calendar week."""
        since = today - timedelta(days=RECENT_DAYS + BASE_DAYS)
        found = drift(self._hooks.days(since.isoformat()), today)
        if found is not None:
            year, week, _ = today.isocalendar()
            shares: dict[str, Any] = {"unanswered": found.recent, "unanswered_before": found.before}
            more = {"z": found.z, "asked": found.asked, "asked_before": found.asked_before}
            yield happening("drift.detected", at, shares, more, key=f"{year}-W{week}")


def _changes(bundles: Bundles) -> Iterator[Happening]:
    for row in bundles.changes():
        thin = {"bundle": row["bundle"]}
        yield happening(f"bundle.{row['how']}", row["at"], thin, {"before": row["before"]}, key=json.dumps(row))
