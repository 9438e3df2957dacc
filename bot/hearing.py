"""What the engine understands of a message, as the event and the candidates that `decide` goes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bot.conversation import Conversation
from bot.courtesy import courteous_intent
from bot.domain import Domain
from bot.domain_usage import DEFAULT_INTENTS
from bot.entities import Finder
from bot.events import UserSaid
from bot.messages import UserMessage
from bot.payload import parse_payload
from bot.requests import Heard, divisible, leads, parts, recognised, separate
from bot.steps import Candidates, Limits
from bot.wording import asks, correction
from retrieval.engine import Engine
from retrieval.types import IntentScore, Understanding

Payload = tuple[str, Sequence[dict[str, Any]]]

RANKING = 3
"""Intents kept with a message: as many as a clarifying question offers."""
COURTEOUS = 0.95
"""How sure a message is that is nothing but thanks, a greeting or a goodbye, word by word."""


def listen(engine: Engine, message: UserMessage, conversation: Conversation) -> Understanding:
    """Slow: for a thread. Of a correction ("no, I meant exchanges") what was meant is understood."""
    return engine.understand(correction(message.text) or message.text, context=conversation.context)


def hear(
    engine: Engine,
    finder: Finder,
    message: UserMessage,
    conversation: Conversation,
    heard: Understanding | None = None,
) -> Heard:
    """Slow: for a thread. `heard` is what `listen` gave, when it was asked before."""
    heard = heard or listen(engine, message, conversation)
    passages = engine.search(heard, history=conversation.history)
    vector = engine.encode([message.text])[0] if engine.policy else None
    candidates = Candidates(tuple(engine.answer(heard)), tuple(passages), engine.policy, vector)
    return _event(message, heard, engine, finder), candidates


def hear_requests(
    engine: Engine, finder: Finder, message: UserMessage, conversation: Conversation, domain: Domain, limits: Limits
) -> list[Heard]:
    """The message as one, or its parts when each is a request of its own. Slow: for a thread."""
    pieces = parts(message.text) if divisible(conversation) else [message.text]
    if len(pieces) == 1:
        return [hear(engine, finder, message, conversation)]
    heard: list[Heard] = []

    def one_by_one() -> Iterator[Heard]:
        for piece in pieces[len(heard) :]:
            heard.append(hear(engine, finder, replace(message, text=piece), conversation))
            yield heard[-1]

    if several := separate(conversation, one_by_one(), domain, limits):
        return several
    whole = hear(engine, finder, message, conversation)
    if leads(conversation, whole, domain, limits) or not all(map(asks, pieces)):
        return [whole]
    return recognised(conversation, [*heard, *one_by_one()], domain, limits) or [whole]


def _event(message: UserMessage, heard: Understanding, engine: Engine, finder: Finder) -> UserSaid:
    skipped = len(message.text) - len(heard.text)
    entities = (
        {"entity": e.name, "value": e.value, "start": skipped + e.start, "end": skipped + e.end,
         "confidence": e.confidence, **({"role": e.role} if e.role else {}), **({"group": e.group} if e.group else {})}
        for e in heard.entities
    )  # fmt: skip
    intent, in_scope, ranking = heard.intent, heard.in_scope, heard.ranking
    if name := finder.intent(heard.text):  # somebody wrote that this text means this
        intent, in_scope = IntentScore(name, 1.0), 1.0
    elif polite := courteous_intent(message.text, engine.manifest.labels):
        known = intent.confidence if intent and intent.name == polite else 0.0
        intent, in_scope = IntentScore(polite, max(COURTEOUS, known)), max(COURTEOUS, in_scope)
    if intent:
        ranking = (intent, *(one for one in ranking if one.name != intent.name))
    return user_said(
        message,
        engine.id,
        intent=intent.name if intent else None,
        confidence=intent.confidence if intent else 0.0,
        ranking=tuple({"name": one.name, "confidence": one.confidence} for one in ranking[:RANKING]),
        in_scope=in_scope,
        entities=finder.merged(entities, message.text, learned=engine.learned, now=finder.now(message.metadata)),
    )


def named(text: str, engine: Engine, domain: Domain) -> Payload | None:
    """The intent and entities of `/intent{...}`; as in Rasa, `/nope` for an intent that nobody knows is only words."""
    payload = parse_payload(text)
    if payload is None:
        return None
    intent = payload[0].partition("/")[0]
    learned = engine.intents.labels if engine.intents else ()
    known = intent in domain.intents or intent in DEFAULT_INTENTS or payload[0] in learned
    return payload if known else None


def explicit(message: UserMessage, bundle: str, payload: Payload) -> UserSaid:
    """A message that names its intent needs no understanding."""
    intent, entities = payload
    return user_said(message, bundle, intent=intent, confidence=1.0, entities=tuple(entities))


def user_said(message: UserMessage, bundle: str, **understood: Any) -> UserSaid:
    return UserSaid(
        text=message.text,
        message_id=message.id,
        channel=message.channel,
        metadata=message.metadata,
        parts=message.parts,
        bundle=bundle,
        **understood,
    )
