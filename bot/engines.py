"""The engine in service, and its exchange while messages go on: a promoted bundle is taken within about a second."""

from __future__ import annotations

import asyncio

import structlog

from bot.background import ended
from bot.metrics import Metrics
from bot.shelf import KnowledgeShelf
from retrieval.bundle import Bundles
from retrieval.engine import Engine
from retrieval.errors import DeskhandError, Unavailable
from retrieval.library import Library

log = structlog.get_logger()


class Engines:
    """`problem` says why the bundle that `CURRENT` names is not in service, `knowledge_problem` why the articles as
    they are now are not; None when all is well."""

    def __init__(
        self,
        bundles: Bundles,
        shelf: KnowledgeShelf,
        *,
        metrics: Metrics,
        every_s: float = 1.0,
    ) -> None:
        self.problem: str | None = None
        self.knowledge_problem: str | None = None
        self._bundles = bundles
        self._shelf = shelf
        self._metrics = metrics
        self._every_s = every_s
        self._engine: Engine | None = None
        self._refused: str | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise Unavailable(self.problem or "no bundle is in service; run `deskhand train`")
        return self._engine

    @property
    def id(self) -> str | None:
        return self._engine.id if self._engine else None

    @property
    def library(self) -> Library:
        """The articles from which the index of the engine is made."""
        return self._shelf.library

    async def start(self) -> None:
        await self.refresh()
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._watcher is not None:
            await ended(self._watcher)

    async def refresh(self) -> None:
        """Take the bundle that `CURRENT` names and the articles as they are. A broken bundle is refused and the old
        one stays; turns that began with the old engine end with it."""
        await asyncio.to_thread(self._refresh)

    def _refresh(self) -> None:
        id_ = self._bundles.current()
        if id_ is None or id_ == self.id:
            self.problem = self._refused = None
        elif id_ != self._refused:
            self._take(id_)
        if self._engine is not None:
            self._attach(self._engine)

    def _take(self, id_: str) -> None:
        try:
            engine = Engine.load(self._bundles.path(id_))
        except (DeskhandError, OSError, ValueError, KeyError) as error:
            self._refused = id_
            self.problem = f"bundle {id_} was refused: {str(error).removeprefix(f'bundle {id_}: ')}"
            self._metrics.swaps.labels("refused").inc()
            log.error("bundle refused", bundle=id_, still=self.id, error=str(error))
            return
        self._attach(engine)  # before it is in service: no message may miss the articles
        before, self._engine = self.id, engine
        self.problem = self._refused = None
        self._metrics.swaps.labels("taken").inc()
        self._metrics.bundle.clear()
        self._metrics.bundle.labels(engine.id).set(1)
        log.info("bundle in service", bundle=engine.id, before=before)

    def _attach(self, engine: Engine) -> None:
        try:
            if self._shelf.attach(engine):
                self.knowledge_problem = self._shelf.problem
                log.info("articles in service", bundle=engine.id, passages=len(engine.knowledge or ()))
        except (DeskhandError, OSError) as error:
            self.knowledge_problem = str(error)
            log.error("articles refused", bundle=engine.id, error=str(error))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.refresh()
            except Exception:
                self._metrics.errors.labels("engines").inc()
                log.exception("looking for a new bundle failed")
