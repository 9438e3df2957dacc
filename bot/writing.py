"""The optional writer of answers from articles, as the configuration sets it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog
from pydantic import SecretStr

from bot.config import WriterConfig
from retrieval.errors import BadInput
from retrieval.types import Passage
from retrieval.writer import Endpoint, Limits, Model, write

log = structlog.get_logger()


async def _nobody(so_far: str) -> None:
    return


class Writing:
    """Words an answer; the extractive one is kept whenever the model does not do better in time."""

    def __init__(self, model: Model, *, seconds: float) -> None:
        self._model = model
        self._seconds = seconds

    @classmethod
    def build(cls, config: WriterConfig, *, key: SecretStr | None) -> Writing | None:
        """None when no writer is configured. Raises BadInput when its package or model is not there."""
        if config.url and config.local:
            raise BadInput("knowledge.writer has both url and local; keep one of them")
        if config.local:
            from retrieval.local_writer import Local

            return cls(Local(config.local, max_tokens=config.max_tokens), seconds=config.seconds)
        if not config.url:
            return None
        limits = Limits(config.tokens_per_day, config.cost_per_day, config.input_price, config.output_price)
        secret = key.get_secret_value() if key else ""
        model = Endpoint(
            config.url, config.model, key=secret, retries=config.retries, max_tokens=config.max_tokens, limits=limits
        )
        return cls(model, seconds=config.seconds)

    async def word(
        self,
        question: str,
        history: Sequence[str],
        passages: Sequence[Passage],
        extract: str,
        tell: Callable[[str], Coroutine[Any, Any, None]] = _nobody,
    ) -> str:
        """What the model wrote as far as the passages support it, or `extract`. `tell` hears the sentences as they
        are made; what is returned may differ from them."""
        loop = asyncio.get_running_loop()

        def told(so_far: str) -> None:
            asyncio.run_coroutine_threadsafe(tell(so_far), loop).result()

        written = await asyncio.to_thread(
            write, self._model, question, passages, history=history, seconds=self._seconds, tell=told
        )
        if written.dropped or written.text is None:
            log.info(
                "writer checked", sent=written.text is not None, dropped=len(written.dropped), reason=written.reason
            )
        return written.text or extract
