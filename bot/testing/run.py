"""Runs the tests of some files against the dialogue of a folder and the bundle in service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bot.action_server import ActionServer
from bot.config import load_config
from bot.domain import Domain, load_domain
from bot.entities import Finder
from bot.hearing import hear
from bot.messages import UserMessage
from bot.settings import Settings
from bot.shelf import KnowledgeShelf
from bot.steps import Limits
from bot.testing.conversations import run_conversation
from bot.testing.files import StoryTest, read_tests
from bot.testing.outcome import Coverage, Outcome, coverage
from bot.testing.stories import Hear, run_story
from retrieval.bundle import Bundles
from retrieval.engine import Engine


async def run_tests(
    settings: Settings, paths: Iterable[Path], *, only_dialogue: bool = False
) -> tuple[list[Outcome], list[Coverage]]:
    """Raises BadInput for mistakes in tests or dialogue files. Without a bundle in service what test stories say of
    intents is taken for granted, as with `only_dialogue`."""
    tests = read_tests(paths)
    domain = load_domain(settings.config_dir)
    engine = None if only_dialogue else in_service(settings)
    ear = hearing(engine, domain) if engine else None
    limits = limits_of(engine) if engine else Limits()
    talks = any(not isinstance(test, StoryTest) for test in tests)  # test stories run no action
    server = ActionServer.of(settings, load_config(settings.config_dir).actions) if talks else None
    outcomes = []
    try:
        for test in tests:
            if isinstance(test, StoryTest):
                outcomes.append(run_story(test, domain, limits, ear))
            else:
                outcomes.append(await run_conversation(test, domain, limits, server=server, hear=ear))
    finally:
        if server:
            await server.aclose()
    return outcomes, coverage(domain, outcomes)


def in_service(settings: Settings) -> Engine | None:
    """The bundle in service with the articles of the desk, None when there is none."""
    bundles = Bundles(settings.bundles)
    current = bundles.current()
    if current is None:
        return None
    engine = Engine.load(bundles.path(current))
    KnowledgeShelf(settings.config_dir / "knowledge", settings.knowledge).attach(engine)
    return engine


def hearing(engine: Engine, domain: Domain) -> Hear:
    finder = Finder(domain)
    return lambda text, conversation: hear(engine, finder, UserMessage("test", text), conversation)


def limits_of(engine: Engine) -> Limits:
    at = engine.thresholds
    return Limits(answer=at.answer, passage=at.passage, intent=at.intent, in_scope=at.in_scope)
