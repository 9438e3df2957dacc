"""Transcripts -> pairs: what a customer said, in its context, and the agent's reply that followed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.transcript import Transcript, Turn

MAX_CHARS = 600
SHORT = 3
_PAYLOAD = re.compile(r"/[^\s{}/@:][^\s{}@]*\s*(\{.*\})?", re.DOTALL)
"""A button of a Rasa assistant, `/intent{"slot": "value"}`: nothing that a customer said."""


@dataclass(frozen=True, slots=True)
class Pair:
    """`text` is the customer's message (turns in a row joined), `desk` and `customer` what each side said before it.

    `replies` are the agent turns in a row that follow; `reply_turns` their indices in the transcript. `trusted` marks
    an answer that a person gave on our own desk after the bot had passed. `at` is in seconds, 0.0 when unknown.
    """

    conversation: str
    turn: int
    text: str
    desk: str
    customer: str
    replies: tuple[str, ...]
    reply_turns: tuple[int, ...]
    actions: tuple[str | None, ...]
    at: float
    trusted: bool

    @property
    def context(self) -> tuple[str, str]:
        return (self.desk, self.customer)


def pairs(transcript: Transcript) -> Iterator[Pair]:
    """Every customer message that an agent answered. Bot turns are context, never something to learn from.

    The bot's last words before the agent's are the hand-off: what it had replied to before that, it had dealt with
    itself. The hand-off does not cut request and answer apart, and short words after it ("ok") are dropped.
    """
    desk = customer = ""
    asked: list[tuple[int, Turn]] = []
    heard = 0  # so many of them the bot has replied to
    context = ("", "")
    turns = [t for t in enumerate(transcript.turns) if _says_something(t[1])]
    at = 0
    while at < len(turns):
        index, turn = turns[at]
        at += 1
        if turn.by == "customer":
            if not asked:
                context = (desk, customer)
            asked.append((index, turn))
        elif turn.by == "bot":
            if 0 < heard < len(asked):
                context, asked = (desk, _joined(t for _, t in asked[:heard]) if desk else ""), asked[heard:]
            desk, heard = "" if _small_talk(turn) else turn.text, len(asked)
        else:
            block = [(index, turn)]
            while at < len(turns) and turns[at][1].by == "agent":
                block.append(turns[at])
                at += 1
            if kept := asked[:heard] + [t for t in asked[heard:] if not heard or len(t[1].text.split()) >= SHORT]:
                yield _pair(transcript, kept, context, block, heard > 0)
                customer = _joined(t for _, t in kept)
            desk, asked, heard = block[-1][1].text, [], 0


def _says_something(turn: Turn) -> bool:
    text = turn.text.strip()
    return bool(text) and turn.by != "system" and not (turn.by == "customer" and _PAYLOAD.fullmatch(text))


def _small_talk(turn: Turn) -> bool:
    """Our own bot said it, and not as a mined answer. Its greeting before every chat would make each of them alike."""
    return bool(turn.bundle) and turn.answer is None


def _pair(
    transcript: Transcript,
    asked: Sequence[tuple[int, Turn]],
    context: tuple[str, str],
    block: Sequence[tuple[int, Turn]],
    trusted: bool,
) -> Pair:
    last_index, last = asked[-1]
    return Pair(
        conversation=transcript.id,
        turn=last_index,
        text=_joined(turn for _, turn in asked),
        desk=context[0],
        customer=context[1],
        replies=tuple(turn.text for _, turn in block),
        reply_turns=tuple(index for index, _ in block),
        actions=tuple(turn.action for _, turn in block),
        at=last.at or 0.0,
        trusted=trusted,
    )


def _joined(turns: Iterable[Turn]) -> str:
    return " ".join(turn.text.strip() for turn in turns)[-MAX_CHARS:]
