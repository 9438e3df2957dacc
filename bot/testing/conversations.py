"""Rehearses scripted conversations: real policy, forms, responses and action server; the script says what is heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.action_server import ActionFailed, ActionServer
from bot.actions import hand_off, opened, run
from bot.bursts import joined
from bot.conversation import Conversation
from bot.domain import Domain
from bot.events import BotSaid, Event, Held, UserSaid
from bot.messages import UserMessage
from bot.payload import parse_payload
from bot.policy import decide
from bot.requests import in_turn, next_in_turn, separate
from bot.session import open_session
from bot.steps import Answer, Candidates, Cite, Clarify, HandOff, Limits, RunAction, Step, StillWaiting, Wait
from bot.testing.files import ConversationTest
from bot.testing.outcome import Difference, Outcome
from bot.testing.stories import Hear
from bot.yaml_file import Block, Place, plain
from retrieval.types import AnswerHit, LoggedRequest, Passage

MOST_STEPS = 20
HEARD = ("intent", "confidence", "in_scope")


async def run_conversation(
    test: ConversationTest, domain: Domain, limits: Limits, *, server: ActionServer | None, hear: Hear | None
) -> Outcome:
    """`hear` understands the messages of which the script does not say what is heard; `limits` are for those."""
    rehearsal = Rehearsal(domain, server, limits, hear)
    for place, turn in test.turns.placed():
        before = len(rehearsal.conversation.events)
        try:
            await rehearsal.say(str(turn["user"]), turn)
        except EndlessTurn as error:
            return Outcome(test.name, test.place, Difference(place, "an end", str(error)), rehearsal.conversation)
        if difference := _difference(place, turn, rehearsal.conversation, before):
            return Outcome(test.name, test.place, difference, rehearsal.conversation)
    return Outcome(test.name, test.place, None, rehearsal.conversation)


class EndlessTurn(Exception):
    pass


class Rehearsal:
    """One conversation, turn by turn, the way `Manager.handle` does it, but for the store."""

    def __init__(self, domain: Domain, server: ActionServer | None, limits: Limits, hear: Hear | None = None) -> None:
        self.domain = domain
        self.server = server
        self.limits = limits
        self.hear = hear
        self.conversation = Conversation("rehearsal")
        self._queued: dict[str, tuple[UserSaid, Candidates]] = {}

    async def say(self, text: str, turn: Mapping[str, Any]) -> None:
        at = {} if turn.get("at") is None else {"at": float(turn["at"])}
        self._add(*await begin(self.conversation, self.domain, self.server, at=at.get("at")))
        id_ = f"m{sum(isinstance(event, UserSaid) for event in self.conversation.events)}"
        scripted = _scripted(text, turn) or "requests" in turn
        limits = self.limits if self.hear and not scripted else Limits()
        self._add(*(Held(text=str(one), message_id=f"{id_}-{n}") for n, one in enumerate(turn.get("before") or ())))
        message = joined(UserMessage(self.conversation.id, text, id=id_, channel="test"), self.conversation.held)
        text = message.text
        requests = (self._said(str(one["user"]), one, id_, at) for one in turn.get("requests") or ())
        heard = separate(self.conversation, requests, self.domain, limits) or [self._said(text, turn, id_, at)]
        heard[0] = (replace(heard[0][0], parts=message.parts), heard[0][1])
        self._queued |= {said.text: (said, offers) for said, offers in heard[1:]}
        self._add(*in_turn(message, [said for said, _ in heard]))
        await self._act(heard[0][1], limits)
        while self.conversation.queued and self.conversation.loop is None and self.conversation.mode == "bot":
            following = next_in_turn(self.conversation, message)
            said, offers = self._queued[following.text]
            self._add(replace(said, message_id=following.id, metadata=following.metadata))
            await self._act(offers, limits)

    async def _act(self, candidates: Candidates, limits: Limits) -> None:
        for _ in range(MOST_STEPS):
            step = decide(self.conversation, self.domain, candidates, limits)
            if isinstance(step, Wait):
                return
            self._add(*await perform(step, self.conversation, self.domain, self.server))
        raise EndlessTurn(f"{MOST_STEPS} steps and no end, the last {step}")

    def _said(
        self, text: str, turn: Mapping[str, Any], id_: str, at: Mapping[str, float]
    ) -> tuple[UserSaid, Candidates]:
        heard = None if _scripted(text, turn) else self.hear
        said, offers = heard(text, self.conversation) if heard else _as_scripted(text, turn)
        return UserSaid(**{**vars(said), "message_id": id_, "channel": "test", **at}), offers

    def _add(self, *events: Event) -> None:
        self.conversation = self.conversation.apply(*events)


async def begin(
    conversation: Conversation, domain: Domain, server: ActionServer | None, *, at: float | None = None
) -> Sequence[Event]:
    """The events of a session that a message at `at` begins, none while one lasts."""
    return await opened(open_session(conversation, domain, channel="test", at=at), conversation, domain, server)


async def perform(
    step: Step, conversation: Conversation, domain: Domain, server: ActionServer | None
) -> Sequence[Event]:
    """What a step does, in words of our own where a desk has its configured ones."""
    match step:
        case RunAction():
            try:
                return await run(step.name, conversation, domain, server, policy=step.policy)
            except ActionFailed:
                return hand_off("action_failed", conversation, domain)
        case Answer():
            return [BotSaid(text=step.text, source="answer", answer=step.hit.answer)]
        case Cite():
            return [BotSaid(text=step.text, source="passage")]
        case Clarify():
            buttons = tuple({"title": title, "payload": payload} for title, payload in step.options)
            return [BotSaid(text="Which of these do you mean?", buttons=buttons, source="clarify")]
        case HandOff():
            return hand_off(step.reason, conversation, domain, gap=step.gap)
        case StillWaiting():
            return [BotSaid(text="Somebody is coming.", source="waiting")]
        case _:
            raise TypeError(f"no way to rehearse {step!r}")


def _scripted(text: str, turn: Mapping[str, Any]) -> bool:
    """Whether the script itself says what is heard."""
    return parse_payload(text) is not None or bool(turn.keys() & {*HEARD, "entities", "ranking", "answers", "passages"})


def _as_scripted(text: str, turn: Mapping[str, Any]) -> tuple[UserSaid, Candidates]:
    if payload := parse_payload(text):
        said = UserSaid(text=text, message_id="", intent=payload[0], confidence=1.0, entities=payload[1])
        return said, _candidates(turn)
    heard: dict[str, Any] = {"confidence": 0.95} if "intent" in turn else {}
    heard |= {key: plain(turn[key]) for key in HEARD if key in turn}
    entities = tuple({"entity": name, "value": plain(value)} for name, value in (turn.get("entities") or {}).items())
    ranking = tuple({"name": name, "confidence": p} for name, p in (turn.get("ranking") or {}).items())
    said = UserSaid(text=text, message_id="", entities=entities, ranking=ranking, **heard)
    return said, _candidates(turn)


def _candidates(turn: Mapping[str, Any]) -> Candidates:
    answers = tuple(_answer(one) for one in turn.get("answers") or ())
    return Candidates(answers, tuple(_passage(one) for one in turn.get("passages") or ()))


def _answer(one: Mapping[str, Any]) -> AnswerHit:
    requests = tuple(LoggedRequest("t1", 0, text, 0.9) for text in one.get("asked", []))
    return AnswerHit(one["id"], one["text"], one["p"], one["p"], servable=one.get("servable", True), requests=requests)


def _passage(one: Mapping[str, Any]) -> Passage:
    return Passage(one["id"], one["id"], one["id"], "", one["text"], "", 0.8, one["p"])


def _difference(place: Place, turn: Block, conversation: Conversation, before: int) -> Difference | None:
    said = [event for event in conversation.events[before:] if isinstance(event, BotSaid)]
    payloads = [str(button.get("payload")) for one in said for button in one.buttons]
    found: dict[str, Any] = {
        "says": [one.text for one in said if one.text],
        "loop": conversation.loop,
        "mode": conversation.mode,
        "buttons": payloads,
    }
    wanted = {"says": [], "mode": "bot", **{key: plain(turn[key]) for key in found if key in turn}}
    for key, value in wanted.items():
        if found[key] != value:
            return Difference(place, f"{key} {value!r}", repr(found[key]), str(turn["user"]))
    for name, value in (turn.get("slots") or {}).items():
        if conversation.slots.get(name) != plain(value):
            return Difference(place, f"slot {name}={value!r}", repr(conversation.slots.get(name)), str(turn["user"]))
    names = [type(event).__name__ for event in conversation.events]
    if "event" in turn and turn["event"] not in names:
        return Difference(place, f"event {turn['event']}", ", ".join(dict.fromkeys(names)), str(turn["user"]))
    return None
