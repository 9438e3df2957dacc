"""Health, metrics, and what is left when a part is down."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest
from serving_desk import OPERATOR, Running
from trained_desk import that_fails_its_probe

from bot.auth import kept_secret, operator_token
from bot.events import UserSaid
from bot.manager import UserMessage
from bot.settings import Settings
from bot.stores.embedded import EmbeddedRedis
from bot.stores.redis import connect
from retrieval.bundle import Bundles
from retrieval.errors import Unavailable

pytestmark = pytest.mark.asyncio


async def test_health_names_every_part(serve: Running) -> None:
    async with serve() as server:
        assert (await server.client.get("/health/live")).json() == {"status": "ok"}
        ready = await server.client.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["parts"] == {"redis": "ok", "sql": "ok", "bundle": "ok"}


async def test_health_names_the_part_that_is_down(serve: Running, tmp_path: Path) -> None:
    async with serve(data_dir=tmp_path / "empty", actions_url="http://127.0.0.1:1/webhook") as server:
        ready = await server.client.get("/health/ready")
        assert ready.status_code == 503
        parts = ready.json()["parts"]
        assert {part for part, state in parts.items() if state != "ok"} == {"bundle", "actions"}
        assert "deskhand train" in parts["bundle"]


async def test_a_refused_bundle_is_a_note_while_the_old_one_serves(serve: Running) -> None:
    async with serve() as server:
        bundles = Bundles(server.parts.settings.bundles)
        bundles.promote(that_fails_its_probe(bundles))
        await server.parts.engines.refresh()
        ready = await server.client.get("/health/ready")
        assert ready.status_code == 200
        assert "refused" in ready.json()["notes"]["bundle"]


async def test_an_unknown_path_is_a_problem(serve: Running) -> None:
    async with serve() as server:
        answer = await server.client.get("/nowhere")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_schema_and_the_metrics_are_there(serve: Running) -> None:
    async with serve() as server:
        await server.say("hello")
        assert "/api/v1/handoffs" in (await server.client.get("/openapi.json")).json()["paths"]
        assert await server.metric("deskhand_turn_seconds_count") == 1
        assert await server.metric(f'deskhand_bundle{{id="{server.parts.engines.id}"}}') == 1


async def test_the_api_page_needs_nothing_from_other_machines(serve: Running) -> None:
    async with serve() as server:
        page = (await server.client.get("/docs")).text
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(loaded) >= 2
        for path in loaded:
            assert path.startswith("/"), f"{path} is somewhere else"
            assert (await server.client.get(path)).status_code == 200
        assert "HTTPBearer" in (await server.client.get("/openapi.json")).text, "the page can take the token"


async def test_redis_gone_in_the_middle_of_a_turn_stores_nothing_and_is_a_503(serve: Running, tmp_path: Path) -> None:
    own = EmbeddedRedis(tmp_path / "own-redis")
    own.start()
    async with serve(redis_url=own.url) as server:
        assert await server.texts("hello", message_id="m1") == ["Hi, I am a bot."]
        engine = server.parts.engines.engine
        understand = engine.understand

        def redis_dies(text: str, **more: object) -> object:
            with connect(own.url) as client:
                os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
            return understand(text, **more)  # type: ignore[arg-type]

        engine.understand = redis_dies  # type: ignore[assignment, method-assign]
        answer = await server.say("hello", message_id="m2")
        assert answer.status_code == 503
        assert "Redis" in answer.json()["detail"]
        assert (await server.client.get("/health/ready")).status_code == 503

        engine.understand = understand  # type: ignore[method-assign]
        own.start()
        said = [e.message_id for e in (await server.parts.store.read("u1")).events if isinstance(e, UserSaid)]
        assert said == ["m1"], "what was acknowledged is there, the rest is not"
        assert await server.texts("hello", message_id="m2") == ["Hi, I am a bot."]
        assert (await server.client.get("/health/ready")).status_code == 200
    own.stop()


async def test_two_servers_on_one_redis_share_conversations_and_answer_a_message_once(serve: Running) -> None:
    async with serve() as one, serve() as two:
        await asyncio.gather(*(server.say("hello", message_id="m1") for server in (one, two, one, two)))
        events = (await two.parts.store.read("u1")).events
        assert len([e for e in events if isinstance(e, UserSaid)]) == 1


async def test_a_training_run_is_queued_and_listed(serve: Running) -> None:
    async with serve() as server:
        queued = await server.client.post("/api/v1/training/runs", headers=OPERATOR)
        assert queued.status_code == 202
        (run,) = (await server.client.get("/api/v1/training/runs", headers=OPERATOR)).json()["data"]
        assert (run["id"], run["kind"], run["status"]) == (queued.json()["id"], "train", "queued")
        assert (await server.client.get(f"/api/v1/training/runs/{run['id']}", headers=OPERATOR)).json() == run
        assert (await server.client.get("/api/v1/training/runs/none", headers=OPERATOR)).status_code == 404


async def test_a_database_that_is_not_there_keeps_the_server_from_starting(serve: Running) -> None:
    with pytest.raises(Unavailable, match="DESKHAND_DATABASE_URL"):
        async with serve(database_url=Settings.build(database_url="postgresql://x@127.0.0.1:1/y").database_url):
            pass


async def test_without_redis_there_is_no_turn(serve: Running, settings: Settings) -> None:
    async with serve(redis_url="redis://127.0.0.1:1/0") as server:
        with pytest.raises(Unavailable, match="DESKHAND_REDIS_URL"):
            await server.parts.manager.handle(UserMessage("u1", "hello"))


async def test_the_operators_token_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    settings = Settings.build(data_dir=tmp_path)
    token = operator_token(settings)
    assert len(token) >= 32
    assert operator_token(settings) == token
    assert (tmp_path / "operator-token").stat().st_mode & 0o077 == 0
    assert kept_secret(tmp_path / "other") != token
    assert operator_token(Settings.build(data_dir=tmp_path, operator_token="mine")) == "mine"
