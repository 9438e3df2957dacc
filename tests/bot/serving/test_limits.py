"""What the server will not read, whoever sends it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_desk import OPERATOR, Running

from bot.body_limit import DEEPEST, too_deep

pytestmark = pytest.mark.asyncio

JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def depth(value: object) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inner), default=0)
    return 0


@given(JSON, st.integers(0, DEEPEST + 4))
async def test_depth_is_counted_as_json_counts_it(value: object, wrapped: int) -> None:
    for _ in range(wrapped):
        value = [value, '"}{[' * 20]
    assert too_deep(json.dumps(value).encode()) == (depth(value) > DEEPEST)


@pytest.mark.parametrize("path", ["/webhooks/rest/webhook", "/widget/session", "/api/v1/conversations/u1/join"])
async def test_deep_nesting_is_refused_on_every_door(serve: Running, path: str) -> None:
    async with serve() as server:
        body = b"[" * 30_000 + b"]" * 30_000
        answer = await server.client.post(path, content=body, headers={**OPERATOR, "content-type": "application/json"})
        assert answer.status_code == 422
        assert "nested deeper than 32 levels" in answer.json()["detail"]


async def test_another_door_cannot_speak_in_a_conversation_of_the_widget(serve: Running) -> None:
    async with serve() as server:
        opened = (await server.client.post("/widget/session", json={"site_key": "demo"})).json()
        widget = {"authorization": f"Bearer {opened['token']}"}
        said = {"id": "m1", "text": "hello"}
        assert (await server.client.post("/widget/messages", json=said, headers=widget)).status_code == 200
        answer = await server.say("hello", sender=opened["conversation"], message_id="m1")
        assert answer.status_code == 401
        assert "Hi, I am a bot" not in answer.text


async def test_a_visitor_beyond_the_rate_gets_429_and_learns_when_to_come_back(
    serve: Running, settings: object
) -> None:
    config = settings.config_dir / "deskhand.yml"  # type: ignore[attr-defined]
    config.write_text("rates: {visitor: 1/minute}\n")
    async with serve() as server:
        token = (await server.client.post("/widget/session", json={"site_key": "demo"})).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        answers = [
            await server.client.post("/widget/messages", json={"id": id_, "text": "hello"}, headers=headers)
            for id_ in ("m1", "m2")
        ]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert 1 <= int(answers[1].headers["retry-after"]) <= 60
        assert answers[1].json()["title"] == "Too many requests"


async def test_the_frame_of_a_site_may_be_framed_by_its_origins_only(serve: Running, settings: object) -> None:
    config = settings.config_dir / "deskhand.yml"  # type: ignore[attr-defined]
    config.write_text('channels: {widget: {sites: {shop: {origins: ["https://shop.example"]}}}}\n')
    async with serve() as server:
        page = await server.client.get("/widget/frame/shop")
        assert page.headers["content-security-policy"].endswith("frame-ancestors 'self' https://shop.example")
        assert 'data-site-key="shop"' in page.text
        assert (await server.client.get("/widget/frame/other")).status_code == 404
        assert (await server.client.get("/widget/frame.js")).status_code == 200
