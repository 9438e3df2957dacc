"""`deskhand chat`: talk to the bundle in service in the terminal. Nothing is stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from bot.commands.serve import one_thread_each
from bot.commands.tables import print_table
from bot.conversation import SILENT
from bot.events import ActionRan, BotSaid, Event, GapFound, HandedOff, LoopChanged, SlotSet
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.manager import Manager
    from retrieval.engine import Engine
    from retrieval.types import Understanding

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True)

RESTART = "/restart"


@app.command()
def chat(
    explain: Annotated[bool, typer.Option(help="Show intents, candidates, thresholds, provenance.")] = False,
    message: Annotated[list[str] | None, typer.Option("--message", "-m", help="Say this and stop; repeatable.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration directory.")] = None,
) -> None:
    """Talk to the bot here. Ctrl-D ends it."""
    one_thread_each()
    settings = Settings.build(data_dir=data, config_dir=config)
    asyncio.run(talk(settings, explain=explain, messages=message))


async def talk(settings: Settings, *, explain: bool, messages: list[str] | None) -> None:
    """One conversation: `messages`, or what is typed until Ctrl-D. Raises Unavailable without a bundle."""
    from bot.logs import configure

    configure("error", settings.log_format)
    manager = _manager(settings)
    await manager.engines.refresh()
    engine = manager.engines.engine
    console.print(f"Bundle {engine.id}. Say something; Ctrl-D ends it.", style="dim")
    conversation = uuid.uuid4().hex
    given = iter(messages or ())
    while text := next(given, None) if messages else await _ask():
        if messages:
            console.print(f"you  {text}", markup=False)
        if text.strip() == RESTART and (await manager.store.read(conversation)).mode != "bot":
            conversation = uuid.uuid4().hex  # whoever has a conversation keeps it; only the bot restarts its own
            console.print("     (a new conversation)", style="dim")
            continue
        await _exchange(manager, conversation, text, explain=explain)


async def _ask() -> str | None:
    while True:
        try:
            text = await asyncio.to_thread(console.input, "[bold]you[/]  ")
        except (EOFError, KeyboardInterrupt):
            return None
        if text.strip():
            return text


async def _exchange(manager: Manager, conversation: str, text: str, *, explain: bool) -> None:
    from bot.manager import UserMessage

    engine, before = manager.engines.engine, await manager.store.read(conversation)
    if explain and before.mode == "bot":
        _explain(engine, engine.understand(text, context=before.context))
    replies = await manager.handle(UserMessage(conversation, text, channel="terminal"))
    if explain:
        happened = (await manager.store.read(conversation)).events[before.version :]
        console.print(f"     so: {_decided(happened)}", markup=False, style="dim")
    for said in replies.messages:
        _show(said)
    if replies.mode != "bot":
        console.print(f"     (a person has this conversation now; {RESTART} begins a new one)", style="dim")


def _show(said: BotSaid) -> None:
    console.print(f"bot  {said.text or ''}", markup=False, soft_wrap=True)
    for button in said.buttons:
        console.print(f"     [{button.get('title')}] {button.get('payload', '')}", markup=False, style="dim")
    for citation in said.citations:
        console.print(f"     {citation.get('title')} {citation.get('url')}", markup=False, style="dim")
    for part in ("image", "custom", "attachment"):
        if value := getattr(said, part):
            console.print(f"     {part}: {value}", markup=False, style="dim")


def _decided(events: Sequence[Event]) -> str:
    """What the desk did about a message, in its order."""
    said = [_step(event) for event in events]
    return ", ".join(dict.fromkeys(step for step in said if step)) or "nothing, a person was called"


def _step(event: Event) -> str:
    match event:
        case ActionRan(name=name, policy=policy) if name not in SILENT:
            return f"{policy} {name}".strip()
        case SlotSet(name=name, value=value) if value is not None and name != "requested_slot":
            return f"slot {name}={value!r}"
        case LoopChanged(name=name):
            return f"form {name} opens" if name else "the form closes"
        case BotSaid(source="answer", answer=answer, p_correct=p):
            return f"answer {answer}, P(correct) {p:.2f}"
        case BotSaid(source="passage"):
            return "reply from the articles"
        case BotSaid(source="waiting"):
            return "says that somebody is coming"
        case BotSaid(source="clarify"):
            return "asks back, as candidates are close"
        case HandedOff(reason=reason):
            return f"handed off ({reason})"
        case GapFound():
            return "noted as a gap"
        case _:
            return ""


def _explain(engine: Engine, heard: Understanding) -> None:
    at = engine.thresholds
    intents = ", ".join(f"{one.name} {one.confidence:.2f}" for one in heard.ranking[:5]) or "none"
    console.print(f"     intents: {intents} (from {at.intent:.2f})", markup=False, style="dim")
    console.print(f"     in scope: {heard.in_scope:.2f} (from {at.in_scope:.2f})", style="dim")
    entities = ", ".join(f"{one.name}={one.value!r}" for one in heard.entities) or "none"
    console.print(f"     entities: {entities}", markup=False, style="dim")
    title = f"     answers (from {at.answer:.2f})"
    table = Table("P(correct)", "answer", "learned from", title=title, title_justify="left", box=box.HORIZONTALS)
    for hit in engine.answer(heard):
        asked = "\n".join(f"{r.conversation}#{r.turn} {r.similarity:.2f} {r.text[:60]}" for r in hit.requests[:3])
        note = "" if hit.servable else " (only a person can give it)"
        note += "" if hit.threshold is None else f" (taught, from {hit.threshold:.2f})"
        table.add_row(f"{hit.p_correct:.2f}", f"{hit.answer}{note}: {' '.join(hit.text.split())[:120]}", asked)
    print_table(table)
    _why(engine, heard)
    for passage in engine.search(heard, k=3):
        place = " / ".join(part for part in (passage.title, passage.heading) if part)
        line = f"     article: {passage.p_relevant:.2f} (from {at.passage:.2f}) {place}"
        console.print(line, markup=False, style="dim")


def _why(engine: Engine, heard: Understanding) -> None:
    """The words that carried the first answer, and what would have changed it."""
    from retrieval.explain import explain

    found = explain(engine, heard)
    if found is None:
        return
    words = ", ".join(f"{one.word!r} {one.effect:+.2f}" for one in found.carried_by()) or "no single word"
    console.print(f"     carried by: {words}", markup=False, style="dim")
    for change in found.changes[:3]:
        then = "would be sent" if change.sent else "would not be sent"
        line = f"     {change.text[:80]!r}: {change.answer} {change.p_correct:.2f}, {then}"
        console.print(line, markup=False, style="dim")


def _manager(settings: Settings) -> Manager:
    from bot.action_server import ActionServer
    from bot.config import load_config
    from bot.domain import load_domain
    from bot.engines import Engines
    from bot.manager import Manager
    from bot.metrics import Metrics
    from bot.shelf import KnowledgeShelf
    from bot.stores.memory import MemoryStore
    from retrieval.bundle import Bundles

    metrics, config = Metrics(), load_config(settings.config_dir)
    shelf = KnowledgeShelf(settings.config_dir / "knowledge", settings.knowledge)
    return Manager(
        store=MemoryStore(),
        engines=Engines(Bundles(settings.bundles), shelf, metrics=metrics),
        domain=load_domain(settings.config_dir),
        config=config,
        metrics=metrics,
        server=ActionServer.of(settings, config.actions),
    )
