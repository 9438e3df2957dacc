"""What was answered to an `Idempotency-Key`, in Redis for a day: the same request again gets the same answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from bot.stores.redis import RedisStore, reaching
from retrieval.errors import Conflict

DAY_S = 24 * 3600
AT_WORK_S = 120
"""A request whose server died holds its key for so long."""


class Busy(Conflict):
    headers: Mapping[str, str] = {"Retry-After": "1"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


class Replays:
    def __init__(self, store: RedisStore) -> None:
        self._redis = store.client

    async def begin(self, key: str, body: bytes) -> Answer | None:
        """What this request was answered before, or None: then it is ours to do. Raises Conflict when the key came
        with another body, or while the first request is still being done."""
        digest = hashlib.sha256(body).hexdigest()
        mark = json.dumps({"body": digest})
        with reaching("looked for an Idempotency-Key"):
            if await self._redis.set(_key(key), mark, nx=True, ex=AT_WORK_S):
                return None
            earlier = await self._redis.get(_key(key))
        if earlier is None:
            raise Busy("the first request with this Idempotency-Key has just failed; ask again in a second")
        known = json.loads(earlier)
        if known["body"] != digest:
            raise Conflict("this Idempotency-Key was used with another body; make a new key for a new request")
        if "status" not in known:
            raise Busy("the first request with this Idempotency-Key is still being done; ask again in a second")
        return Answer(known["status"], known["headers"], known["answer"])

    async def keep(self, key: str, body: bytes, answer: Answer) -> None:
        known = {"body": hashlib.sha256(body).hexdigest(), **{"status": answer.status, "headers": answer.headers}}
        with reaching("kept an answer"):
            await self._redis.set(_key(key), json.dumps({**known, "answer": answer.body}), ex=DAY_S)

    async def forget(self, key: str) -> None:
        with reaching("let an Idempotency-Key go"):
            await self._redis.delete(_key(key))


def _key(key: str) -> str:
    return f"deskhand:once:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
