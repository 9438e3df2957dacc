"""Runs Rasa's test stories as `rasa test` does: what the bot would do next is compared with what the story says, and
the story's own actions, slots and forms are what then happened. No action is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot.conversation import EXTRACT, LISTEN, Conversation
from bot.domain import Domain
from bot.events import ActionRan, ActionRejected, BotSaid, Event, LoopChanged, Restarted, Rewound, SlotSet, UserSaid
from bot.forms import extract
from bot.nlu_file import annotated
from bot.policy import decide
from bot.script import sure
from bot.script_file import Line, Script
from bot.steps import Answer, Candidates, Cite, Clarify, HandOff, Limits, RunAction, Step, StillWaiting, Wait
from bot.testing.files import StoryTest
from bot.testing.outcome import Difference, Outcome
from bot.yaml_file import Place

Hear = Callable[[str, Conversation], tuple[UserSaid, Candidates]]
"""(text, what was said before) -> the message as it is understood, and what the engine offers for it."""

SILENT_ACTIONS = frozenset({LISTEN, "action_restart", "action_back", "action_deactivate_loop", "action_session_start"})


def run_story(test: StoryTest, domain: Domain, limits: Limits, hear: Hear | None) -> Outcome:
    """With `hear` None the intents of the story are taken for granted: only the dialogue is tested."""
    run = _Run(domain, limits, hear)
    difference = run.through(test.script)
    return Outcome(test.name, test.place, difference, run.conversation)


class _Run:
    def __init__(self, domain: Domain, limits: Limits, hear: Hear | None) -> None:
        self.domain = domain
        self.limits = limits
        self.hear = hear
        self.candidates = Candidates()
        self.conversation = Conversation("test")

    def through(self, script: Script) -> Difference | None:
        """The first difference, None when the story goes as it is written."""
        for line in _spelled_out(script):
            difference = None
            match line.kind:
                case "user":
                    difference = self._customer(line)
                case "action":
                    difference = self._action(line)
                case "slots":
                    self._add(
                        *(SlotSet(name=name, value=value if given else True) for name, value, given in line.slots)
                    )
                case "loop" if line.name != self.conversation.loop:
                    self._add(LoopChanged(name=line.name))
            if difference:
                return difference
        return None

    def _add(self, *events: Event) -> None:
        self.conversation = self.conversation.apply(*events)

    def _customer(self, line: Line) -> Difference | None:
        example = annotated(line.said or f"/{line.name}")
        if self.hear is None or line.said is None:
            entities = example.entities or tuple({"entity": name, "value": name} for name in line.entities or ())
            said = UserSaid(text=example.text, message_id="", intent=line.name, confidence=1.0, entities=entities)
            self.candidates = Candidates()
        else:
            said, self.candidates = self.hear(example.text, self.conversation)
        self._add(said)
        return self._misheard(line, said, example.entities)

    def _misheard(self, line: Line, said: UserSaid, annotations: Sequence[dict[str, object]]) -> Difference | None:
        by_words = said.text in self.domain.spoken  # a story knows these words themselves
        if line.name is not None and not by_words and not _same_intent(line.name, said.intent):
            return Difference(line.place, f"intent {line.name}", f"intent {_heard(said)}", said.text)
        found = {(one.get("entity"), str(one.get("value"))) for one in said.entities}
        for one in annotations:
            if one["entity"] in self.domain.entities and (one["entity"], str(one["value"])) not in found:
                wanted = f"entity {one['entity']}={one['value']}"
                return Difference(line.place, wanted, f"entities {_entities(said) or 'none'}", said.text)
        return None

    def _action(self, line: Line) -> Difference | None:
        step = self._predicted()
        loop = self.conversation.loop
        if loop is not None and _name(step) == loop and line.name != loop:
            # The story says that the message was none for the form: Rasa's evaluation rejects the form, too.
            self._add(ActionRejected(name=loop))
            step = self._predicted()
        latest = self.conversation.latest
        if not _same_action(line, step, latest):
            said = latest.text if latest else ""
            return Difference(line.place, _wanted(line), self._told(step, latest), said)
        if line.name != LISTEN:
            self._happened(line, step)
        return None

    def _predicted(self) -> Step:
        step = decide(self.conversation, self.domain, self.candidates, self.limits)
        if isinstance(step, RunAction) and step.name == EXTRACT:
            self._add(ActionRan(name=EXTRACT), *extract(self.conversation, self.domain))
            step = decide(self.conversation, self.domain, self.candidates, self.limits)
        return step

    def _happened(self, line: Line, step: Step) -> None:
        name = str(line.name)
        policy = step.policy if isinstance(step, RunAction) else "story"
        self._add(ActionRan(name=name, policy=policy))
        if name not in SILENT_ACTIONS and name not in self.domain.forms:
            self._add(BotSaid(text=line.said, response=name))
        match name:
            case "action_restart":
                self._add(Restarted())
            case "action_default_fallback":
                self._add(Rewound())
            case "action_back":
                self._add(Rewound(), Rewound())
            case "action_deactivate_loop":
                self._add(LoopChanged(name=None))

    def _told(self, step: Step, latest: UserSaid | None) -> str:
        unsure = latest is not None and not sure(latest, self.limits)
        return f"{_name(step)}{f' (not sure of intent {_heard(latest)})' if latest and unsure else ''}"


def _spelled_out(script: Script) -> Iterator[Line]:
    """With `action_listen` where the story leaves it out: before each message and at the end."""
    acted, place = False, script[0].place if script else Place()
    for line in script:
        if line.kind == "user" and acted:
            yield Line("action", LISTEN, place=line.place)
        if line.kind in ("user", "action"):
            acted = line.kind == "action" and line.name != LISTEN
        place = line.place
        yield line
    if acted:
        yield Line("action", LISTEN, place=place)


def _same_intent(wanted: str, found: str | None) -> bool:
    return found == wanted or ("/" not in wanted and (found or "").partition("/")[0] == wanted)


def _same_action(line: Line, step: Step, latest: UserSaid | None) -> bool:
    name = _name(step)
    retrieved = f"utter_{latest.intent}" if latest and "/" in (latest.intent or "") else None
    return name == line.name or (retrieved == line.name and str(line.name).startswith(f"{name}/"))


def _wanted(line: Line) -> str:
    return "to wait for the customer" if line.name == LISTEN else str(line.name)


def _name(step: Step) -> str:
    match step:
        case RunAction(name=name):
            return name
        case Wait():
            return LISTEN
        case Answer(hit=hit):
            return f"the learned answer {hit.answer}"
        case Cite():
            return "a reply from the articles"
        case Clarify():
            return "a clarifying question"
        case HandOff(reason=reason):
            return f"a hand-off ({reason})"
        case StillWaiting():
            return "a word that somebody is coming"


def _heard(said: UserSaid) -> str:
    return f"{said.intent} ({said.confidence:.2f}, in scope {said.in_scope:.2f})"


def _entities(said: UserSaid) -> str:
    return ", ".join(f"{one.get('entity')}={one.get('value')}" for one in said.entities)
