"""Bundles are exchanged while messages go on."""

from __future__ import annotations

import asyncio
import logging
from itertools import count
from pathlib import Path

import pytest
from serving_desk import Running
from trained_desk import RETURNS, SIXTY, Trained, that_fails_its_probe

from bot.engines import Engines
from bot.metrics import Metrics
from bot.settings import Settings
from bot.shelf import KnowledgeShelf
from retrieval.bundle import Bundles
from retrieval.errors import Unavailable

pytestmark = pytest.mark.asyncio

QUESTION = RETURNS[0]


def engines_of(settings: Settings, metrics: Metrics | None = None) -> Engines:
    shelf = KnowledgeShelf(settings.config_dir / "knowledge", settings.knowledge)
    metrics = metrics or Metrics()
    return Engines(Bundles(settings.bundles), shelf, metrics=metrics, every_s=0.01)


async def test_a_promoted_bundle_answers_without_a_restart_and_no_message_is_dropped(
    serve: Running, trained: Trained
) -> None:
    async with serve() as server:
        bundles = Bundles(server.parts.settings.bundles)
        bundles.promote(trained.sixty)
        answers, customers = [], count()
        while SIXTY not in answers:
            answers = await server.texts(QUESTION, sender=f"u{next(customers)}")
            assert answers in (["You have 30 days.", "Shoes must be unworn."], [SIXTY])
        assert await server.metric('deskhand_bundle_swaps_total{outcome="taken"}') == 2
        assert (await server.client.get("/version")).json()["bundle"] == bundles.current()
        bundles.rollback()
        await server.parts.engines.refresh()
        assert await server.texts(QUESTION, sender="the last") == ["You have 30 days.", "Shoes must be unworn."]


async def test_a_broken_bundle_is_refused_once_and_the_old_one_stays(settings: Settings) -> None:
    metrics = Metrics()
    engines = engines_of(settings, metrics)
    bundles = Bundles(settings.bundles)
    await engines.refresh()
    good = engines.id
    broken = that_fails_its_probe(bundles)
    bundles.promote(broken)
    for _ in range(3):
        await engines.refresh()
    assert engines.id == good
    assert engines.problem is not None
    assert engines.problem.count(broken) == 1, "said once"
    assert metrics.registry.get_sample_value("deskhand_bundle_swaps_total", {"outcome": "refused"}) == 1
    bundles.rollback()
    await engines.refresh()
    assert engines.problem is None


async def test_a_flipped_byte_keeps_a_bundle_out(settings: Settings) -> None:
    engines = engines_of(settings)
    path = Bundles(settings.bundles).path(str(Bundles(settings.bundles).current())) / "answers.jsonl"
    path.write_bytes(path.read_bytes().replace(b"30 days", b"31 days"))
    await engines.refresh()
    with pytest.raises(Unavailable, match="sha256 differs"):
        _ = engines.engine


async def test_a_current_that_names_no_bundle_is_said(settings: Settings) -> None:
    engines = engines_of(settings)
    (settings.bundles / "CURRENT").write_text("20200101T000000-deadbeef\n")
    await engines.refresh()
    with pytest.raises(Unavailable, match="20200101T000000-deadbeef"):
        _ = engines.engine


async def test_a_turn_keeps_the_engine_that_it_began_with(serve: Running, trained: Trained) -> None:
    async with serve() as server:
        engine = server.parts.engines.engine
        bundles = Bundles(server.parts.settings.bundles)
        new = trained.sixty
        understand = engine.understand

        def swap_in_the_middle(text: str, **more: object) -> object:
            bundles.promote(new)
            asyncio.run(server.parts.engines.refresh())
            return understand(text, **more)  # type: ignore[arg-type]

        engine.understand = swap_in_the_middle  # type: ignore[assignment, method-assign]
        assert await server.texts(QUESTION) == ["You have 30 days.", "Shoes must be unworn."]
        assert server.parts.engines.id == new


async def test_articles_are_attached_and_followed_while_they_change(settings: Settings, tmp_path: Path) -> None:
    folder = settings.config_dir / "knowledge"
    folder.mkdir()
    (folder / "cards.md").write_text("---\ntitle: Gift cards\n---\n\nWe sell gift cards from ten euros on.\n")
    engines = engines_of(settings)
    await engines.refresh()
    knowledge = engines.engine.knowledge
    assert knowledge is not None
    assert set(knowledge.articles) == {"cards"}
    await engines.refresh()
    assert engines.engine.knowledge is knowledge, "nothing changed, nothing is done"
    (folder / "more.md").write_text("---\ntitle: Parking\n---\n\nYou can park behind the shop for two hours.\n")
    await engines.refresh()
    assert engines.engine.knowledge is not None
    assert set(engines.engine.knowledge.articles) == {"cards", "more"}
    (folder / "bad.md").write_bytes(b"\xff\xfe")
    await engines.refresh()
    assert engines.knowledge_problem is not None
    assert "bad.md" in engines.knowledge_problem
    assert set(engines.engine.knowledge.articles) == {"cards", "more"}


async def test_a_gpu_that_is_not_there_is_said_once_and_articles_are_searched_all_the_same(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    folder = settings.config_dir / "knowledge"
    folder.mkdir()
    shelf = KnowledgeShelf(folder, settings.knowledge, gpu=True)
    engines = Engines(Bundles(settings.bundles), shelf, metrics=Metrics(), every_s=0.01)
    for name in ("one", "two"):
        (folder / f"{name}.md").write_text(f"# Shipping {name}\n\nOur trucks go to Norway.\n")
        with caplog.at_level(logging.WARNING):
            await engines.refresh()
    engine = engines.engine
    assert len(engine.search(engine.understand("norway delivery"))) == 1, "near copies once"
    said = [record.getMessage() for record in caplog.records if "GPU" in record.getMessage()]
    assert len(said) == 1
    assert said[0].endswith("it is searched on the CPU")
