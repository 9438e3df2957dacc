"""A desk without the engine: real domain files, policy, actions and rasa-sdk server; tests say what was heard."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sdk_servers import old_python, sdk_server

from bot.action_server import ActionServer
from bot.conversation import Conversation, fold
from bot.domain import Domain, load_domain
from bot.events import Event, UserSaid
from bot.payload import parse_payload
from bot.policy import decide
from bot.respond import respond
from bot.steps import Candidates, Limits, RunAction, Step, Wait
from bot.testing.conversations import begin, perform

TESTS = Path(__file__).parents[2]
RASA = Path(os.environ.get("DESKHAND_SHARED", TESTS.parents[1] / "shared")) / "rasa"


class Desk:
    """One conversation, turn by turn, the way `Manager.handle` does it."""

    def __init__(
        self, domain: Domain, server: ActionServer | None = None, *, limits: Limits | None = None, id: str = "c1"
    ):
        self.domain = domain
        self.server = server
        self.limits = limits or Limits()
        self.conversation = Conversation(id)
        self.steps: list[Step] = []
        self.runner = asyncio.Runner()

    def say(
        self, text: str, *, candidates: Candidates | None = None, at: float | None = None, **heard: Any
    ) -> list[dict[str, Any]]:
        """The replies to one message; without `intent` the text must be a payload or means nothing."""
        payload = parse_payload(text)
        if payload and "intent" not in heard:
            heard = {"intent": payload[0], "entities": payload[1], "confidence": 1.0, **heard}
        elif "intent" in heard:
            heard = {"confidence": 0.95, **heard}
        times = {} if at is None else {"at": at}
        before = len(self.conversation.events)
        self.add(*self.runner.run(begin(self.conversation, self.domain, self.server, at=at)))
        number = sum(isinstance(event, UserSaid) for event in self.conversation.events)
        self.add(UserSaid(text=text, message_id=f"m{number}", channel="test", **heard, **times))
        self.runner.run(self._act(candidates or Candidates()))
        return respond(self.conversation.events[before:], self.conversation.id)

    def texts(self, text: str, **heard: Any) -> list[str]:
        return [reply.get("text", next(iter(reply))) for reply in self.say(text, **heard)]

    def add(self, *events: Event) -> None:
        self.conversation = self.conversation.apply(*events)

    def names(self) -> list[str]:
        return [step.name for step in self.steps if isinstance(step, RunAction)]

    async def _act(self, candidates: Candidates) -> None:
        self.steps = []
        for _ in range(12):
            step = decide(self.conversation, self.domain, candidates, self.limits)
            self.steps.append(step)
            if isinstance(step, Wait):
                return
            self.add(*await perform(step, self.conversation, self.domain, self.server))
        raise AssertionError(f"no end of the turn: {self.steps}")

    def close(self) -> None:
        if self.server:
            self.runner.run(self.server.aclose())
        self.runner.close()
        # Whatever happened, the log folds to the state that the turns led to.
        assert fold(self.conversation.id, self.conversation.events) == self.conversation


@pytest.fixture(scope="session")
def sdk() -> Iterator[str]:
    """The address of a real rasa-sdk server with the actions of tests/actions_pkg."""
    pytest.importorskip("rasa_sdk")
    with sdk_server() as url:
        yield url


@pytest.fixture(scope="session")
def old_sdk() -> Iterator[str]:
    """The same actions on rasa-sdk 3.6."""
    try:
        python = old_python()
    except LookupError as error:
        pytest.skip(str(error))
    with sdk_server(python) as url:
        yield url


@pytest.fixture(scope="session")
def shop() -> Domain:
    return load_domain(TESTS / "conversations" / "desk")


@pytest.fixture
def desk(shop: Domain, sdk: str) -> Iterator[Desk]:
    made = Desk(shop, ActionServer(sdk, timeout=5))
    yield made
    made.close()


@pytest.fixture
def new_desk() -> Iterator[Any]:
    """`new_desk(domain, server)`: a desk that is closed after the test."""
    made: list[Desk] = []

    def make(*args: Any, **kwargs: Any) -> Desk:
        made.append(Desk(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()
