"""What the desk does next: one pure function, the ladder of docs/dialogue.md, first step that applies."""

from __future__ import annotations

from typing import Any

from bot import rules, stories
from bot.conversation import EXTRACT, LISTEN, Conversation
from bot.domain import Domain
from bot.events import BotSaid, UserSaid
from bot.fill import fill
from bot.forms import extract, misses
from bot.payload import parse_payload
from bot.script import acted, points, sure
from bot.steps import Answer, Candidates, Cite, Clarify, HandOff, Limits, RunAction, Step, Wait
from bot.wording import asks, without_greeting
from retrieval.compose import compose
from retrieval.types import AnswerHit

PERSON = frozenset({"talk_to_person", "handoff", "human_handoff"})
BUILTIN = {"restart": "action_restart", "back": "action_back", "session_start": "action_session_start"}
MAX_MISSES = 3
SHORT = 2
"""A message of so few words ("lol", "??") says too little for people to step in at once."""

__all__ = ["decide", "fill", "parse_payload"]


def decide(conversation: Conversation, domain: Domain, candidates: Candidates, limits: Limits) -> Step:
    """The next step of the turn that the latest message began; `Wait` ends it."""
    if conversation.mode != "bot" or conversation.paused:
        return Wait()
    if conversation.followup:
        return Wait() if conversation.followup == LISTEN else RunAction(conversation.followup, "followup")
    said = conversation.latest
    if said is None:
        return Wait()
    return (
        _builtin(conversation, said, limits)
        or _person(conversation, domain, said, limits)
        or _question(conversation, domain, said, candidates, limits)
        or _extraction(conversation, domain)
        or _form(conversation, domain)
        or _script(conversation, domain, limits)
        or _back_to_form(conversation)
        or _spoken(conversation)
        or _chosen(conversation, said, candidates)
        or _answer(conversation, domain, said, candidates, limits)
        or _passages(said, candidates, limits)
        or _clarify(conversation, domain, said, candidates, limits)
        or _ask_again(conversation, domain)
        or _rephrase(conversation, domain, said, limits)
        or HandOff("unknown", gap=True)
    )


def _builtin(conversation: Conversation, said: UserSaid, limits: Limits) -> Step | None:
    """`/restart`, `/back` and `/session_start` of every Rasa assistant."""
    action = BUILTIN.get(said.intent or "") if sure(said, limits) else None
    if action is None:
        return None
    return Wait() if action in conversation.actions else RunAction(action, "builtin")


def _person(conversation: Conversation, domain: Domain, said: UserSaid, limits: Limits) -> Step | None:
    """Asking for a person comes before any form; the domain may say how, but not whether."""
    if said.intent not in PERSON or said.confidence < limits.intent:
        return None
    found = rules.predict(domain.rules, points(conversation.marks, domain, limits))
    if found and found.action != LISTEN and not conversation.rejected:
        return RunAction(found.action, "rule")
    return HandOff("asked")


