"""Conversations in Redis: a list of JSON events each; its length is its version. The only `import redis`.

    deskhand:c:{id}       the events                    deskhand:lock:{id}    who is writing, with an expiry
    deskhand:mode:{mode}  ids by time of last event     deskhand:queue:{id}   who waits to write, first come first
    deskhand:due          ids by time of next reminder  deskhand:outbox:...   see outbox.py
    deskhand:new:{id}     published: the new length     deskhand:alive:{id}   when each of them last asked
    deskhand:note:{id}    published: what passes, and is not kept

The lock and the queue before it give order, whatever server process a message came to; the length check in `COMMIT`
gives correctness: a writer whose lock ran out cannot overwrite.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.background import ended
from bot.conversation import Conversation, Mode, fold
from bot.events import Event, decode, encode
from bot.stores.outbox import Outbox, outbox_key
from bot.stores.store import MODES, Listed, Lost, Note, Turn, Watch, Watches
from retrieval.errors import Conflict, Unavailable

LOCK_S = 10.0
"""A writer that died holds the conversation up for at most this long; one that lives renews its lock in time."""

# A lock is neither written to the append-only file nor replicated: it costs no fsync, and dies with its Redis.
UNRECORDED = "redis.replicate_commands() redis.set_repl(redis.REPL_NONE) "

REMEMBERED = 1000
"""Conversations that a process knows to their last event, so that a turn costs the same however long one is."""

PATIENCE_S = 1.0
"""Who waits in the queue asks far more often than this; one that has not is dead and holds nobody up."""

NEXT_IN_LINE_S = 0.004

# The rows, or 1 for who is next in line and 0 for those behind. KEYS: events, lock, queue, alive. ARGV:
# token, expiry of the lock in ms, patience in ms, the first row that is wanted.
BEGIN = (
    UNRECORDED
    + """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local first = redis.call('LINDEX', KEYS[3], 0)
while first and first ~= ARGV[1] and now - tonumber(redis.call('HGET', KEYS[4], first) or 0) > tonumber(ARGV[3]) do
    redis.call('LPOP', KEYS[3])
    redis.call('HDEL', KEYS[4], first)
    first = redis.call('LINDEX', KEYS[3], 0)
end
if (not first or first == ARGV[1]) and (redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
        or redis.call('GET', KEYS[2]) == ARGV[1]) then
    redis.call('LREM', KEYS[3], 1, ARGV[1])
    redis.call('HDEL', KEYS[4], ARGV[1])
    return redis.call('LRANGE', KEYS[1], ARGV[4], -1)
end
if redis.call('HSET', KEYS[4], ARGV[1], now) == 1 then redis.call('RPUSH', KEYS[3], ARGV[1]) end
redis.call('PEXPIRE', KEYS[3], 60000)
redis.call('PEXPIRE', KEYS[4], 60000)
return redis.call('LINDEX', KEYS[3], 0) == ARGV[1] and 1 or 0
"""
)

# The lock goes with the commit, which saves a round trip; readers of events hear of it in the same breath.
# KEYS: events, four modes, due, lock, an outbox for each reader.
# ARGV: version, id, key of the mode, time, channel, token, time of the next reminder or "", events.
COMMIT = """
redis.replicate_commands()
local length = redis.call('LLEN', KEYS[1])
if length ~= tonumber(ARGV[1]) then return -1 end
redis.call('RPUSH', KEYS[1], unpack(ARGV, 8))
redis.call('PERSIST', KEYS[1])
for i = 2, 5 do
    if i ~= tonumber(ARGV[3]) then redis.call('ZREM', KEYS[i], ARGV[2]) end
end
redis.call('ZADD', KEYS[tonumber(ARGV[3])], ARGV[4], ARGV[2])
if ARGV[7] == '' then
    redis.call('ZREM', KEYS[6], ARGV[2])
else
    redis.call('ZADD', KEYS[6], ARGV[7], ARGV[2])
end
for i = 8, #KEYS do
    redis.call('ZADD', KEYS[i], 'LT', ARGV[4], ARGV[2])
    redis.call('HSETNX', KEYS[i] .. ':at', ARGV[2], length .. ' 0')
end
local now = length + #ARGV - 7
redis.call('PUBLISH', ARGV[5], now)
redis.set_repl(redis.REPL_NONE)
if redis.call('GET', KEYS[7]) == ARGV[6] then redis.call('DEL', KEYS[7]) end
return now
"""

RELEASE = UNRECORDED + "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

RENEW = (
    UNRECORDED
    + "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
)

RETIRE = """
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
for i = 2, #KEYS do redis.call('ZREM', KEYS[i], ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

NEW = "deskhand:new:"
DUE = "deskhand:due"
NOTE = "deskhand:note:"
INDEXES = tuple(f"deskhand:mode:{mode}" for mode in MODES)


