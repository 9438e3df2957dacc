"""What the bot would do next, in Rasa's shape: every action with its score. Pure."""

from __future__ import annotations

from typing import Any

from bot.conversation import EXTRACT, LISTEN, Conversation
from bot.domain import Domain
from bot.events import ActionRan
from bot.forms import extract
from bot.policy import decide
from bot.rasa_api.parsing import retrieval_intents
from bot.steps import Answer, Candidates, Cite, Clarify, HandOff, Limits, RunAction, Step, Wait
from bot.tracker import POLICIES

DEFAULTS = (
    LISTEN, "action_restart", "action_session_start", "action_default_fallback", "action_deactivate_loop",
    "action_revert_fallback_events", "action_default_ask_affirmation", "action_default_ask_rephrase",
    "action_two_stage_fallback", "action_unlikely_intent", "action_back", "...", EXTRACT,
)  # fmt: skip


def action_names(domain: Domain) -> list[str]:
    """In Rasa's order: default actions, custom ones, responses, forms."""
    retrieved = [f"utter_{name}" for name in sorted(retrieval_intents(domain))]
    return list(dict.fromkeys([*DEFAULTS, *domain.actions, *retrieved, *sorted(domain.responses), *domain.forms]))


def predicted(conversation: Conversation, domain: Domain, candidates: Candidates, limits: Limits) -> Step:
    """The next step; what fills slots first is done on the way, and not stored."""
    step = decide(conversation, domain, candidates, limits)
    if isinstance(step, RunAction) and step.name == EXTRACT:
        filled = conversation.apply(ActionRan(name=EXTRACT), *extract(conversation, domain))
        step = decide(filled, domain, candidates, limits)
    return step


def prediction(step: Step, domain: Domain, *, ranked: bool) -> dict[str, Any]:
    """`{"scores", "policy", "confidence"}`; with `ranked` the best score comes first, else the domain's order."""
    name, policy, confidence = named(step)
    names = action_names(domain)
    names += [name] if name not in names else []
    scores = [{"action": one, "score": confidence if one == name else 0.0} for one in names]
    if ranked:
        scores.sort(key=lambda one: (-float(str(one["score"])), str(one["action"])))
    return {"scores": scores, "policy": policy, "confidence": confidence}


def named(step: Step) -> tuple[str, str, float]:
    """(action, policy, confidence). What Rasa has no action for has names of ours."""
    match step:
        case RunAction(name=name, policy=policy, confidence=confidence):
            return name, POLICIES.get(policy) or "RulePolicy", confidence
        case Wait():
            return LISTEN, "RulePolicy", 1.0
        case Answer(hit=hit):
            return "deskhand_answer", "answers", hit.p_correct
        case Cite(passages=passages):
            return "deskhand_cite", "articles", max((one.p_relevant for one in passages), default=0.0)
        case Clarify():
            return "deskhand_clarify", "answers", 1.0
        case HandOff():
            return "action_handoff", "handoff", 1.0
        case _:
            return f"deskhand_{type(step).__name__.lower()}", "handoff", 1.0