def _question(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """A question inside a form that somebody can answer is no answer to the form, which asks again afterwards."""
    form = domain.forms.get(conversation.loop or "")
    if form is None or _under_way(conversation) or parse_payload(said.text):
        return None
    wanted = {one.entity for slot in form.required if slot in domain.slots for one in domain.slots[slot].mappings}
    if any(entity.get("entity") in wanted for entity in said.entities):
        return None
    if not asks(said.text):
        other = said.intent not in domain.intents and not _takes_any_text(conversation, domain)
        return _answer(conversation, domain, said, candidates, limits) if other else None
    if said.intent in _ruled(domain) and sure(said, limits):
        found = rules.predict(domain.rules, points(conversation.marks, domain, limits))
        return RunAction(found.action, "rule") if found and found.action not in (LISTEN, form.name) else None
    known = _answer(conversation, domain, said, candidates, limits) or _passages(said, candidates, limits)
    # A request that was learned, not one of the dialogue's own intents, is surely no answer to the form.
    asked = said.intent is not None and said.intent not in domain.intents and sure(said, limits)
    return known or (HandOff("unknown", gap=True) if asked else None)


def _takes_any_text(conversation: Conversation, domain: Domain) -> bool:
    """Is the form waiting for something that customers say in their own words ("it does not fit")?"""
    slot = domain.slots.get(str(conversation.slots.get("requested_slot")))
    return slot is None or all(one.type == "from_text" for one in slot.mappings)


def _under_way(conversation: Conversation) -> bool:
    return bool(conversation.actions or conversation.rejected or conversation.replied)


def _extraction(conversation: Conversation, domain: Domain) -> Step | None:
    """Slots are filled first, once a message."""
    if _under_way(conversation):
        return None
    if extract(conversation, domain) or "action_validate_slot_mappings" in domain.actions:
        return RunAction(EXTRACT, "")
    return None


def _form(conversation: Conversation, domain: Domain) -> Step | None:
    """The open form takes the message, unless it was interrupted; when it has asked, the customer is next."""
    loop = conversation.loop
    if loop is None:
        return None
    if loop not in domain.forms:
        return RunAction("action_deactivate_loop", "builtin")
    if conversation.actions[-1:] == (loop,):
        return Wait()
    return None if conversation.loop_rejected else RunAction(loop, "form")


def _script(conversation: Conversation, domain: Domain, limits: Limits) -> Step | None:
    """What rules and stories say; where both speak, rules win, and a story that agrees remembers the turn."""
    seen = points(conversation.marks, domain, limits)
    found = rules.predict(domain.rules, seen)
    told = stories.predict(domain.stories, seen, domain.influential)
    action = found.action if found else told
    if action is None or (action in conversation.rejected and action != conversation.loop):
        return None
    if action == LISTEN:
        general = found is not None and found.general and told is None
        return None if general and conversation.loop else Wait()
    return RunAction(action, "story" if action == told else "rule")


def _back_to_form(conversation: Conversation) -> Step | None:
    """After something else answered, the open form asks again; one that was left earlier gets this message now."""
    loop = conversation.loop
    if loop is None:
        return None
    answered = conversation.replied or acted(conversation)
    return RunAction(loop, "form") if answered or loop not in conversation.rejected else None


def _spoken(conversation: Conversation) -> Step | None:
    return Wait() if conversation.replied else None


def _chosen(conversation: Conversation, said: UserSaid, candidates: Candidates) -> Step | None:
    """A customer who picked one of the offered questions gets its answer, however close the other was."""
    picked = said.text.strip().casefold()
    if not any(
        picked in (str(one.get("payload")).casefold(), str(one.get("title")).casefold())
        for one in _offered(conversation)
    ):
        return None
    hit = next((hit for hit in candidates.answers if picked in _wordings(hit)), None)
    return _serve(hit, conversation) if hit else None


def _wordings(hit: AnswerHit) -> set[str]:
    texts = {one.text.strip().casefold() for one in hit.requests}
    return texts | {without_greeting(text) for text in texts}


def _offered(conversation: Conversation) -> tuple[dict[str, Any], ...]:
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


def _answer(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """The best mined answer, if it is likely enough right and nothing the rules deal with was more likely meant."""
    if parse_payload(said.text):
        return None
    best = next(iter(candidates.answers), None)
    if (
        best is None
        or best.p_correct < limits.answer
        or (said.intent in _ruled(domain) and said.confidence > best.p_correct)
    ):
        return None
    return _serve(best, conversation)


def _ruled(domain: Domain) -> frozenset[str]:
    """The intents that a rule without condition deals with."""
    return frozenset(
        str(rule.points[0].name) for rule in domain.rules if rule.points[0].said and rule.points[0].any_loop
    )


def _passages(said: UserSaid, candidates: Candidates, limits: Limits) -> Step | None:
    clear = tuple(passage for passage in candidates.passages if passage.p_relevant >= limits.passage)
    if not clear or parse_payload(said.text):
        return None
    composed = compose(said.text, clear)
    return Cite(composed.text, tuple(composed.passages)) if composed else None


def _clarify(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """Two or three close candidates of which one is likely right: ask which, once, and nothing that is out of scope."""
    if _offered(conversation) or parse_payload(said.text) or conversation.loop or said.in_scope < limits.in_scope:
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
    ranking = [(str(one["name"]), float(one["confidence"])) for one in said.ranking[:3]]
    top = ranking[0][1] if ranking else 0.0
    close = [(name, p) for name, p in ranking if p >= top - limits.clarify_margin and name in _ruled(domain) - PERSON]
    if len(close) < 2 or sum(p for _, p in close) < limits.intent:
        return ()
    return tuple((name.replace("_", " ").capitalize(), f"/{name}") for name, _ in close)


def _ask_again(conversation: Conversation, domain: Domain) -> Step | None:
    """Inside a form a message that nothing could use gets the question again, and in the end a person."""
    if conversation.loop is None:
        return None
    if misses(conversation) >= MAX_MISSES:
        return HandOff("form_stuck", gap=True)
    return RunAction(_sorry(domain) or conversation.loop, "fallback")


def _rephrase(conversation: Conversation, domain: Domain, said: UserSaid, limits: Limits) -> Step | None:
    """Once, before people have to step in: the project's own `nlu_fallback` rule, or, after a word or two or small talk
    that nothing follows ("yes" to no question), a plea to say it in other words."""
    seen = points(conversation.marks, domain, limits)
    if acted(conversation) or _offered(conversation) or any(point.policy == "fallback" for point in seen[-4:]):
        return None
    following = _after_fallback(domain)
    short = len(said.text.split()) <= SHORT and not parse_payload(said.text)
    if following is None and (short or (said.intent in domain.intents and sure(said, limits))):
        following = _sorry(domain)
    return RunAction(following, "fallback") if following else None


def _after_fallback(domain: Domain) -> str | None:
    lost = (rule.points for rule in domain.rules if rule.points[0].said and rule.points[0].name == "nlu_fallback")
    return next((found[1].name for found in lost if len(found) > 1 and not found[1].said), None)


def _sorry(domain: Domain) -> str | None:
    return next((name for name in ("utter_ask_rephrase", "utter_default") if name in domain.responses), None)
