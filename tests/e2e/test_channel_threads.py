"""Conversations, files, ends and scores of one visitor, as a program sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.sync.client import connect

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk

PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture
def client(desk: Desk) -> Iterator[httpx.Client]:
    with visitor(desk) as client:
        yield client


@contextmanager
def visitor(desk: Desk) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{desk.url}/widget", timeout=30) as client:
        opened = client.post("/session", json={"site_key": "demo"}).raise_for_status().json()
        client.headers["authorization"] = f"Bearer {opened['token']}"
        yield client


def say(client: httpx.Client, text: str, thread: int = 1, **more: Any) -> None:
    body = {"id": f"m-{text}", "text": text, "thread": thread, **more}
    client.post("/messages", json=body).raise_for_status()


def poll(client: httpx.Client, **query: Any) -> dict[str, Any]:
    frame: dict[str, Any] = client.get("/poll", params={"wait": 0, **query}).raise_for_status().json()
    return frame


def texts(frame: dict[str, Any]) -> list[str]:
    return [event["text"] for event in frame["events"] if "text" in event]


def upload(client: httpx.Client, name: str = "zip.png", data: bytes = PNG, **query: Any) -> httpx.Response:
    headers = {"content-type": "application/octet-stream"}
    return client.post("/files", params={"name": name, **query}, content=data, headers=headers)


def test_what_is_said_in_one_conversation_is_not_in_another(client: httpx.Client) -> None:
    say(client, "how long is the guarantee")
    say(client, "how do I return something", thread=2)
    assert texts(poll(client))[0] == "how long is the guarantee"
    assert texts(poll(client, thread=2))[0] == "how do I return something"
    assert poll(client, thread=3) == {"type": "events", "next": 0, "events": []}
    listed = client.get("/threads").raise_for_status().json()["threads"]
    assert [(one["thread"], one["mode"]) for one in listed] == [(2, "bot"), (1, "bot")]
    assert listed[1]["title"] == "Everything we make is guaranteed for ten years."
    assert listed[1]["next"] == poll(client)["next"]


@pytest.mark.parametrize("thread", [0, 21, -1, "2/../x", "1.1"])
def test_a_conversation_is_one_of_twenty(client: httpx.Client, thread: object) -> None:
    body = {"id": "m1", "text": "hello", "thread": thread}
    assert client.post("/messages", json=body).status_code == 422
    assert client.get("/poll", params={"thread": str(thread), "wait": 0}).status_code == 422


def test_a_line_is_for_the_conversation_that_it_names(client: httpx.Client) -> None:
    say(client, "how long is the guarantee", thread=2)
    token = client.headers["authorization"].removeprefix("Bearer ")
    with connect(str(client.base_url.join("ws")).replace("http", "ws", 1), open_timeout=10) as socket:
        socket.send(json.dumps({"type": "hello", "token": token, "thread": 2, "offset": 0}))
        assert texts(json.loads(socket.recv(timeout=10)))[0] == "how long is the guarantee"


def test_a_poll_brings_what_is_there_at_once_and_else_waits_for_what_comes(client: httpx.Client, desk: Desk) -> None:
    say(client, "how long is the guarantee")
    frame = poll(client, wait=1)
    assert len(texts(frame)) == 2
    session = client.post("/session", json={"site_key": "demo", "token": client.headers["authorization"][7:]}).json()
    with visitor(desk) as other:
        other.headers["authorization"] = client.headers["authorization"]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(poll, other, wait=1, offset=frame["next"])
            desk.as_person(session["conversation"], "messages", person="Maya", text="Hi!")
            assert texts(waiting.result(timeout=25))[-1] == "Hi!"
    assert poll(client, offset=999)["reset"] is True


def test_a_file_goes_up_into_a_message_and_comes_down_by_its_address_only(client: httpx.Client, desk: Desk) -> None:
    file = upload(client, "my zip.png").raise_for_status().json()
    assert (file["name"], file["type"], file["size"]) == ("my zip.png", "image/png", len(PNG))
    say(client, "look", files=[file["id"]])
    (seen,) = poll(client)["events"][0]["files"]
    assert seen == file
    answer = httpx.get(f"{desk.url}{seen['url']}")
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    for wrong in (seen["url"].split("?")[0], seen["url"][:-8] + "x" * 8, seen["url"].replace("zip", "zap")):
        assert httpx.get(f"{desk.url}{wrong}").status_code in (401, 422)


def test_what_a_browser_must_not_show_is_downloaded(client: httpx.Client, desk: Desk) -> None:
    file = upload(client, "page.txt", b"<script>alert(1)</script>").raise_for_status().json()
    headers = httpx.get(f"{desk.url}{file['url']}").headers
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''page.txt"


def test_a_file_of_another_visitor_or_conversation_cannot_be_sent(client: httpx.Client, desk: Desk) -> None:
    mine = upload(client).raise_for_status().json()
    with visitor(desk) as thief:
        for who, thread in ((thief, 1), (client, 2)):
            body = {"id": "m1", "text": "mine", "files": [mine["id"]], "thread": thread}
            assert who.post("/messages", json=body).status_code == 404
        body = {"id": "m2", "text": "mine", "files": [f"../{mine['id']}"]}
        assert thief.post("/messages", json=body).status_code == 404


@pytest.mark.parametrize(
    ("name", "data", "status", "says"),
    [
        ("virus.exe", b"MZ", 422, "of a type that is not taken"),
        ("photo.png", b"MZ", 422, "no png file inside"),
        ("big.txt", b"x" * 10_000_001, 422, "at most 10"),
        ("bigger.txt", b"x" * 10_100_000, 413, "larger than"),
    ],
)
def test_a_file_that_is_not_taken_is_a_problem_with_its_reason(
    client: httpx.Client, name: str, data: bytes, status: int, says: str
) -> None:
    answer = upload(client, name, data)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]


def test_other_bodies_may_not_be_as_large_as_a_file(client: httpx.Client) -> None:
    assert client.post("/messages", json={"id": "m1", "text": "x" * 100_000}).status_code == 413


def test_an_ended_conversation_can_be_scored_and_opens_again_with_a_message(client: httpx.Client) -> None:
    score = {"score": 5, "comment": "quick"}
    assert client.post("/close", json={}).status_code == 404  # nothing was said yet
    say(client, "how long is the guarantee")
    assert client.post("/score", json=score).status_code == 409  # not ended yet
    for _ in range(2):
        assert client.post("/close", json={}).status_code == 204
    assert client.post("/score", json=score).status_code == 204
    assert client.post("/score", json={"score": 6}).status_code == 422
    said = poll(client)["events"]
    assert [event.get("notice") or event.get("score") for event in said[2:]] == ["closed", 5]
    say(client, "how do I return something")
    assert client.get("/threads").json()["threads"][0]["mode"] == "bot"


def test_attributes_go_along_and_have_their_limit(client: httpx.Client, desk: Desk) -> None:
    say(client, "how long is the guarantee", attributes={"plan": "pro", "orders": 3, "vip": True})
    session = client.post("/session", json={"site_key": "demo", "token": client.headers["authorization"][7:]}).json()
    url = f"{desk.url}/api/v1/conversations/{session['conversation']}"
    kept = httpx.get(url, headers=desk.operator).json()["events"]
    said = next(event for event in kept if event["event"] == "UserSaid")
    assert said["metadata"]["attributes"] == {"plan": "pro", "orders": 3, "vip": True}
    body = {"id": "m2", "text": "hello", "attributes": {"x": "y" * 2000}}
    answer = client.post("/messages", json=body)
    assert answer.status_code == 422
    assert "longer than 2000" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/threads", "/poll"])
def test_reading_needs_a_token(desk: Desk, path: str) -> None:
    assert httpx.get(f"{desk.url}/widget{path}").status_code == 401


@pytest.mark.parametrize("path", ["/close", "/score", "/files?name=a.txt"])
def test_writing_needs_a_token(desk: Desk, path: str) -> None:
    assert httpx.post(f"{desk.url}/widget{path}", json={"score": 1}).status_code == 401
