"""Rasa's HTTP API: who gets in, what is written, and what is refused. Its shapes are test_rasa_captures.py's."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import pytest
from pydantic import SecretStr
from serving_desk import TOKEN, Running

from bot.settings import Settings

pytestmark = pytest.mark.asyncio

KEY = "a-secret-of-the-integrator-that-is-long-enough"
RASA = "channels:\n  rasa_api: {enabled: true}\n"
AUTH = {"token": TOKEN}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    (settings.config_dir / "deskhand.yml").write_text(RASA)
    return settings


def bearer(key: str = KEY, **user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt.encode({'user': user}, key, algorithm='HS256')}"}


async def test_without_a_token_of_its_own_it_takes_the_operators(serve: Running) -> None:
    async with serve() as server:
        assert (await server.client.get("/status")).status_code == 401
        assert (await server.client.get("/status", params={"token": "wrong"})).status_code == 401
        assert (await server.client.get("/status", params=AUTH)).status_code == 200
        assert (await server.client.get("/status", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        assert (await server.client.get("/version")).status_code == 200


async def test_a_token_of_its_own_replaces_the_operators(serve: Running) -> None:
    async with serve(rasa_token=SecretStr("own")) as server:
        assert (await server.client.get("/status", params=AUTH)).status_code == 401
        assert (await server.client.get("/status", params={"token": "own"})).status_code == 200


async def test_web_tokens_let_admins_see_all_and_users_their_own_conversation(serve: Running) -> None:
    async with serve(rasa_jwt_key=SecretStr(KEY)) as server:

        async def status(path: str, headers: dict[str, str]) -> int:
            return (await server.client.get(path, headers=headers)).status_code

        admin, bo = bearer(username="root", role="admin"), bearer(username="bo", role="user")
        assert await status("/conversations/bo/tracker", admin) == 200
        assert await status("/status", admin) == 200
        assert await status("/conversations/bo/tracker", bo) == 200
        assert await status("/conversations/al/tracker", bo) == 403
        assert await status("/status", bo) == 403
        assert await status("/status", bearer(username="x", role="guest")) == 403
        assert await status("/status", bearer("another-key-that-nobody-here-knows-of", role="admin")) == 401


async def test_refusals_have_rasas_shape(serve: Running) -> None:
    async with serve() as server:
        body = (await server.client.get("/conversations/u/tracker")).json()
        assert body | {"version": ""} == {
            "version": "", "status": "failure", "message": "User is not authenticated.", "reason": "NotAuthenticated",
            "details": {}, "help": "docs/rasa.md", "code": 401,
        }  # fmt: skip
        missing = await server.client.post("/conversations/u/messages", params=AUTH, json={"sender": "user"})
        assert (missing.status_code, missing.json()["details"]) == (400, {"parameter": "text", "in": "body"})


async def test_it_is_off_unless_it_is_enabled(serve: Running, settings: Settings) -> None:
    (settings.config_dir / "deskhand.yml").write_text("")
    async with serve() as server:
        assert (await server.client.get("/conversations/u/tracker", params=AUTH)).status_code == 404


async def tracker(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/conversations/u1/tracker", params={**AUTH, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_until_shows_the_conversation_as_it_was(serve: Running) -> None:
    async with serve() as server:
        await server.texts("/greet")
        between = time.time()
        await server.texts("/greet")
        assert len([e for e in (await tracker(server.client))["events"] if e["event"] == "user"]) == 2
        before = await tracker(server.client, until=between)
        assert [e["name"] for e in before["events"] if e["event"] == "action"] == [
            "action_session_start", "action_listen", "utter_greet", "action_listen",
        ]  # fmt: skip


async def test_events_are_shown_all_applied_since_the_restart_or_not_at_all(serve: Running) -> None:
    async with serve() as server:
        await server.texts("/greet")
        await server.say("/restart")
        await server.texts("/greet")

        async def users(include: str) -> int:
            events = (await tracker(server.client, include_events=include))["events"]
            return len([event for event in events if event["event"] == "user"])

        assert await users("ALL") == 3
        assert await users("AFTER_RESTART") == 1
        assert await users("applied") == 1
        assert (await tracker(server.client, include_events="NONE"))["events"] is None


async def test_appended_events_keep_their_time_and_count(serve: Running) -> None:
    async with serve() as server:
        events = [{"event": "slot", "name": "session_started_metadata", "value": 1, "timestamp": 5.5}]
        events.append(
            {"event": "user", "text": "/greet", "parse_data": {"intent": {"name": "greet", "confidence": 1.0}}}
        )
        answer = await server.client.post("/conversations/u1/tracker/events", params=AUTH, json=events)
        assert [event["timestamp"] for event in answer.json()["events"] if event["event"] == "slot"] == [5.5]
        predicted = (await server.client.post("/conversations/u1/predict", params=AUTH)).json()
        assert predicted["scores"][0] == {"action": "utter_greet", "score": 1.0}


async def test_replaced_events_no_longer_count_and_are_not_lost(serve: Running) -> None:
    async with serve() as server:
        await server.texts("/greet")
        await server.client.put("/conversations/u1/tracker/events", params=AUTH, json=[{"event": "session_started"}])
        assert [e["event"] for e in (await tracker(server.client))["events"]] == ["action", "session_started", "action"]
        assert any(e["event"] == "bot" for e in (await tracker(server.client, include_events="ALL"))["events"])


async def test_an_intent_from_outside_is_answered_in_the_conversation(serve: Running) -> None:
    async with serve() as server:
        asked = {"name": "greet", "entities": {"city": "Rome"}}
        answer = await server.client.post("/conversations/u1/trigger_intent", params=AUTH, json=asked)
        assert answer.json()["messages"] == [{"recipient_id": "u1", "text": "Hi, I am a bot."}]
        said = next(event for event in answer.json()["tracker"]["events"] if event["event"] == "user")
        assert said["text"] == "EXTERNAL: greet"
        assert said["metadata"]["is_external"] is True


async def test_a_message_may_be_logged_without_an_answer(serve: Running) -> None:
    async with serve() as server:
        body = {"text": "hello there", "sender": "user"}
        answer = await server.client.post("/conversations/u1/messages", params=AUTH, json=body)
        assert answer.json()["latest_message"]["intent"]["name"] == "greet"
        assert [event["event"] for event in answer.json()["events"]][-1] == "user"


async def test_the_story_of_a_conversation_loads_as_a_test_story(serve: Running, tmp_path: Any) -> None:
    from bot.testing.files import StoryTest, read_tests

    async with serve() as server:
        await server.texts("/greet")
        text = (await server.client.get("/conversations/u1/story", params=AUTH)).text
    (tmp_path / "test_u1.yml").write_text(text)
    (story,) = read_tests([tmp_path / "test_u1.yml"])
    assert isinstance(story, StoryTest)
    assert [(line.kind, line.name) for line in story.script] == [("user", "greet"), ("action", "utter_greet")]


async def test_what_is_not_served_says_where_it_is(serve: Running) -> None:
    async with serve() as server:
        answer = await server.client.post("/model/train", params=AUTH, json={})
        assert answer.status_code == 501
        assert "POST /api/v1/training/runs trains" in answer.json()["message"]
        emulated = await server.client.post(
            "/model/parse", params={**AUTH, "emulation_mode": "WIT"}, json={"text": "hi"}
        )
        assert (emulated.status_code, emulated.json()["details"]["parameter"]) == (400, "emulation_mode")
        refused = await server.client.get("/domain", params=AUTH, headers={"accept": "text/html"})
        assert refused.status_code == 406
