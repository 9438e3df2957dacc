"""A message in, replies out: the one place where pure decisions meet I/O."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog

from bot import actions, bursts
from bot.action_server import ActionFailed, ActionServer
from bot.background import ended
from bot.config import Config
from bot.conversation import WIDGET, Conversation, due_at
from bot.domain import Domain
from bot.engines import Engines
from bot.entities import Finder
from bot.events import (
    EXTERNAL,
    ActionRan,
    BotSaid,
    Event,
    HandedOff,
    Held,
    ReminderFired,
    ReminderSet,
    UserSaid,
    now,
)
from bot.hearing import explicit, hear, hear_requests, named, user_said
from bot.messages import Replies, UserMessage, draft
from bot.metrics import Metrics
from bot.policy import decide
from bot.requests import in_turn, next_in_turn
from bot.session import begin_session, open_session
from bot.steps import Answer, Candidates, Cite, Clarify, HandOff, Limits, RunAction, Step, StillWaiting, Wait
from bot.stores.store import ConversationStore, Lost, Turn
from bot.transcript_schema import clean
from bot.writing import Writing
from retrieval.engine import Engine
from retrieval.errors import BadInput, NotAllowed, Unavailable
from retrieval.types import Passage

log = structlog.get_logger()

Result = TypeVar("Result")

ATTEMPTS = 3
"""How often a turn is done again when another writer was quicker."""

MAX_ID = 255
NOTICE_EVERY_S = 3.0
FAILURES = ("failed", "action_failed", "step_limit")

__all__ = ["Manager", "Replies", "UserMessage"]


class Manager:
    def __init__(
        self,
        *,
        store: ConversationStore,
        engines: Engines,
        domain: Domain,
        config: Config,
        metrics: Metrics,
        server: ActionServer | None = None,
        threads: int = 1,
        writing: Writing | None = None,
    ) -> None:
        self._writing = writing
        self.store = store
        self.engines = engines
        self.domain = domain
        self.finder = Finder(domain, zone=config.business_hours.timezone)
        self._config = config
        self._metrics = metrics
        self.server = server
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="engine")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def handle(self, message: UserMessage) -> Replies:
        """Raises BadInput for a message beyond the limits, Unavailable without Redis or a bundle, Conflict when other
        writers were quicker every time; then nothing of the turn is stored. Any other failure is said politely to
        the customer and ends in a hand-off."""
        message = replace(message, text=clean(message.text))
        self.check(message)
        with structlog.contextvars.bound_contextvars(trace=uuid.uuid4().hex[:16], conversation=message.conversation_id):
            if bursts.may_wait(message, self._config.bursts) and await self._again(self._hold, message):
                await asyncio.sleep(self._config.bursts.moment_s)
            return await self._again(self._turn, message)

    async def trigger(
        self, conversation_id: str, intent: str, entities: Sequence[dict[str, Any]] = (), *, channel: str = ""
    ) -> Replies:
        """An intent from outside, of a program or a person of the desk, not of the customer. Raises as `handle`."""
        text = f"EXTERNAL: {intent}"
        payload, metadata = (intent, tuple(entities)), {EXTERNAL: True}
        return await self.handle(
            UserMessage(conversation_id, text, channel=channel, metadata=metadata, payload=payload)
        )

    async def remind(self, conversation_id: str) -> Replies | None:
        """Fires the reminders of a conversation that are due, None when none is (any more)."""
        engine = self.engines.engine
        async with self.store.turn(conversation_id) as turn:
            due = [one for one in turn.conversation.reminders if due_at(one) <= now()]
            channel = next((e.channel for e in reversed(turn.conversation.events) if isinstance(e, UserSaid)), "")
            for reminder in sorted(due, key=due_at):
                turn.add(ReminderFired(name=reminder.name))
                await self._respond(turn, _reminding(reminder, conversation_id, channel), engine)
            added = turn.new_events
            await turn.commit()
        if not due:
            await self.store.forget_due(conversation_id)
            return None
        self._count(channel, added)
        return Replies(conversation_id, _said(added), turn.conversation.mode, channel)

    async def _again(self, attempt: Callable[[UserMessage], Awaitable[Result]], message: UserMessage) -> Result:
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                return await attempt(message)
            except Lost:
                if not left:
                    self._metrics.messages.labels(message.channel, "conflict").inc()
                    raise
        raise AssertionError("unreachable")

    async def _hold(self, message: UserMessage) -> bool:
        """Keeps a short message that the next words may go on from; False when it is to be read at once."""
        async with self.store.turn(message.conversation_id) as turn:
            conversation = turn.conversation
            if conversation.replies_to(message.id) is not None or not bursts.waits_for_more(conversation):
                return False
            if message.id not in [one.message_id for one in conversation.held]:
                opened = await self._session(conversation, message)
                turn.add(*opened, Held(text=message.text, message_id=message.id))
                await turn.commit()
        return True

    async def _turn(self, message: UserMessage) -> Replies:
        engine = self.engines.engine  # one bundle for the whole turn
        with self._metrics.turn.time():
            async with self.store.turn(message.conversation_id) as turn:
                conversation = turn.conversation
                if (earlier := conversation.replies_to(message.id)) is not None:
                    self._metrics.messages.labels(message.channel, "repeated").inc()
                    return Replies(message.conversation_id, earlier, conversation.mode)
                if bursts.superseded(message, conversation.held):
                    self._metrics.messages.labels(message.channel, "held").inc()
                    return Replies(message.conversation_id, (), conversation.mode)
                await self._respond(turn, bursts.joined(message, conversation.held), engine)
                added = turn.new_events
                await turn.commit()
        self._count(message.channel, added)
        return Replies(message.conversation_id, _said(added), turn.conversation.mode)

    async def _respond(self, turn: Turn, message: UserMessage, engine: Engine) -> None:
        try:
            turn.add(*await self._session(turn.conversation, message))
            candidates = await self._listen(turn, message, engine)
            await self._act(turn, message, engine, candidates)
            await self._work_off(turn, message, engine)
        except Exception as error:
            self._give_up(turn, message, engine, error)

    async def _session(self, conversation: Conversation, message: UserMessage) -> Sequence[Event]:
        begin = begin_session if conversation.mode == "closed" else open_session
        events = begin(conversation, self.domain, channel=message.channel, metadata=message.metadata, at=now())
        return await actions.opened(events, conversation, self.domain, self.server)

    async def _listen(self, turn: Turn, message: UserMessage, engine: Engine) -> Candidates:
        if payload := message.payload or named(message.text, engine, self.domain):
            turn.add(explicit(message, engine.id, payload))
            return Candidates(policy=engine.policy)
        how = partial(hear_requests, domain=self.domain, limits=self.limits(engine))
        heard = await self._hear(how, message, turn.conversation, engine)
        turn.add(*in_turn(message, [said for said, _ in heard]))
        return heard[0][1]

    async def _hear(
        self, how: Callable[..., Result], message: UserMessage, conversation: Conversation, engine: Engine
    ) -> Result:
        loop = asyncio.get_running_loop()
        with self._metrics.understand.time():
            return await loop.run_in_executor(self._pool, how, engine, self.finder, message, conversation)

    async def _work_off(self, turn: Turn, message: UserMessage, engine: Engine) -> None:
        """The queued requests, one after the other, until one of them opens a form or goes to a person."""
        while turn.conversation.queued and turn.conversation.loop is None and turn.conversation.mode == "bot":
            following = next_in_turn(turn.conversation, message)
            said, candidates = await self._hear(hear, following, turn.conversation, engine)
            turn.add(said)
            await self._act(turn, message, engine, candidates)

    async def _act(self, turn: Turn, message: UserMessage, engine: Engine, candidates: Candidates) -> None:
        limits = self.limits(engine)
        for _ in range(self._config.limits.steps_per_turn):
            step = decide(turn.conversation, self.domain, candidates, limits)
            if isinstance(step, Wait):
                return
            self._metrics.steps.labels(type(step).__name__).inc()
            if isinstance(step, RunAction) and step.name in self.domain.actions:
                await self._preview(turn)
            async with self._noticed(turn.conversation.id):
                events = await self._perform(step, turn.conversation, candidates)
            self._add(turn, message, engine, events)
        log.error("step limit reached", steps=self._config.limits.steps_per_turn, actions=turn.conversation.actions)
        self._add(turn, message, engine, self._hand_off("step_limit", turn.conversation))

    @asynccontextmanager
    async def _noticed(self, conversation_id: str) -> AsyncIterator[None]:
        """Those who watch are told that something is happening while the block takes longer than a moment."""

        async def notice() -> None:
            await asyncio.sleep(self._config.actions.notice_s)
            while True:
                with suppress(Unavailable):
                    await self.store.tell(conversation_id, {"type": "busy"})
                await asyncio.sleep(NOTICE_EVERY_S)

        task = asyncio.create_task(notice())
        try:
            yield
        finally:
            await ended(task)

    async def _preview(self, turn: Turn) -> None:
        """An action may take seconds. Those who watch see what was said before it; it counts when it is stored."""
        for said in _said(turn.new_events):
            await self.store.tell(turn.conversation.id, draft(said, whole=True))

    async def _perform(self, step: Step, conversation: Conversation, candidates: Candidates) -> Sequence[Event]:
        match step:
            case RunAction(name="action_handoff"):
                events = self._hand_off("asked", conversation)
                ran = ActionRan(name=step.name, policy=step.policy)
                return [ran, *(events[-1:] if conversation.replied else events)]
            case RunAction(name=name, policy=policy, confidence=confidence):
                return await actions.run(
                    name, conversation, self.domain, self.server, policy=policy, confidence=confidence
                )
            case Answer(hit=hit, text=text):
                return [BotSaid(text=text, source="answer", answer=hit.answer, p_correct=hit.p_correct)]
            case Cite(text=text, passages=passages):
                said = BotSaid(text=text, source="passage", citations=_citations(passages))
                return [await self._written(said, conversation, passages)]
            case Clarify(options=options):
                buttons = _buttons(options, candidates)
                return [BotSaid(text=self._config.replies.clarify, source="clarify", buttons=buttons)]
            case HandOff(reason=reason, gap=gap):
                return self._hand_off(reason, conversation, gap=gap)
            case StillWaiting():
                return [BotSaid(text=self._config.replies.waiting, source="waiting")]
            case _:
                raise TypeError(f"no way to perform {step!r}")

    async def _written(self, said: BotSaid, conversation: Conversation, passages: Sequence[Passage]) -> BotSaid:
        """Worded by the model, when there is one; those who watch see it grow."""
        asked = conversation.latest
        if self._writing is None or asked is None:
            return said
        said = replace(said, message_id=uuid.uuid4().hex, in_reply_to=asked.message_id)

        async def show(so_far: str) -> None:
            with suppress(Unavailable):
                await self.store.tell(conversation.id, draft(replace(said, text=so_far, citations=()), whole=False))

        text = await self._writing.word(asked.text, conversation.history, passages, said.text or "", show)
        return replace(said, text=text)

    def _add(self, turn: Turn, message: UserMessage, engine: Engine, events: Sequence[Event]) -> None:
        """A reply knows its own id, the message that it answers, and the bundle in service."""
        for event in events:
            if isinstance(event, BotSaid):
                id_ = event.message_id or uuid.uuid4().hex
                event = replace(event, message_id=id_, in_reply_to=message.id, bundle=event.bundle or engine.id)
            turn.add(event)

    def _hand_off(self, reason: str, conversation: Conversation, *, gap: bool = False) -> Sequence[Event]:
        """As the domain words it (`utter_handoff_<reason>`), else as `config/deskhand.yml` does."""
        events = actions.hand_off(reason, conversation, self.domain, gap=gap)
        return [self._worded(event, reason) for event in events]

    def _worded(self, event: Event, reason: str) -> Event:
        if not isinstance(event, BotSaid) or event.response:
            return event
        replies = self._config.replies
        if reason in FAILURES:
            return replace(event, text=replies.failed)
        if not self._config.business_hours.open_at(event.at):
            return replace(event, text=replies.closed)
        return replace(event, text=replies.asked if reason == "asked" else replies.unknown)

    def _give_up(self, turn: Turn, message: UserMessage, engine: Engine, error: Exception) -> None:
        """What happened before the failure stays: it was said or done. The customer is told and a person takes over."""
        expected = isinstance(error, ActionFailed)
        reason = "action_failed" if expected else "failed"
        self._metrics.errors.labels("action_server" if expected else "turn").inc()
        log.error("the turn failed", reason=reason, error=str(error), exc_info=None if expected else error)
        if not any(isinstance(event, UserSaid) for event in turn.new_events):
            turn.add(user_said(message, engine.id))
        if turn.conversation.mode == "bot":
            # In our own words: rendering the domain's response may be what failed.
            said = BotSaid(text=self._config.replies.failed, source="system")
            self._add(turn, message, engine, [said, HandedOff(reason=reason)])

    def limits(self, engine: Engine) -> Limits:
        at = engine.thresholds
        return Limits(
            answer=at.answer,
            passage=at.passage,
            intent=at.intent,
            in_scope=at.in_scope,
            clarify_margin=self._config.limits.clarify_margin,
            answers_while_waiting=self._config.handoff.answer_while_waiting,
        )

    def check(self, message: UserMessage) -> None:
        most = self._config.limits.message_chars
        if len(message.text) > most:
            raise BadInput(f"the message has {len(message.text)} characters, at most {most} are read; send it in parts")
        if not message.text.strip():
            raise BadInput("the message is empty; send some text")
        trusted = message.payload is not None  # an intent of a program or of a person of the desk
        check_conversation(message.conversation_id, "widget" if trusted else message.channel)
        _check_id("message id", message.id)

    def _count(self, channel: str, added: Sequence[Event]) -> None:
        handed_off = [event for event in added if isinstance(event, HandedOff)]
        for event in handed_off:
            self._metrics.handoffs.labels(event.reason).inc()
        outcome = "handed_off" if handed_off else "answered" if _said(added) else "silent"
        self._metrics.messages.labels(channel, outcome).inc()


def check_conversation(id_: str, channel: str) -> None:
    """Raises BadInput for an id that does not do, NotAllowed for one of the widget on another channel."""
    if id_.startswith(WIDGET) and channel != "widget":
        raise NotAllowed(f"conversations whose id begins with {WIDGET!r} are the widget's own; give another id")
    _check_id("conversation id", id_)


def _check_id(what: str, value: str) -> None:
    if not 0 < len(value) <= MAX_ID or not value.isprintable():
        raise BadInput(f"the {what} {value[:40]!r} does not do; give 1 to {MAX_ID} printable characters")


def _reminding(reminder: ReminderSet, conversation_id: str, channel: str) -> UserMessage:
    """What a reminder triggers, as Rasa words it."""
    given = reminder.entities or []
    entities = [{"entity": name, "value": value} for name, value in given.items()] if isinstance(given, dict) else given
    return UserMessage(
        conversation_id,
        f"EXTERNAL: {reminder.intent}",
        channel=channel,
        metadata={EXTERNAL: True},
        payload=(reminder.intent, tuple(one for one in entities if isinstance(one, dict))),
    )


def _buttons(options: Sequence[tuple[str, str]], candidates: Candidates) -> tuple[dict[str, Any], ...]:
    """A button that stands for a mined answer names it, so that `decide` finds it when it is pressed."""
    answers = {hit.requests[0].text: hit.answer for hit in reversed(candidates.answers) if hit.requests}
    return tuple(
        {"title": title, "payload": payload, **({"answer": answers[payload]} if payload in answers else {})}
        for title, payload in options
    )


def _citations(passages: Sequence[Passage]) -> tuple[dict[str, Any], ...]:
    """One an article, in order of first use, with the passage that came first."""
    found: dict[str, dict[str, Any]] = {}
    for one in passages:
        found.setdefault(one.article, {"title": one.title, "url": one.url, "quote": one.text})
    return tuple(found.values())


def _said(events: Sequence[Event]) -> tuple[BotSaid, ...]:
    return tuple(event for event in events if isinstance(event, BotSaid))
