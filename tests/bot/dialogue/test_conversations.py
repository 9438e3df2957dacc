"""The scripted conversations of tests/conversations, run as `deskhand test` runs them, with a real action server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.action_server import ActionServer
from bot.domain import Domain
from bot.steps import Limits
from bot.testing.conversations import run_conversation
from bot.testing.files import ConversationTest, read_tests

FILES = sorted((Path(__file__).parents[2] / "conversations").glob("*.yml"))


@pytest_asyncio.fixture
async def server(sdk: str) -> AsyncIterator[ActionServer]:
    made = ActionServer(sdk, timeout=5)
    yield made
    await made.aclose()


@pytest.mark.asyncio
@pytest.mark.parametrize("test", read_tests(FILES), ids=lambda test: f"{Path(test.place.file).stem}: {test.name}")
async def test_the_conversation_goes_as_written(test: object, shop: Domain, server: ActionServer) -> None:
    assert isinstance(test, ConversationTest)
    outcome = await run_conversation(test, shop, Limits(), server=server, hear=None)
    assert outcome.passed, outcome.difference
