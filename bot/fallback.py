"""What is done about a message that nobody could use, before a person has to step in. Pure.

The two-stage fallback is that of Rasa's TwoStageFallbackAction: did you mean it? say it in other words; did you mean
it? Where Rasa then gives up, a person takes over.
"""

from __future__ import annotations

from bot.conversation import Conversation
from bot.domain import Domain
from bot.events import BotSaid, UserSaid
from bot.forms import misses
from bot.offers import PERSON, offered
from bot.payload import parse_payload
from bot.script import acted, points, sure
from bot.steps import HandOff, Limits, RunAction, Step, Wait

TWO_STAGE = "action_two_stage_fallback"
AFFIRM, REPHRASE = "action_default_ask_affirmation", "action_default_ask_rephrase"
UNKNOWN = "nlu_fallback"
DENIALS = frozenset({"out_of_scope", "deny"})

MAX_MISSES = 3
MAX_STAGES = 4
SHORT = 2
"""A message of so few words ("lol", "??") says too little for people to step in at once."""


def two_stage(conversation: Conversation, said: UserSaid, limits: Limits) -> Step | None:
    """The next stage, while the two-stage fallback is open: it takes every message until one is understood."""
    if conversation.loop != TWO_STAGE:
        return None
    if acted(conversation) or conversation.replied:
        return Wait()
    messages = since_opening(conversation)
    denied = [one.intent in DENIALS and sure(one, limits) for one in messages]
    if not denied[-1] and sure(said, limits) and said.intent != UNKNOWN:
        return RunAction(TWO_STAGE, "fallback")
    if len(messages) > MAX_STAGES or (len(messages) > 1 and denied[-2:] in ([False, False], [True, True])):
        return HandOff("unknown", gap=True)
    if denied[-3:] == [True, False, True]:
        return HandOff("unknown", gap=True)
    return RunAction(REPHRASE if denied[-1] else AFFIRM, "fallback")


def since_opening(conversation: Conversation) -> list[UserSaid]:
    """The messages of the open loop, that which opened it first."""
    found: list[UserSaid] = []
    for mark in reversed(conversation.marks):
        if isinstance(mark.event, UserSaid):
            found.append(mark.event)
            if mark.loop != conversation.loop:
                break
    return found[::-1]


def affirmed(conversation: Conversation) -> str | None:
    """The intent that the latest "did you mean" asked about."""
    said = (event for event in reversed(conversation.trail) if isinstance(event, BotSaid) and event.buttons)
    payload = next((parse_payload(str(one.buttons[0].get("payload"))) for one in said), None)
    return payload[0] if payload else None


def meant(said: UserSaid, domain: Domain) -> str | None:
    """The intent to ask about: the likeliest of the project's own."""
    ranking = [said.intent, *(str(one.get("name")) for one in said.ranking)]
    return next((name for name in ranking if name in domain.intents and name not in PERSON | {UNKNOWN}), None)


def ask_again(conversation: Conversation, domain: Domain) -> Step | None:
    """Inside a form a message that nothing could use gets the question again, and in the end a person."""
    if conversation.loop is None:
        return None
    if misses(conversation) >= MAX_MISSES:
        return HandOff("form_stuck", gap=True)
    return RunAction(sorry(domain) or conversation.loop, "fallback")


def rephrase(conversation: Conversation, domain: Domain, said: UserSaid, limits: Limits) -> Step | None:
    """Once, before people have to step in: the project's own `nlu_fallback` rule, or, after a word or two or small talk
    that nothing follows ("yes" to no question), a plea to say it in other words."""
    seen = points(conversation.marks, domain, limits)
    if acted(conversation) or offered(conversation) or any(point.policy == "fallback" for point in seen[-4:]):
        return None
    following = _after_fallback(domain)
    short = len(said.text.split()) <= SHORT and not parse_payload(said.text)
    if following is None and (short or (said.intent in domain.intents and sure(said, limits))):
        following = sorry(domain)
    return RunAction(following, "fallback") if following else None


def _after_fallback(domain: Domain) -> str | None:
    lost = (rule.points for rule in domain.rules if rule.points[0].said and rule.points[0].name == UNKNOWN)
    own = "action_default_fallback" if "action_default_fallback" in domain.actions else None
    return next((found[1].name for found in lost if len(found) > 1 and not found[1].said), own)


def sorry(domain: Domain) -> str | None:
    return next((name for name in ("utter_ask_rephrase", "utter_default") if name in domain.responses), None)
