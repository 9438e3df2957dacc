"""Which logged requests would two bundles answer differently? What an operator looks at before a promotion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.transcript import Transcript
from training.evaluate import Progress, would_send
from training.pairs import Pair, pairs

if TYPE_CHECKING:
    from retrieval.engine import Engine


@dataclass(frozen=True, slots=True)
class Change:
    """A logged request; `before` and `after` are what is sent, None when it is handed to a person."""

    conversation: str
    turn: int
    text: str
    before: str | None
    after: str | None
    p_before: float
    p_after: float

    @property
    def kind(self) -> str:
        if self.before is None:
            return "now answered"
        return "now handed over" if self.after is None else "another answer"


def differences(
    a: Engine, b: Engine, requests: Iterable[Pair], *, progress: Progress | None = None
) -> tuple[list[Change], int]:
    """The requests whose answer changes from `a` to `b`, and how many were looked at. Equal text is no change."""
    asked = list(requests)
    changes = []
    for done, pair in enumerate(asked, 1):
        (before, p_before), (after, p_after) = _sends(a, pair), _sends(b, pair)
        if before != after:
            changes.append(Change(pair.conversation, pair.turn, pair.text, before, after, p_before, p_after))
        if progress:
            progress(done, len(asked))
    return changes, len(asked)


def _sends(engine: Engine, pair: Pair) -> tuple[str | None, float]:
    hits = engine.answer(engine.understand(pair.text, context=pair.context))
    sent = would_send(hits, engine.thresholds.answer)
    return (sent.text if sent else None), (sent or hits[0]).p_correct if hits else 0.0


def latest_requests(transcripts: Iterable[Transcript], limit: int) -> list[Pair]:
    """The last `limit` answered requests, each text once, oldest first."""
    newest: dict[str, Pair] = {}
    for transcript in transcripts:
        for pair in pairs(transcript):
            newest.pop(pair.text, None)
            newest[pair.text] = pair
    return list(newest.values())[-limit:]
