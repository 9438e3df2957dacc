"""A Model Context Protocol server: the desk as tools of somebody's agent. The home of `mcp`.

Read-only unless the operator allows more: `ask` and `search_knowledge` leave no trace. With `writes`, and over HTTP
with a key that may write, an agent can also talk in a conversation that is kept, and hand it to people.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from bot.auth import Access, Caller
from bot.channels.texts import with_numbers
from bot.config import Config
from bot.domain import Domain
from bot.engines import Engines
from bot.events import HandedOff
from bot.handoff import Desk
from bot.manager import Manager
from bot.messages import Replies, UserMessage
from bot.metrics import Metrics
from bot.stores.memory import MemoryStore
from retrieval.errors import DeskhandError

CHANNEL = "mcp"
PATH = "/mcp"
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
INSTRUCTIONS = (
    "The customer-service desk of a company. It answers with what its people have answered before and with its "
    "articles, never with a guess: answered=false means that nobody has taught it that. Quote the sources it gives."
)

Result = TypeVar("Result")
Text = Annotated[str, Field(description="In the customer's words.", min_length=1, max_length=4000)]
Place = Annotated[str, Field(description="`conversation_id` of an earlier answer.", min_length=1, max_length=255)]


class Source(BaseModel):
    title: str
    url: str


class Reply(BaseModel):
    """`answered` is false when the desk does not know, or asks back which of the `choices` is meant; `p_correct` is how
    surely an answer of its people fits."""

    answered: bool
    text: str
    sources: list[Source] = []
    choices: list[str] = []
    p_correct: float | None = None


class Kept(Reply):
    """`mode`: bot | waiting (handed over, nobody there yet) | person | closed."""

    conversation_id: str
    mode: str


class Found(BaseModel):
    title: str
    heading: str
    text: str
    url: str
    p_relevant: float


class Finds(BaseModel):
    passages: list[Found]


class HandedOver(BaseModel):
    conversation_id: str
    mode: str


def reading(engines: Engines, domain: Domain, config: Config) -> MCPServer:
    """A server with the tools that change nothing. It needs no Redis."""
    server = MCPServer("deskhand", title=config.channels.widget.name, instructions=INSTRUCTIONS)

    @server.tool(annotations=READS, title="Ask the desk")
    async def ask(question: Text) -> Reply:
        """What the desk would reply to a customer who asks this. Nothing is stored, nobody called, no action run."""
        manager = Manager(store=MemoryStore(), engines=engines, domain=domain, config=config, metrics=Metrics())
        try:
            message = UserMessage("rehearsal", question, channel=CHANNEL)
            replies = await _told(manager.handle(message))
            events = (await manager.store.read("rehearsal")).events
        finally:
            manager.close()
        return Reply(**_reply(replies, known=not any(isinstance(event, HandedOff) for event in events)))

    @server.tool(annotations=READS, title="Search the articles")
    async def search_knowledge(query: Text, limit: Annotated[int, Field(ge=1, le=20)] = 5) -> Finds:
        """Passages of the desk's articles, the most relevant first, with the address of each article."""
        found = await _told(asyncio.to_thread(_search, engines, query, limit))
        fields = Found.model_fields
        return Finds(passages=[Found(**{name: getattr(one, name) for name in fields}) for one in found])

    return server


def writing(manager: Manager, engines: Engines, domain: Domain, config: Config) -> MCPServer:
    """The reading tools, and those that leave a conversation behind."""
    server, desk = reading(engines, domain, config), Desk(manager.store)

    @server.tool(annotations=WRITES, title="Talk in a conversation")
    async def open_conversation(message: Text, conversation_id: Place | None = None) -> Kept:
        """Says this as the customer, in a new conversation or on in an earlier one. It is stored, actions run, and when
        the desk does not know, its people are called and answer in the conversation."""
        place = conversation_id or f"{CHANNEL}-{uuid.uuid4().hex}"
        replies = await _told(manager.handle(UserMessage(place, message, channel=CHANNEL)))
        known = replies.mode == "bot"
        return Kept(**_reply(replies, known=known), conversation_id=place, mode=replies.mode)

    @server.tool(annotations=WRITES, title="Call a person")
    async def hand_off(
        conversation_id: Place, note: Annotated[str, Field(description="For the person.", max_length=2000)] = ""
    ) -> HandedOver:
        """Gives a conversation to the desk's people; the bot is then silent in it."""
        conversation = await _told(desk.hand_off(conversation_id, "asked", note))
        return HandedOver(conversation_id=conversation_id, mode=conversation.mode)

    return server


def _reply(replies: Replies, *, known: bool) -> dict[str, Any]:
    said = replies.messages
    sure = [event.p_correct for event in said if event.p_correct is not None]
    return {
        "answered": known and any(event.source not in ("clarify", "system") for event in said),
        "text": "\n\n".join(text for event in said if (text := with_numbers(event))),
        "sources": [
            Source(title=one.get("title") or "", url=one.get("url") or "") for event in said for one in event.citations
        ],
        "choices": [str(button.get("title")) for event in said for button in event.buttons],
        "p_correct": min(sure) if sure else None,
    }


def _search(engines: Engines, query: str, limit: int) -> Any:
    engine = engines.engine
    return engine.search(engine.understand(query), k=limit)


async def _told(work: Awaitable[Result]) -> Result:
    """What goes wrong is said to the agent, which may mend it."""
    try:
        return await work
    except DeskhandError as error:
        raise ToolError(str(error)) from error


class Door:
    """Streamable HTTP at `/mcp`: no sessions, so that any server process can take any request. A key that may write
    gets the writing tools where the operator allows them."""

    def __init__(self, access: Access, read: MCPServer, write: MCPServer | None) -> None:
        self._access = access
        self._read = _app(read)
        self._write = _app(write) if write else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in (self._read, self._write):
                if app:
                    await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            caller = await self._access.needs("knowledge:read")(headers.get("authorization"))
        except DeskhandError as error:
            body = {"error": {"code": -32001, "message": str(error)}, "jsonrpc": "2.0", "id": None}
            return await JSONResponse(body, error.status, dict(error.headers))(scope, receive, send)
        await self._for(caller)(scope, receive, send)

    def _for(self, caller: Caller) -> Starlette:
        return self._write if self._write and caller.may("conversations:write") else self._read


def _app(server: MCPServer) -> Starlette:
    # A name other than localhost: the key is what keeps strangers out, and the desk has a name of its own.
    return server.streamable_http_app(streamable_http_path=PATH, stateless_http=True, json_response=True, host="")
