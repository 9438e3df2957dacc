"""`/api/v1/explain`: what the bundle in service hears in a message, what it would say, and why."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot.auth import Access
from bot.engines import Engines
from retrieval.engine import Engine
from retrieval.errors import BadInput
from retrieval.explain import explain

LONGEST = 1000


class IntentView(BaseModel):
    name: str
    confidence: float


class RequestView(BaseModel):
    """A logged request that an answer was learned from; `turn` is its place in the transcript `conversation`."""

    conversation: str
    turn: int
    text: str
    similarity: float


class CandidateView(BaseModel):
    answer: str
    text: str
    p_correct: float
    servable: bool = Field(description="False: only a person can give it.")
    threshold: float | None = Field(description="Its own threshold, where it has one: a person taught the answer.")
    requests: list[RequestView] = Field(description="The nearest logged requests that lead to it.")


class WordView(BaseModel):
    """`effect` is what P(correct) of the first answer loses without the word."""

    word: str
    start: int
    end: int
    effect: float


class ChangeView(BaseModel):
    """A message close to this one for which something else would have been done."""

    text: str
    answer: str
    p_correct: float
    sent: bool


class ExplainedView(BaseModel):
    bundle: str
    intents: list[IntentView]
    in_scope: float
    threshold: float = Field(description="P(correct) from which on an answer is sent; above 1 none is.")
    sent: bool = Field(description="Whether the first answer would be sent, were it not for rules, forms and articles.")
    candidates: list[CandidateView]
    words: list[WordView]
    changes: list[ChangeView]


def add(routes: APIRouter, access: Access, engines: Engines) -> None:
    @routes.get("/explain", dependencies=[Depends(access.needs("bundles:read"))])
    async def explained(q: Annotated[str, Query(min_length=1, max_length=LONGEST)]) -> ExplainedView:
        """Nothing is stored and nobody is answered. Costs an encoding for every word of `q`."""
        if not q.strip():
            raise BadInput("q is empty; send the message")
        return await asyncio.to_thread(_explained, engines.engine, q)


def _explained(engine: Engine, text: str) -> ExplainedView:
    heard = engine.understand(text)
    why = explain(engine, heard)
    return ExplainedView(
        bundle=engine.id,
        intents=[IntentView(name=one.name, confidence=one.confidence) for one in heard.ranking[:5]],
        in_scope=heard.in_scope,
        threshold=engine.thresholds.answer,
        sent=why.sent if why else False,
        candidates=[CandidateView(**asdict(hit)) for hit in engine.answer(heard)],
        words=[WordView(**asdict(word)) for word in (why.words if why else ())],
        changes=[ChangeView(**asdict(change)) for change in (why.changes if why else ())],
    )