def connect(url: str) -> redis.Redis:
    """A plain synchronous client, as the job queue wants it."""
    return redis.Redis.from_url(url, socket_connect_timeout=5)


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Turns what goes wrong with Redis inside the block into Unavailable."""
    try:
        yield
    except (redis.RedisError, OSError, TimeoutError) as error:
        raise Unavailable(
            f"Redis did not answer while we {what}: {error}; see that it runs and that DESKHAND_REDIS_URL is right"
        ) from error


async def _call(what: str, answer: Any) -> Any:
    with reaching(what):
        return await answer


@dataclass(frozen=True)
class Known:
    """A conversation as this process left it, and its last row as it stands in Redis."""

    conversation: Conversation
    last_row: str


class RedisStore:
    def __init__(
        self, url: str, *, wait_s: float = 30.0, readers: Mapping[str, Callable[[Conversation], bool]] | None = None
    ) -> None:
        """`url`: redis://, rediss:// or unix://. A turn waits at most `wait_s` for the one before it. A conversation
        is put into the outbox of each of the `readers` whose function says so when a turn is committed."""
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=64,
            timeout=5,
            decode_responses=True,
            socket_connect_timeout=2,
            socket_timeout=5,
            # A pooled connection that died with an old Redis is worth one more try, a dead Redis is worth no waiting.
            retry=Retry(NoBackoff(), 1),
        )
        self.client = self._redis = redis.asyncio.Redis.from_pool(pool)
        self._watches = Watches()
        self._listener: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()
        self._wait_s = wait_s
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._readers = readers or {}
        self._begin = self._redis.register_script(BEGIN)
        self._commit = self._redis.register_script(COMMIT)
        self._release = self._redis.register_script(RELEASE)
        self._renew = self._redis.register_script(RENEW)
        self._retire = self._redis.register_script(RETIRE)

    @asynccontextmanager
    async def turn(self, conversation_id: str) -> AsyncIterator[Turn]:
        token = secrets.token_hex(8)
        known = self._known.get(conversation_id)
        rows = await self._lock(conversation_id, token, known.conversation.version - 1 if known else 0)
        renewal = asyncio.create_task(self._keep(conversation_id, token))
        turn = Turn(await self._whole(conversation_id, known, rows), partial(self._append, token))
        try:
            yield turn
        finally:
            await ended(renewal)
            if not turn.stored:
                # Redis gone here costs only the lock's expiry: nothing of the turn was stored.
                with suppress(Unavailable):
                    await _call("released the lock", self._release(keys=[_lock(conversation_id)], args=[token]))

    async def _whole(self, conversation_id: str, known: Known | None, rows: list[str]) -> Conversation:
        """The conversation of these rows, which begin with the last that is known: a long one is not read again. Where
        they do not, it was deleted in between, and all of it is read."""
        if known is None:
            return fold(conversation_id, map(_event, rows))
        if rows and rows[0] == known.last_row:
            return known.conversation.apply(*map(_event, rows[1:]))
        return await self.read(conversation_id)

    async def _lock(self, conversation_id: str, token: str, first: int) -> list[str]:
        keys = [_list(conversation_id), _lock(conversation_id), *_queue(conversation_id)]
        args = [token, str(int(LOCK_S * 1000)), str(int(PATIENCE_S * 1000)), str(first)]
        deadline, pause = time.monotonic() + self._wait_s, 0.002
        while True:
            answer = await _call("read a conversation", self._begin(keys=keys, args=args))
            if isinstance(answer, list):
                return answer
            if time.monotonic() > deadline:
                raise Conflict(
                    f"conversation {conversation_id!r} was busy for {self._wait_s:g} s with an earlier message; "
                    "send this one again"
                )
            await asyncio.sleep(pause)
            pause = NEXT_IN_LINE_S if answer else min(pause * 1.5, 0.05)

    async def _keep(self, conversation_id: str, token: str) -> None:
        keys, args = [_lock(conversation_id)], [token, str(int(LOCK_S * 1000))]
        while True:
            await asyncio.sleep(LOCK_S / 3)
            with suppress(Unavailable):
                await _call("renewed a lock", self._renew(keys=keys, args=args))

    async def _append(self, token: str, turn: Turn) -> None:
        conversation = turn.conversation
        args: list[Any] = [turn.read_version, conversation.id, MODES.index(conversation.mode) + 2]
        args += [conversation.events[-1].at, NEW + conversation.id, token]
        args.append("" if conversation.due is None else conversation.due)
        rows = [json.dumps(encode(event)) for event in turn.new_events]
        args += rows
        outboxes = [outbox_key(reader) for reader, concerns in self._readers.items() if concerns(conversation)]
        keys = [_list(conversation.id), *INDEXES, DUE, _lock(conversation.id), *outboxes]
        length = await _call("stored a turn", self._commit(keys=keys, args=args))
        if length < 0:
            raise Lost(
                f"conversation {conversation.id!r} was read at version {turn.read_version} and has moved on; "
                "send the message again"
            )
        self._known[conversation.id] = Known(conversation, rows[-1])
        self._known.move_to_end(conversation.id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def outbox(self, reader: str) -> Outbox:
        return Outbox(self._redis, _call, reader)

    async def read(self, conversation_id: str) -> Conversation:
        return fold(conversation_id, await self.since(conversation_id, 0))

    async def since(self, conversation_id: str, offset: int) -> Sequence[Event]:
        rows = await _call("read a conversation", self._redis.lrange(_list(conversation_id), offset, -1))
        return [_event(row) for row in rows]

    @asynccontextmanager
    async def watch(self, conversation_id: str) -> AsyncIterator[Watch]:
        with self._watches.open(conversation_id) as watch:
            if self._listener is None:
                self._listener = asyncio.create_task(self._listen())
            with reaching("subscribed to new events"):
                async with asyncio.timeout(5):
                    await self._listening.wait()
            yield watch

    async def _listen(self) -> None:
        """One subscription for all watches of this process: thousands of open widgets cost no more connections."""
        while True:
            with suppress(redis.RedisError, OSError):
                async with self._redis.pubsub() as pubsub:
                    await pubsub.psubscribe(f"{NEW}*", f"{NOTE}*")
                    while True:
                        if message := await pubsub.get_message(timeout=60):
                            self._hear(message)
            self._listening.clear()
            await asyncio.sleep(0.5)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "pmessage" and message["channel"].startswith(NOTE):
            self._watches.tell(message["channel"].removeprefix(NOTE), json.loads(message["data"]))
        elif message["type"] == "pmessage":
            self._watches.tell(message["channel"].removeprefix(NEW))
        elif message["type"] == "psubscribe" and message["data"] == 2:  # both patterns
            self._listening.set()
            self._watches.tell_all()  # something may have come while nobody was subscribed

    async def tell(self, conversation_id: str, note: Note) -> None:
        await _call("told a note", self._redis.publish(NOTE + conversation_id, json.dumps(note)))

    async def listed(
        self, mode: Mode, *, before: float | None = None, limit: int = 100, oldest_first: bool = False
    ) -> Sequence[Listed]:
        key, top = f"deskhand:mode:{mode}", "+inf" if before is None else f"({before}"
        if oldest_first:
            found = self._redis.zrangebyscore(key, "-inf", top, start=0, num=limit, withscores=True)
        else:
            found = self._redis.zrevrangebyscore(key, top, "-inf", start=0, num=limit, withscores=True)
        return [Listed(id_, float(at)) for id_, at in await _call("listed conversations", found)]

    async def retire(self, conversation_id: str, *, version: int, keep_s: float) -> bool:
        keys, args = [_list(conversation_id), *INDEXES], [str(version), conversation_id, str(int(keep_s * 1000))]
        return bool(await _call("retired a conversation", self._retire(keys=keys, args=args)))

    async def due(self, before: float, *, limit: int = 100) -> Sequence[str]:
        found = self._redis.zrangebyscore(DUE, "-inf", f"({before}", start=0, num=limit)
        return list(await _call("looked for reminders", found))

    async def forget_due(self, conversation_id: str) -> None:
        await _call("forgot a reminder", self._redis.zrem(DUE, conversation_id))

    async def ping(self) -> None:
        await _call("pinged it", self._redis.ping())

    async def close(self) -> None:
        if self._listener is not None:
            await ended(self._listener)
        await self._redis.aclose()


def _event(row: str) -> Event:
    return decode(json.loads(row))


def _list(conversation_id: str) -> str:
    return f"deskhand:c:{conversation_id}"


def _lock(conversation_id: str) -> str:
    return f"deskhand:lock:{conversation_id}"


def _queue(conversation_id: str) -> tuple[str, str]:
    return f"deskhand:queue:{conversation_id}", f"deskhand:alive:{conversation_id}"


class Streams:
    """A Redis stream that several processes work off together: what one took and did not finish, another gets."""

    def __init__(self, store: RedisStore, name: str, group: str, *, consumer: str) -> None:
        self._redis = store.client
        self._name, self._group, self._consumer = name, group, consumer
        self._ready = False

    async def add(self, fields: dict[str, str]) -> None:
        entry: Any = fields
        await _call("added to a stream", self._redis.xadd(self._name, entry))

    async def take(self, *, count: int, wait_ms: int, stuck_ms: int) -> list[tuple[str, dict[str, str]]]:
        """Entries for this consumer: first those that lie unfinished for `stuck_ms`, then new ones."""
        with reaching("read a stream"):
            if not self._ready:
                await self._open()
            _, stuck, *_ = await self._redis.xautoclaim(self._name, self._group, self._consumer, stuck_ms, count=count)
            if found := [(id_, fields) for id_, fields in stuck if fields]:
                return found
            new: Any = await self._redis.xreadgroup(
                self._group, self._consumer, {self._name: ">"}, count=count, block=wait_ms
            )
            return [(id_, fields) for _, entries in new or () for id_, fields in entries]

    async def done(self, *ids: str) -> None:
        with reaching("finished an entry of a stream"):
            async with self._redis.pipeline() as pipeline:
                pipeline.xack(self._name, self._group, *ids)
                pipeline.xdel(self._name, *ids)
                await pipeline.execute()

    async def _open(self) -> None:
        try:
            await self._redis.xgroup_create(self._name, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._ready = True
