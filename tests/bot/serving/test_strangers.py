"""A visitor never reads another's conversation: every route of the server, with everything a thief could know except
the token itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from live_desk import live
from serving_desk import OPERATOR
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bot.settings import Settings

SECRET = "hello zanzibar-7391"
EXAMPLES = 250
A_MOMENT_S = 0.4


@dataclass
class World:
    """`known` is what the thief knows of the victim, `keys` the token they may send: their own, forged ones, none."""

    url: str
    routes: list[tuple[str, str]]
    known: list[str]
    tokens: list[str | None]


def session(url: str, **more: Any) -> dict[str, Any]:
    opened: dict[str, Any] = httpx.post(f"{url}/widget/session", json={"site_key": "demo", **more}).json()
    return opened


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with live(settings) as (app, url):
        victim, thief = session(url), session(url)
        for text, id_ in ((SECRET, "m1"), ("and again " + SECRET, "m2")):
            said = httpx.post(
                f"{url}/widget/messages", json={"id": id_, "text": text}, headers=bearer(victim["token"]), timeout=30
            )
            assert said.status_code == 200
        conversation = victim.get("conversation") or next(
            one["id"] for one in httpx.get(f"{url}/api/v1/conversations", headers=OPERATOR).json()["data"]
        )
        seen = httpx.get(f"{url}/api/v1/conversations/{conversation}", headers=OPERATOR).json()
        assert SECRET in json.dumps(seen), "the operator reads it, so there is something to steal"
        ids = [event["message_id"] for event in seen["events"] if event.get("message_id")]
        body, _, signature = victim["token"].partition(".")
        own_body, _, own_signature = thief["token"].partition(".")
        forged = [f"{body}.{own_signature}", f"{body}.{signature[:-2]}AA", f"{body}.", body, f"{own_body}.{signature}"]
        yield World(
            url=url,
            routes=list(routes_of(app)),
            known=[conversation, conversation.removeprefix("w-"), *ids, "m1", "demo", "default", "1", "0", *forged],
            tokens=[*[thief["token"]] * len(forged), None, conversation, *forged],
        )


def routes_of(app: Any) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        if route.path is None:
            continue
        for method in sorted(route.methods or {"WEBSOCKET"}):
            if method != "HEAD":
                yield method, route.path


def test_no_route_shows_a_visitor_what_another_said(world: World) -> None:
    assert len(world.routes) > 60
    assert ("WEBSOCKET", "/widget/ws") in world.routes

    @settings_of_the_search
    @given(st.data())
    def steal(data: st.DataObject) -> None:
        method, path = data.draw(st.sampled_from(world.routes))
        known = st.sampled_from(world.known) | st.text(max_size=8)
        names = (
            "token thread offset conversation conversation_id sender id message_id key site_key until signature after"
        )
        fields = st.dictionaries(st.sampled_from(names.split()), known | st.integers(-1, 3), max_size=5)
        token = data.draw(st.sampled_from(world.tokens))
        place = re.sub(r"\{[^}]*\}", lambda _: quote(data.draw(known), safe=""), path)
        query, body = data.draw(fields), body_of(data.draw(fields), data.draw(known))
        if method == "WEBSOCKET":
            got = over_socket(world.url, token, query, body)
        else:
            got = over_http(world.url, method, place, query, body, token)
        assert "zanzibar" not in got, f"{method} {place} {query} {body} with {token}"

    steal()


settings_of_the_search = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def body_of(fields: dict[str, Any], text: str) -> dict[str, Any]:
    """With what the doors need to get past their first look."""
    messages = [{"role": "user", "content": "hello"}]
    return {"text": "hello", "message": text, "messages": messages, "model": "deskhand", "site_key": "demo", **fields}


def over_http(
    url: str, method: str, path: str, query: dict[str, Any], body: dict[str, Any], token: str | None
) -> str:  # fmt: skip
    headers = bearer(token) if token and token.isascii() else {}
    got = ""
    try:
        with httpx.stream(
            method,
            url + path,
            params=query,
            content=json.dumps(body) if method in ("POST", "PUT", "PATCH") else None,
            headers={**headers, "Content-Type": "application/json"},
            timeout=httpx.Timeout(20, read=20 if "events" not in path else A_MOMENT_S),
        ) as answer:
            for chunk in answer.iter_text():
                got += chunk
    except (httpx.ReadTimeout, httpx.InvalidURL, httpx.RemoteProtocolError):
        pass  # a stream goes on until we leave
    return got


def over_socket(url: str, token: str | None, query: dict[str, Any], body: dict[str, Any]) -> str:
    got = ""
    try:
        with connect(url.replace("http", "ws") + "/widget/ws") as line:
            line.send(json.dumps({**query, "type": "hello", "offset": 0, "token": token or ""}))
            line.send(json.dumps({**body, "type": "messages", "id": "x"}))
            while True:
                got += str(line.recv(timeout=A_MOMENT_S))
    except (ConnectionClosed, TimeoutError):
        pass
    return got
