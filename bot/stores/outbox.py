"""Conversations with events that a reader has yet to work off: at least once, in order, and across restarts.

The commit of a turn puts its conversation in here, in the same script, so that no event is stored and forgotten.

    deskhand:outbox:{reader}         ids by the time of their next try
    deskhand:outbox:{reader}:at      id -> "offset part": everything before it is done. It is there only while work is
    deskhand:outbox:{reader}:tried   id -> {"attempts", "error"} of the last try
    deskhand:outbox:{reader}:by:{id} who is at it, with an expiry: a reader that died is replaced after that
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

LEASE_S = 60.0

CLAIM = """
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
    if redis.call('SET', KEYS[1] .. ':by:' .. id, ARGV[3], 'NX', 'PX', ARGV[4]) then
        redis.call('ZADD', KEYS[1], ARGV[5], id)
        found[#found + 1] = {id, redis.call('HGET', KEYS[1] .. ':at', id), redis.call('HGET', KEYS[1] .. ':tried', id)}
    end
end
return found
"""

# What a reader may do with a claim, as long as nobody has taken it over. ARGV: id, token, ...
OWNED = "local by = KEYS[1] .. ':by:' .. ARGV[1] if redis.call('GET', by) ~= ARGV[2] then return 0 end "

MOVE = (
    OWNED
    + """
redis.call('HSET', KEYS[1] .. ':at', ARGV[1], ARGV[3])
redis.call('HDEL', KEYS[1] .. ':tried', ARGV[1])
redis.call('PEXPIRE', by, ARGV[4])
return 1
"""
)

FINISH = (
    OWNED
    + """
redis.call('DEL', by)
local length = redis.call('LLEN', KEYS[2])
if length > tonumber(ARGV[3]) then return 2 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1] .. ':at', ARGV[1])
redis.call('HDEL', KEYS[1] .. ':tried', ARGV[1])
return 1
"""
)

POSTPONE = (
    OWNED
    + """
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[1] .. ':tried', ARGV[1], ARGV[4])
redis.call('DEL', by)
return 1
"""
)


def outbox_key(reader: str) -> str:
    return f"deskhand:outbox:{reader}"


@dataclass(frozen=True)
class Claim:
    """One conversation for one reader. The next thing to do is part `part` of the event at `offset`."""

    id: str
    offset: int
    part: int
    attempts: int
    token: str


@dataclass(frozen=True)
class Due:
    """A conversation that is not worked off: `next_try` in seconds since the epoch, `error` of the last try or ""."""

    id: str
    offset: int
    attempts: int
    next_try: float
    error: str


class Outbox:
    """One reader's view. `call` runs one command of the client and raises Unavailable when Redis is gone."""

    def __init__(self, client: Any, call: Callable[[str, Any], Awaitable[Any]], reader: str) -> None:
        self._redis = client
        self._call = call
        self._key = outbox_key(reader)
        self._claim, self._move, self._finish, self._postpone = (
            client.register_script(script) for script in (CLAIM, MOVE, FINISH, POSTPONE)
        )

    async def claim(self, *, limit: int = 20) -> Sequence[Claim]:
        """Conversations that are due now, each for this caller alone for `LEASE_S` seconds from its last `move` on."""
        token = secrets.token_hex(8)
        args = [time.time(), limit, token, _ms(LEASE_S), time.time() + LEASE_S]
        rows = await self._call("claimed deliveries", self._claim(keys=[self._key], args=args))
        return [_claimed(row, token) for row in rows]

    async def move(self, claim: Claim, offset: int, part: int) -> bool:
        """Everything before that is done. False when somebody else has taken the conversation over: leave it."""
        args = [claim.id, claim.token, f"{offset} {part}", _ms(LEASE_S)]
        return bool(await self._call("noted a delivery", self._move(keys=[self._key], args=args)))

    async def finish(self, claim: Claim, offset: int) -> None:
        """All events before `offset` are done; what was added in the meantime stays due."""
        keys, args = [self._key, f"deskhand:c:{claim.id}"], [claim.id, claim.token, offset]
        await self._call("finished a delivery", self._finish(keys=keys, args=args))

    async def postpone(self, claim: Claim, *, delay_s: float, error: str) -> None:
        """Try again later; a new event of the conversation brings the next try forward."""
        tried = json.dumps({"attempts": claim.attempts + 1, "error": error})
        args = [claim.id, claim.token, time.time() + delay_s, tried]
        await self._call("postponed a delivery", self._postpone(keys=[self._key], args=args))

    async def due(self, *, limit: int = 100) -> Sequence[Due]:
        """What is not worked off, next try first."""
        listed = await self._call("listed deliveries", self._redis.zrange(self._key, 0, limit - 1, withscores=True))
        ids = [id_ for id_, _ in listed]
        if not ids:
            return []
        at = await self._call("listed deliveries", self._redis.hmget(f"{self._key}:at", ids))
        tried = await self._call("listed deliveries", self._redis.hmget(f"{self._key}:tried", ids))
        return [
            Due(id_, _position(where)[0], next_try=score, **_tried(what))
            for (id_, score), where, what in zip(listed, at, tried, strict=True)
        ]


def _claimed(row: Sequence[str | None], token: str) -> Claim:
    id_, at, tried = row
    offset, part = _position(at)
    return Claim(str(id_), offset, part, _tried(tried)["attempts"], token)


def _position(at: str | None) -> tuple[int, int]:
    offset, part = (at or "0 0").split()
    return int(offset), int(part)


def _tried(what: str | None) -> dict[str, Any]:
    return json.loads(what) if what else {"attempts": 0, "error": ""}


def _ms(seconds: float) -> str:
    return str(int(seconds * 1000))
