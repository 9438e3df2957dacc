"""The widget's protocol as a program sees it: the same real desk, no browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk


ASKED, ANSWER = "how long is the guarantee", "Everything we make is guaranteed for ten years."


@pytest.fixture
def client(desk: Desk) -> Iterator[httpx.Client]:
    """A visitor with a session."""
    with httpx.Client(base_url=f"{desk.url}/widget", timeout=10) as client:
        opened = client.post("/session", json={"site_key": "demo"}).raise_for_status().json()
        client.headers["authorization"] = f"Bearer {opened['token']}"
        yield client


def token(client: httpx.Client) -> str:
    return client.headers["authorization"].removeprefix("Bearer ")


@contextmanager
def line(client: httpx.Client, offset: int = 0) -> Iterator[ClientConnection]:
    url = str(client.base_url.join("ws")).replace("http", "ws", 1)
    with connect(url, open_timeout=10) as socket:
        socket.send(json.dumps({"type": "hello", "token": token(client), "offset": offset}))
        yield socket


def hear(socket: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(socket.recv(timeout=10))
    return frame


def history(client: httpx.Client) -> list[dict[str, Any]]:
    with line(client) as socket:
        events: list[dict[str, Any]] = hear(socket)["events"]
        return events


def texts(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if "text" in event]


def test_a_message_over_the_line_comes_back_as_an_event_with_its_reply(client: httpx.Client) -> None:
    with line(client) as socket:
        assert hear(socket) == {"type": "events", "next": 0, "events": []}
        socket.send(json.dumps({"type": "messages", "id": "m1", "text": ASKED}))
        frame = hear(socket)
    assert texts(frame["events"]) == [ASKED, ANSWER]
    assert frame["events"][0]["id"] == frame["events"][1]["in_reply_to"] == "m1"
    assert frame["next"] > frame["events"][-1]["offset"]


def test_the_same_message_again_is_the_same_message(client: httpx.Client) -> None:
    for _ in range(3):
        client.post("/messages", json={"id": "m1", "text": ASKED}).raise_for_status()
    assert texts(history(client)) == [ASKED, ANSWER]


def test_events_come_as_a_stream_from_an_offset(client: httpx.Client) -> None:
    client.post("/messages", json={"id": "m1", "text": ASKED}).raise_for_status()
    reply = history(client)[1]
    with client.stream("GET", "/events", params={"offset": reply["offset"]}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        data = next(row for row in stream.iter_lines() if row.startswith("data:"))
    assert json.loads(data.removeprefix("data:"))["events"] == [reply]


def test_two_lines_of_one_visitor_hear_the_same(client: httpx.Client) -> None:
    with line(client) as one, line(client) as other:
        hear(one), hear(other)
        one.send(json.dumps({"type": "messages", "id": "m1", "text": "hello"}))
        assert hear(one) == hear(other)


def test_a_customer_never_sees_what_was_understood(client: httpx.Client) -> None:
    client.post("/messages", json={"id": "m1", "text": "how long is the guarantee"}).raise_for_status()
    client.post("/handoff", json={"id": "m2"}).raise_for_status()
    seen = {key for event in history(client) for key in event}
    assert seen <= {"offset", "at", "kind", "id", "text", "in_reply_to", "ratable", "buttons", "citations", "notice"}


def test_asking_for_a_person_puts_the_conversation_into_the_inbox(client: httpx.Client, desk: Desk) -> None:
    client.post("/handoff", json={"id": "m1", "title": "Talk to a person"}).raise_for_status()
    events = history(client)
    assert events[0]["text"] == "Talk to a person"
    assert {"kind": "notice", "notice": "waiting"}.items() <= events[-1].items()
    inbox = httpx.get(f"{desk.url}/api/v1/handoffs", headers=desk.operator).raise_for_status().json()["data"]
    assert conversation(client) in [item["id"] for item in inbox]


def conversation(client: httpx.Client) -> str:
    again = client.post("/session", json={"site_key": "demo", "token": token(client)}).raise_for_status().json()
    return str(again["conversation"])


def test_a_rating_is_an_event_of_the_conversation(client: httpx.Client, desk: Desk) -> None:
    client.post("/messages", json={"id": "m1", "text": "how long is the guarantee"}).raise_for_status()
    reply = history(client)[1]
    client.post("/feedback", json={"id": reply["id"], "rating": -1, "comment": "twelve!"}).raise_for_status()
    assert history(client)[-1]["rating"] == -1
    url = f"{desk.url}/api/v1/conversations/{conversation(client)}"
    last = httpx.get(url, headers=desk.operator).raise_for_status().json()["events"][-1]
    assert (last["event"], last["message_id"], last["comment"]) == ("Rated", reply["id"], "twelve!")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"id": "nothing", "rating": 1}, 404, "no bot message 'nothing'"),
        ({"id": "m1", "rating": 1}, 404, "no bot message 'm1'"),
        ({"id": "m1", "rating": 5}, 422, "rating"),
    ],
)
def test_only_replies_can_be_rated(client: httpx.Client, body: dict[str, Any], status: int, says: str) -> None:
    client.post("/messages", json={"id": "m1", "text": "hello"}).raise_for_status()
    answer = client.post("/feedback", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"id": "m1", "text": "x" * 4001}, "4001 characters"),
        ({"id": "m1", "text": " \n"}, "empty"),
        ({"id": "", "text": "hello"}, "id"),
        ({"id": "m1"}, "text"),
        ({"id": "m1", "text": "hello", "conversation": "w-other"}, "conversation"),
    ],
)
def test_what_cannot_be_read_is_refused_the_same_way_on_both_roads(
    client: httpx.Client, said: dict[str, Any], says: str
) -> None:
    posted = client.post("/messages", json=said)
    assert posted.status_code == 422
    assert says in posted.json()["detail"].replace(",", "")
    with line(client) as socket:
        hear(socket)
        socket.send(json.dumps({"type": "messages", **said}))
        frame = hear(socket)
        assert (frame["type"], frame["id"], frame["status"]) == ("error", said.get("id"), 422)
        assert says in frame["detail"].replace(",", "")
        socket.send(json.dumps({"type": "messages", "id": "m2", "text": "hello"}))
        assert texts(hear(socket)["events"])[0] == "hello"


@pytest.mark.parametrize("noise", ["", "[]", "nonsense", "{", json.dumps({"type": "x"}), b"\x00\xff", "x" * 70_000])
def test_noise_on_the_line_is_answered_and_the_line_stays(client: httpx.Client, noise: str | bytes) -> None:
    with line(client) as socket:
        hear(socket)
        socket.send(noise)
        assert hear(socket)["status"] == 422
        socket.send(json.dumps({"type": "messages", "id": "m1", "text": "hello"}))
        assert texts(hear(socket)["events"])[0] == "hello"


@pytest.mark.parametrize("bad", [None, "", "Bearer", "Bearer x.y", "Basic abc", "Bearer é"])
def test_nothing_works_without_a_good_token(desk: Desk, bad: str | None) -> None:
    headers = {} if bad is None else {"authorization": bad.encode()}
    with httpx.Client(base_url=f"{desk.url}/widget", headers=headers) as stranger:
        answers = [
            stranger.get("/events"),
            stranger.post("/messages", json={"id": "m1", "text": "hello"}),
            stranger.post("/handoff", json={"id": "m1"}),
            stranger.post("/feedback", json={"id": "m1", "rating": 1}),
        ]
    assert [answer.status_code for answer in answers] == [401] * 4


@pytest.mark.parametrize("hello", [{}, {"type": "hello", "token": "x.y"}, {"token": None}])
def test_a_line_without_a_good_token_is_closed_with_its_own_code(desk: Desk, hello: dict[str, Any]) -> None:
    with connect(f"{desk.url}/widget/ws".replace("http", "ws", 1)) as socket:
        socket.send(json.dumps(hello))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_a_page_of_another_site_may_read_the_answers_also_the_refusals(client: httpx.Client) -> None:
    origin = {"origin": "https://shop.example"}
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    allowed = client.options("/messages", headers={**origin, **asked})
    assert allowed.status_code == 200
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    for body in ({"id": "m1", "text": "hello"}, {"id": "m1"}):
        assert client.post("/messages", json=body, headers=origin).headers["access-control-allow-origin"] == "*"
    elsewhere = httpx.get(str(client.base_url.join("/health/live")), headers=origin)
    assert "access-control-allow-origin" not in elsewhere.headers
