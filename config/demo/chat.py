"""One conversation of the demo shop: who says what, in what order, and what it really meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import noise
from people import facts, typing_style
from wordings import Deck, FollowUp, Kind, fill

CHANNELS = {"chat": 0.62, "email": 0.24, "whatsapp": 0.14}


@dataclass(frozen=True)
class Shop:
    """All material: kinds by name, agents in the order of their wordings, small talk, facts, foreign questions."""

    kinds: dict[str, Kind]
    agents: dict[str, dict[str, Any]]
    talk: dict[str, tuple[str, ...]]
    facts: dict[str, Any]
    foreign: dict[str, tuple[str, ...]]


class Chat:
    """Turns and labels of one conversation; everything random comes from `rng`, so the order of calls is the seed."""

    def __init__(self, id: str, shop: Shop, deck: Deck, rng: Random, week: int, start: datetime) -> None:
        self.id, self.shop, self.deck, self.rng, self.week = id, shop, deck, rng, week
        self.start = self.clock = start
        self.agent_name = rng.choice(list(shop.agents))
        self.agent_index = list(shop.agents).index(self.agent_name)
        self.agent = shop.agents[self.agent_name]
        self.channel = rng.choices(list(CHANNELS), list(CHANNELS.values()))[0]
        self.customer = f"c-{rng.randrange(16**4):04x}"
        self.style = typing_style(self.channel, rng)
        self.facts = facts(shop.facts, self.agent_name, rng)
        self.language = "en"
        self.resolved, self.handed_off = True, False
        self.reason: str | None = None
        self.turns: list[dict[str, str]] = []
        self.labels: list[dict[str, object]] = []
        self.greeted = self.knows_order = False

    # saying

    def _tick(self, low: int, high: int) -> str:
        self.clock += timedelta(seconds=self.rng.randrange(low, high) * (60 if self.channel == "email" else 1))
        return self.clock.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _add(self, by: str, text: str, low: int, high: int) -> int:
        self.turns.append({"by": by, "text": " ".join(text.split()), "at": self._tick(low, high)})
        return len(self.turns) - 1

    def fill(self, text: str) -> str:
        return fill(text, self.rng, self.facts)

    def talk(self, name: str) -> str:
        return self.fill(self.deck.draw(self.shop.talk[name], self.rng))

    def ask(self, text: str, intent: str | None, answer: str | None, also: str | None = None) -> None:
        row: dict[str, object] = {"intent": intent, "answer": answer, "wrong": False}
        self._label(self.says(text), row if also is None else row | {"also": also})

    def says(self, text: str) -> int:
        return self._add("customer", self._noisy(text), 12, 110)

    def replies(self, text: str, intent: str | None = None, answer: str | None = None, *, wrong: bool = False) -> None:
        turn = self._add("agent", text, 15, 160)
        if answer:
            self._label(turn, {"intent": intent, "answer": answer, "wrong": wrong})

    def _label(self, turn: int, row: dict[str, object]) -> None:
        self.labels.append({"id": self.id, "turn": turn, **row})

    def _noisy(self, text: str) -> str:
        rng = self.rng
        if "typos" in self.style:
            text = noise.typos(text, rng)
        if "lower" in self.style:
            text = noise.lowercase(text, rng)
        if self.style == "sms":
            text = noise.sms(text, rng)
        return noise.shout(text, rng) if self.style == "shout" else text

    # phrases of the customer and of the agent

    def _request(self, kind: Kind) -> str:
        return self.fill(self.deck.draw(kind.asked_in(self.week, self.rng), self.rng))

    def _dressed(self, kind: Kind, text: str) -> str:
        """The request as it arrives: with a greeting, a name, a story around it, contact details."""
        rng = self.rng
        long = rng.random() < (0.2 if self.channel == "email" else 0.04)
        parts = [self.talk("story_before") if long else "", text, self.talk("story_after") if long else ""]
        if rng.random() < (0.35 if kind.needs_order else 0.08) and "FW-" not in text:
            parts.insert(2, self.talk("mention_order"))
        self.knows_order = any("FW" in part for part in parts)
        if not self.turns and rng.random() < 0.5:
            parts.insert(0, self.talk("openers"))
        if rng.random() < (0.5 if self.channel == "email" else 0.08):
            parts.append(self.talk("intro"))
        if rng.random() < (0.4 if self.channel == "email" else 0.06):
            parts.append(self.talk("reach"))
        return " ".join(part for part in parts if part)

    def _agent_line(self, name: str) -> str:
        return self.fill(self.deck.draw(self.agent[name], self.rng))

    def _wording(self, wordings: tuple[str, ...]) -> str:
        """Mostly one of the agent's own: every so many lines of a long block, or a line of a short one."""
        agents = len(self.shop.agents)
        index = self.agent_index if self.rng.random() < 0.85 else self.rng.randrange(agents)
        return self.fill(self.rng.choice(wordings[index::agents] or (wordings[index % len(wordings)],)))

    def _signed(self, text: str) -> str:
        rng, agent = self.rng, self.agent
        if not self.greeted and rng.random() < agent["greet_p"]:
            text = f"{self._agent_line('greet')} {text}"
        self.greeted = True
        if rng.random() < agent["emoji_p"]:
            text = f"{text} {rng.choice(agent['emoji'])}"
        if rng.random() < agent["sign_p"] * (1.0 if self.channel == "email" else 0.3):
            text = f"{text} {self._agent_line('sign')}"
        return text

    # scenes

    def play(self, name: str, second: str) -> None:
        rng = self.rng
        if self.channel == "chat" and rng.random() < 0.25:
            self._add("bot" if rng.random() < 0.7 else "system", self.talk("auto"), 1, 3)
        draw = rng.random()
        if draw < 0.05:
            return self._off_topic()
        if draw < 0.07:
            return self._foreign()
        if self.channel != "email" and rng.random() < 0.18:
            self._small_greeting()
        if draw < 0.13:
            self._complaint()
        kind, other = self.shop.kinds[name], self.shop.kinds[second]
        if draw > 0.93 and other.name != kind.name and not kind.needs_order and not other.needs_order:
            self._two_questions(kind, other)
        elif not self._one_request(kind):
            return self._abandon()
        self._after(kind, other)
        return None

    def _small_greeting(self) -> None:
        self.says(self.talk("hello"))
        self.replies(self._agent_line("help"))
        self.greeted = True

    def _complaint(self) -> None:
        self.says(self.talk("complaints"))
        self.replies(self._signed(self._agent_line("sorry")))

    def _off_topic(self) -> None:
        late = self.week >= 7 and self.rng.random() < 0.7
        self.ask(self.talk("off_topic_late" if late else "off_topic"), None, None)
        self.replies(self._signed(self._agent_line("decline")))
        self._close()

    def _foreign(self) -> None:
        self.language = self.rng.choices(["de", "es"], [3, 2])[0]
        self.style = "plain"
        name, text = self.deck.draw(self.shop.foreign[self.language], self.rng).split(": ", 1)
        kind = self.shop.kinds[name]
        self.ask(self.fill(text), name, kind.answer(self.week))
        preface = self._wording(self.shop.foreign["preface"])
        self.replies(f"{preface} {self._wording(kind.wordings(self.week))}", name, kind.answer(self.week))

    def _one_request(self, kind: Kind, lead: str = "") -> bool:
        """A request up to its answer; False when the customer left in between."""
        rng, answer = self.rng, kind.answer(self.week)
        self.ask(f"{lead} {self._dressed(kind, self._request(kind))}", kind.name, answer)
        if rng.random() < 0.02:
            return False
        if kind.needs_order and not self.knows_order and rng.random() < 0.75:
            self.replies(self._signed(self._agent_line("order")), kind.name, "ask_order_number")
            if rng.random() < 0.08:
                return False
            self.says(self.talk("give_order"))
            self.knows_order = True
        elif kind.probe and rng.random() < 0.5:
            self.replies(self._signed(self._wording(kind.probe)), kind.name, f"{kind.name}.ask")
            self.says(self.fill(self.deck.draw(kind.reply, rng)))
        if rng.random() < (0.45 if kind.needs_order else 0.12) and self.channel != "email":
            self.replies(self._agent_line("hold"))
        self._answer(kind, answer)
        return True

    def _answer(self, kind: Kind, answer: str) -> None:
        rng = self.rng
        if rng.random() < 0.012:
            return self._misread(kind, answer)
        outdated = kind.changed_in and self.week >= kind.changed_in
        wrong = kind.say if outdated else kind.wrong
        if wrong and rng.random() < (0.12 if outdated else 0.06):
            self.replies(self._signed(self._wording(wrong)), kind.name, answer, wrong=True)
            if rng.random() < 0.3:
                self._correct(kind, answer)
            return None
        self.replies(self._signed(self._wording(kind.wordings(self.week))), kind.name, answer)
        return None

    def _misread(self, kind: Kind, answer: str) -> None:
        """The agent answers a question that nobody asked."""
        others = [k for k in self.shop.kinds.values() if k.name != kind.name and k.since == 1]
        other = self.rng.choice(others)
        self.replies(self._signed(self._wording(other.wordings(self.week))), kind.name, answer, wrong=True)
        if self.rng.random() < 0.7:
            self.says(self.talk("not_that"))
            self._correct(kind, answer)

    def _correct(self, kind: Kind, answer: str) -> None:
        self.replies(f"{self._agent_line('correct')} {self._wording(kind.wordings(self.week))}", kind.name, answer)

    def _two_questions(self, kind: Kind, other: Kind) -> None:
        first, second = kind.answer(self.week), other.answer(self.week)
        text = f"{self._dressed(kind, self._request(kind))} {self.talk('bridges')} {self._request(other)}"
        self.ask(text, kind.name, first, also=other.name)
        if self.rng.random() < 0.5:
            self._answer(kind, first)
            self._answer(other, second)
            return
        both = f"{self._wording(kind.wordings(self.week))} {self._wording(other.wordings(self.week))}"
        self.replies(self._signed(both), kind.name, first)
        self.labels[-1]["also"] = other.name

    def _after(self, kind: Kind, other: Kind) -> None:
        rng = self.rng
        talkative = 0.12 if self.channel == "email" else 0.5
        for follow in rng.sample(kind.follow, len(kind.follow)):
            if rng.random() < talkative and self.turns[-1]["by"] == "agent":
                self._follow_up(follow)
                talkative = talkative / 2
        if self.channel != "email" and rng.random() < 0.14 and other.name != kind.name:
            if not self._one_request(other, lead=self.talk("again")):
                return self._abandon()
        if rng.random() < 0.04:
            return self._escalate()
        self._close()
        return None

    def _follow_up(self, follow: FollowUp) -> None:
        kind = self.shop.kinds[follow.intent]
        other = follow.answer == follow.intent
        answer = kind.answer(self.week) if other else follow.answer
        self.ask(self.fill(self.deck.draw(follow.ask, self.rng)), follow.intent, answer)
        say = kind.wordings(self.week) if other else follow.say
        self.replies(self._signed(self._wording(say)), follow.intent, answer)

    def _close(self) -> None:
        rng = self.rng
        if self.channel != "email" and rng.random() < 0.1:
            self.says(self.talk("chat"))
            self.replies(self._wording(self.shop.talk["chat_back"]))
        if rng.random() < (0.15 if self.channel == "email" else 0.6):
            self.says(self.talk("grumpy_thanks" if rng.random() < 0.12 else "thanks"))
            if rng.random() < 0.6:
                self.replies(self._agent_line("bye"))

    def _escalate(self) -> None:
        self.says(self.talk("escalate"))
        self.replies(self._wording(self.shop.talk["escalated"]))
        self.resolved, self.handed_off, self.reason = False, True, "asked"

    def _abandon(self) -> None:
        self._add("system", self.talk("system_left"), 1800, 1900)
        self.resolved, self.reason = False, "abandoned"

    def transcript(self) -> dict[str, object]:
        csat = self.rng.choices([5, 4, 3, 2, 1], [50, 28, 12, 6, 4])[0] if self.rng.random() < 0.35 else None
        outcome: dict[str, object] = {"resolved": self.resolved, "csat": csat if self.resolved else None}
        outcome |= {"handed_off": self.handed_off, "reason": self.reason}
        return {
            "schema": "transcript/1",
            "id": self.id,
            "source": "demo",
            "channel": self.channel,
            "language": self.language,
            "started_at": self.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "customer": self.customer,
            "outcome": outcome,
            "turns": self.turns,
        }
