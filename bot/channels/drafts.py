"""A turn that can be followed while it goes on: for the doors that send a reply as it is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from bot.channels.texts import with_numbers
from bot.events import BotSaid, decode
from bot.manager import Manager, Replies, UserMessage
from bot.stores.store import Note

log = structlog.get_logger()

LOOK_S = 30.0
_going: set[asyncio.Task[Replies]] = set()  # asyncio itself holds a task only weakly


@dataclass(frozen=True)
class Draft:
    """A reply as far as it is made; `whole` says that nothing will be added to it."""

    said: BotSaid
    whole: bool


Step = Draft | Replies
Steps = AsyncGenerator[Step, None]


async def follow(manager: Manager, message: UserMessage) -> Steps:
    """The drafts of a turn, a later one of the same message in place of the one before, and at last its replies, which
    may differ from the drafts. The turn goes on when nobody follows it any more. Raises as `Manager.handle`."""
    async with manager.store.watch(message.conversation_id) as watch:
        turn = asyncio.create_task(manager.handle(message))
        _going.add(turn)
        turn.add_done_callback(lambda _: watch.tell())
        turn.add_done_callback(_over)
        while not turn.done():
            await watch.changed(LOOK_S)
            for draft in _drafts(watch.notes(), message.id):
                yield draft
        yield turn.result()


async def begun(steps: Steps) -> Steps:
    """The same, after its first step: what raises at once raises here."""
    first = await anext(steps)

    async def all_of_it() -> Steps:
        async with aclosing(steps):
            yield first
            async for step in steps:
                yield step

    return all_of_it()


def _drafts(notes: Iterable[Note], message_id: str) -> Iterator[Draft]:
    for note in notes:
        said = drafted(note)
        if said is not None and said.in_reply_to == message_id:
            yield Draft(said, bool(note.get("whole")))


def drafted(note: Note) -> BotSaid | None:
    """The reply that a note is a draft of."""
    said = decode(note["event"]) if note.get("type") == "draft" else None
    return said if isinstance(said, BotSaid) else None


def _over(turn: asyncio.Task[Replies]) -> None:
    _going.discard(turn)
    if not turn.cancelled() and (error := turn.exception()):
        log.info("a followed turn failed", error=str(error))  # whoever still follows it hears of it, too


class Told:
    """The text of a turn for a line that cannot take anything back."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._sent = ""

    def draft(self, said: BotSaid) -> str:
        """What to add; nothing while a draft goes back on what was sent."""
        self._texts[said.message_id] = with_numbers(said)
        whole = _joined(self._texts.values())
        if not whole.startswith(self._sent):
            return ""
        more, self._sent = whole[len(self._sent) :], whole
        return more

    def end(self, replies: Replies) -> str:
        """What is missing. Replies that differ from their drafts follow them whole."""
        texts = [with_numbers(said) for said in replies.messages]
        whole = _joined(texts)
        if whole.startswith(self._sent):
            return whole[len(self._sent) :]
        stands = max(n for n in range(len(texts) + 1) if self._sent.startswith(_joined(texts[:n])))
        rest = _joined(texts[stands:])
        return f"\n\n{rest}" if rest else ""


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text)
