"""The MCP server, through the library's own client: in process, over HTTP, and over stdio."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from listening import listening
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from serving_desk import TOKEN, Running
from trained_desk import RETURNS

from bot.channels.mcp import reading
from bot.events import HandedOff
from bot.settings import Settings
from bot.stores.keys import ApiKeys

pytestmark = pytest.mark.asyncio

READS, WRITES = {"ask", "search_knowledge"}, {"open_conversation", "hand_off"}
PAGE = Path(__file__).parents[3] / "docs" / "mcp.md"
ARTICLE = """---
title: Returns
url: https://shop.example/returns
---

# Returns

You can send a jacket back within 30 days. Shoes must be unworn.
"""


@pytest.fixture
def config(settings: Settings) -> Path:
    (settings.config_dir / "knowledge").mkdir()
    (settings.config_dir / "knowledge" / "returns.md").write_text(ARTICLE)
    return settings.config_dir / "deskhand.yml"


def enable(config: Path, *, writes: bool = False) -> None:
    config.write_text(json.dumps({"channels": {"mcp": {"enabled": True, "writes": writes}}}))


@asynccontextmanager
async def over_http(url: str, key: str = TOKEN) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
            yield client


async def tools(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def test_asking_leaves_no_trace_and_not_knowing_is_said(serve: Running) -> None:
    async with serve() as server:
        parts = server.parts
        async with Client(reading(parts.engines, parts.manager.domain, parts.config)) as client:
            assert await tools(client) == READS
            assert all(tool.annotations.read_only_hint for tool in (await client.list_tools()).tools)
            known = await call(client, "ask", question=RETURNS[0])
            assert (known["answered"], known["text"]) == (True, RETURNS[1])
            assert known["p_correct"] > 0.8
            unknown = await call(client, "ask", question="do you sell gift cards")
            assert unknown["answered"] is False, unknown
            assert [item for mode in ("bot", "waiting") for item in await parts.store.listed(mode)] == []


async def test_an_action_is_not_run_for_a_question(serve: Running) -> None:
    async with serve() as server:
        parts = server.parts
        async with Client(reading(parts.engines, parts.manager.domain, parts.config)) as client:
            assert (await call(client, "ask", question="/order_status"))["answered"] is False


async def test_articles_are_found_with_their_addresses(serve: Running, config: Path) -> None:
    async with serve() as server:
        parts = server.parts
        async with Client(reading(parts.engines, parts.manager.domain, parts.config)) as client:
            found = await call(client, "search_knowledge", query="send a jacket back", limit=1)
            (passage,) = found["passages"]
            assert passage["url"] == "https://shop.example/returns"
            assert "30 days" in passage["text"]


async def test_over_http_a_key_is_needed_and_what_it_may_do_is_what_it_sees(serve: Running, config: Path) -> None:
    enable(config, writes=True)
    async with serve() as server, listening(server.app) as url:
        keys = ApiKeys(server.parts.records)
        reads = keys.create("reads", ("knowledge:read",))[1]
        for key, sees in ((TOKEN, READS | WRITES), (reads, READS)):
            async with over_http(url, key) as client:
                assert await tools(client) == sees
        async with httpx2.AsyncClient() as stranger:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            assert (await stranger.post(f"{url}/mcp", json=body)).status_code == 401


async def test_the_operator_has_to_allow_writing(serve: Running, config: Path) -> None:
    enable(config)
    async with serve() as server, listening(server.app) as url, over_http(url) as client:
        assert await tools(client) == READS


async def test_a_conversation_goes_on_and_is_handed_to_people_with_a_note(serve: Running, config: Path) -> None:
    enable(config, writes=True)
    async with serve() as server, listening(server.app) as url, over_http(url) as client:
        first = await call(client, "open_conversation", message=RETURNS[0])
        assert (first["answered"], first["mode"]) == (True, "bot")
        place = first["conversation_id"]
        second = await call(client, "open_conversation", message="hello", conversation_id=place)
        assert second["text"] == "Hi, I am a bot."
        handed = await call(client, "hand_off", conversation_id=place, note="wants a refund")
        assert handed == {"conversation_id": place, "mode": "waiting"}
        events = (await server.parts.store.read(place)).events
        assert [event.note for event in events if isinstance(event, HandedOff)] == ["wants a refund"]
        lost = await client.call_tool("hand_off", {"conversation_id": "nobody"})
        assert lost.is_error
        assert "no conversation 'nobody'" in lost.content[0].text


async def test_the_command_speaks_over_stdio(settings: Settings, config: Path) -> None:
    places = {"DESKHAND_DATA_DIR": str(settings.data_dir), "DESKHAND_CONFIG_DIR": str(settings.config_dir)}
    places["DESKHAND_REDIS_URL"] = str(settings.redis_url)
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "bot.cli", "mcp", "--writes"], env={**os.environ, **places}
    )
    async with Client(command) as client:
        assert await tools(client) == READS | WRITES
        assert (await call(client, "ask", question=RETURNS[0]))["text"] == RETURNS[1]


async def test_the_snippet_of_the_documentation_runs(
    serve: Running, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enable(config)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    async with serve() as server, listening(server.app) as url:
        space: dict[str, Any] = {}
        exec(code.replace("http://localhost:8000", url).replace("<API key>", TOKEN), space)
        await space["main"]()
    assert "'answered': True" in capsys.readouterr().out
