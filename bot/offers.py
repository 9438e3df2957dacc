"""What the engine offers: learned answers, passages, a clarifying question between close ones. Pure."""

from __future__ import annotations

from typing import Any

from bot.conversation import Conversation
from bot.domain import Domain
from bot.events import BotSaid, UserSaid
from bot.fill import fill
from bot.payload import parse_payload
from bot.steps import Answer, Candidates, Cite, Clarify, Limits, Step
from bot.wording import without_greeting
from retrieval.compose import compose
from retrieval.types import AnswerHit

PERSON = frozenset({"talk_to_person", "handoff", "human_handoff"})


def chosen(conversation: Conversation, said: UserSaid, candidates: Candidates) -> Step | None:
    """A customer who picked one of the offered questions gets its answer, however close the other was."""
    picked = said.text.strip().casefold()
    if not any(
        picked in (str(one.get("payload")).casefold(), str(one.get("title")).casefold())
        for one in offered(conversation)
    ):
        return None
    hit = next((hit for hit in candidates.answers if picked in _wordings(hit)), None)
    return _serve(hit, conversation) if hit else None


def _wordings(hit: AnswerHit) -> set[str]:
    texts = {one.text.strip().casefold() for one in hit.requests}
    return texts | {without_greeting(text) for text in texts}


def offered(conversation: Conversation) -> tuple[dict[str, Any], ...]:
    """The buttons of the clarifying question that was the desk's last word before this message."""
    before = (event for event in reversed(conversation.trail[: _latest_at(conversation)]))
    last = next((event for event in before if isinstance(event, BotSaid | UserSaid)), None)
    return last.buttons if isinstance(last, BotSaid) and last.source == "clarify" else ()


def _latest_at(conversation: Conversation) -> int:
    trail = conversation.trail
    return next((i for i in range(len(trail) - 1, -1, -1) if trail[i] is conversation.latest), len(trail))


def _serve(hit: AnswerHit, conversation: Conversation) -> Answer | None:
    text = fill(hit.text, conversation) if hit.servable else None
    return Answer(hit, text) if text else None


def known(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """The learned answer or the passages that clear their limits.

    Where both do, passages come first only if they are the more probable and further above their own limit: agents'
    words are worth more than an article's, but not when they only just do.
    """
    found = answer(conversation, domain, said, candidates, limits)
    cited = passages(said, candidates, limits)
    if not (isinstance(found, Answer) and isinstance(cited, Cite)):
        return found or cited
    p, q = found.hit.p_correct, max(passage.p_relevant for passage in cited.passages)
    return cited if q > p and _above(q, limits.passage) > _above(p, found.hit.limit(limits.answer)) else found


def _above(p: float, limit: float) -> float:
    """How much of the way from its limit to certainty a probability has gone."""
    return (p - limit) / max(1 - limit, 1e-6)


def answer(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """The best mined answer, if it is likely enough right and nothing the rules deal with was more likely meant."""
    if parse_payload(said.text):
        return None
    best = next(iter(candidates.answers), None)
    if (
        best is None
        or not best.clears(limits.answer)
        or (said.intent in ruled(domain) and said.confidence > best.p_correct)
    ):
        return None
    return _serve(best, conversation)


def ruled(domain: Domain) -> frozenset[str]:
    """The intents that a rule without condition deals with."""
    return frozenset(
        str(rule.points[0].name) for rule in domain.rules if rule.points[0].said and rule.points[0].any_loop
    )


def passages(said: UserSaid, candidates: Candidates, limits: Limits) -> Step | None:
    clear = tuple(passage for passage in candidates.passages if passage.p_relevant >= limits.passage)
    if not clear or parse_payload(said.text):
        return None
    composed = compose(said.text, clear)
    return Cite(composed.text, tuple(composed.passages)) if composed else None


def clarify(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """Two or three close candidates of which one is likely right: ask which, once, and nothing that is out of scope."""
    if offered(conversation) or parse_payload(said.text) or conversation.loop or said.in_scope < limits.in_scope:
        return None
    options = _answer_options(conversation, candidates, limits) or _intent_options(domain, said, limits)
    return Clarify(options) if options else None


def _answer_options(conversation: Conversation, candidates: Candidates, limits: Limits) -> tuple[tuple[str, str], ...]:
    hits = [hit for hit in candidates.answers if _title(hit) and _serve(hit, conversation)]
    top = hits[0].p_correct if hits else 0.0
    close = [hit for hit in hits if hit.p_correct >= top - limits.clarify_margin]
    likely = sum(hit.p_correct for hit in close) >= limits.answer and limits.answer <= 1
    if not likely or not 2 <= len(close) <= 3:
        return ()
    options = {without_greeting(text): text for text in map(_title, close)}
    return tuple(options.items()) if len(options) > 1 else ()


def _title(hit: AnswerHit) -> str:
    """A logged request that stands for the answer, "" when all of them hold redacted parts."""
    return next((one.text.strip() for one in hit.requests if "<" not in one.text), "")


def _intent_options(domain: Domain, said: UserSaid, limits: Limits) -> tuple[tuple[str, str], ...]:
    """One of them is likely right only where it is likely that the message is about any of them at all."""
    if said.in_scope < limits.intent:
        return ()
    ranking = [(str(one["name"]), float(one["confidence"])) for one in said.ranking[:3]]
    top = ranking[0][1] if ranking else 0.0
    close = [(name, p) for name, p in ranking if p >= top - limits.clarify_margin and name in ruled(domain) - PERSON]
    if len(close) < 2 or sum(p for _, p in close) < limits.intent:
        return ()
    return tuple((name.replace("_", " ").capitalize(), f"/{name}") for name, _ in close)
