"""What the desk does next: one pure function, the ladder of docs/dialogue.md, first step that applies."""

from __future__ import annotations

from bot import rules, stories
from bot.conversation import EXTRACT, LISTEN, Conversation
from bot.domain import Domain
from bot.events import EXTERNAL, BotSaid, HandedOff, UserSaid
from bot.fallback import ask_again, rephrase, two_stage
from bot.forms import extract, mapping_actions
from bot.learned import learned
from bot.offers import PERSON, answer, chosen, clarify, known, ruled
from bot.payload import parse_payload
from bot.script import acted, points, sure
from bot.steps import Answer, Candidates, HandOff, Limits, RunAction, Step, StillWaiting, Wait
from bot.wording import asks, starts_over, wants_person

BUILTIN = {"restart": "action_restart", "back": "action_back", "session_start": "action_session_start"}


def decide(conversation: Conversation, domain: Domain, candidates: Candidates, limits: Limits) -> Step:
    """The next step of the turn that the latest message began; `Wait` ends it."""
    said = conversation.latest
    waiting = conversation.mode == "waiting" and limits.answers_while_waiting
    if not (waiting or conversation.mode == "bot") or _silenced(conversation, said):
        return Wait()
    if conversation.followup:
        return Wait() if conversation.followup == LISTEN else RunAction(conversation.followup, "followup")
    if said is None:
        return Wait()
    if said.metadata.get(EXTERNAL):  # nobody is there to be asked back
        return _builtin(conversation, said, limits) or _script(conversation, domain, said, candidates, limits) or Wait()
    if waiting:
        return _meanwhile(conversation, domain, said, candidates, limits)
    return (
        _builtin(conversation, said, limits)
        or _person(conversation, domain, said, limits)
        or two_stage(conversation, said, limits)
        or _question(conversation, domain, said, candidates, limits)
        or _script(conversation, domain, said, candidates, limits)
        or _knowledge(conversation, domain, said, candidates, limits)
        or clarify(conversation, domain, said, candidates, limits)
        or ask_again(conversation, domain)
        or rephrase(conversation, domain, said, limits)
        or HandOff("unknown", gap=True)
    )


def _silenced(conversation: Conversation, said: UserSaid | None) -> bool:
    """An action paused the bot; as in Rasa only `/restart` gets through."""
    return conversation.paused and (said is None or said.intent != "restart")


def _script(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """What the project wrote, slots, forms, rules, stories; and what was learned from them."""
    return (
        _extraction(conversation, domain)
        or _form(conversation, domain)
        or _rules_and_stories(conversation, domain, limits)
        or _back_to_form(conversation)
        or _alike(conversation, domain, limits)
        or _learned(conversation, domain, said, candidates, limits)
        or (Wait() if conversation.replied else None)
    )


def _learned(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """The learned policy, unless an answer that agents gave is more probably right."""
    step = learned(conversation, domain, candidates, limits)
    if isinstance(step, RunAction) and not acted(conversation):
        found = answer(conversation, domain, said, candidates, limits)
        if isinstance(found, Answer) and found.hit.p_correct > step.confidence:
            return None
    return step


def _knowledge(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step | None:
    """What was learned and what the articles say."""
    return chosen(conversation, said, candidates) or known(conversation, domain, said, candidates, limits)


def _meanwhile(
    conversation: Conversation, domain: Domain, said: UserSaid, candidates: Candidates, limits: Limits
) -> Step:
    """Handed off, and nobody has joined yet: what is surely right is said; that somebody is coming, once; no more."""
    if _since_message(conversation, HandedOff):
        return Wait()
    step = None
    if said.intent not in PERSON | BUILTIN.keys() and not (wants_person(said.text) or starts_over(said.text)):
        seen = (conversation, domain, said, candidates, limits)
        step = _script(*seen) or _knowledge(*seen)
    if step and not (isinstance(step, RunAction) and step.name == "action_handoff"):
        return step
    told = any(isinstance(event, BotSaid) and event.source == "waiting" for event in conversation.trail)
    return Wait() if told else StillWaiting()


def _since_message(conversation: Conversation, kind: type[HandedOff]) -> bool:
    for event in reversed(conversation.trail):
        if isinstance(event, UserSaid):
            return False
        if isinstance(event, kind):
            return True
    return False


def _builtin(conversation: Conversation, said: UserSaid, limits: Limits) -> Step | None:
    """`/restart`, `/back` and `/session_start` of every Rasa assistant."""
    action = BUILTIN.get(said.intent or "") if sure(said, limits) else None
    action = "action_restart" if starts_over(said.text) else action
    if action is None:
        return None
    return Wait() if action in conversation.actions else RunAction(action, "builtin")


def _person(conversation: Conversation, domain: Domain, said: UserSaid, limits: Limits) -> Step | None:
    """Asking for a person comes before any form; the domain may say how, but not whether."""
    if not _asks_for_person(conversation, said) and (said.intent not in PERSON or said.confidence < limits.intent):
        return None
    found = rules.predict(domain.rules, points(conversation.marks, domain, limits))
    if found and found.action != LISTEN and not conversation.rejected:
        return RunAction(found.action, "rule")
    return HandOff("asked")


def _asks_for_person(conversation: Conversation, said: UserSaid) -> bool:
    """In so many words; inside a form a single one ("somebody") may be an answer."""
    return wants_person(said.text) and (conversation.loop is None or len(said.text.split()) > 1)


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
        return answer(conversation, domain, said, candidates, limits) if other else None
    if said.intent in ruled(domain) and sure(said, limits):
        if not extract(conversation, domain):
            return None  # the form will reject it, and the rule follows
        rule = rules.predict(domain.rules, points(conversation.marks, domain, limits))
        return RunAction(rule.action, "rule") if rule and rule.action not in (LISTEN, form.name) else None
    found = known(conversation, domain, said, candidates, limits)
    # A request that was learned, not one of the dialogue's own intents, is surely no answer to the form.
    asked = said.intent is not None and said.intent not in domain.intents and sure(said, limits)
    return found or (HandOff("unknown", gap=True) if asked else None)


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
    validated = "action_validate_slot_mappings" in domain.actions
    if validated or extract(conversation, domain) or mapping_actions(conversation, domain):
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


def _rules_and_stories(conversation: Conversation, domain: Domain, limits: Limits) -> Step | None:
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
    remembered = action in (told, stories.alike(domain.stories, seen))
    return RunAction(action, "story" if remembered else "rule")


def _alike(conversation: Conversation, domain: Domain, limits: Limits) -> Step | None:
    """A story that goes like this one, though the customer named something that it does not speak of."""
    if not domain.stories or (conversation.loop and not conversation.loop_rejected):
        return None
    action = stories.alike(domain.stories, points(conversation.marks, domain, limits))
    if action is None or action in conversation.rejected:
        return None
    if action == LISTEN:
        return Wait() if acted(conversation) else None
    return RunAction(action, "story")


def _back_to_form(conversation: Conversation) -> Step | None:
    """After something else answered, the open form asks again; one that was left earlier gets this message now."""
    loop = conversation.loop
    if loop is None:
        return None
    answered = conversation.replied or acted(conversation)
    return RunAction(loop, "form") if answered or loop not in conversation.rejected else None
