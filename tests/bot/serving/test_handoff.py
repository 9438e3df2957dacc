"""What the people of the desk do, over the operator API."""

from __future__ import annotations

from typing import Any

import pytest
from serving_desk import OPERATOR, Running, Server
from trained_desk import RETURNS

from bot.events import PersonJoined, PersonSaid, Seen

pytestmark = pytest.mark.asyncio


async def post(server: Server, path: str, **body: Any) -> tuple[int, Any]:
    answer = await server.client.post(f"/api/v1{path}", json=body, headers=OPERATOR)
    return answer.status_code, answer.json()


async def get(server: Server, path: str) -> Any:
    answer = await server.client.get(f"/api/v1{path}", headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic b3A="}])
async def test_nobody_gets_in_without_the_token(serve: Running, headers: dict[str, str]) -> None:
    async with serve() as server:
        for method, path in (("GET", "/handoffs"), ("GET", "/conversations/x"), ("POST", "/training/runs")):
            answer = await server.client.request(method, f"/api/v1{path}", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "deskhand token" in answer.json()["detail"]


async def test_a_person_takes_a_conversation_answers_and_gives_it_back(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards")
        await server.say("anybody there?")
        (waiting,) = (await get(server, "/handoffs"))["data"]
        assert (waiting["id"], waiting["mode"], waiting["reason"]) == ("u1", "waiting", "unknown")
        assert (waiting["question"], waiting["latest"]) == ("do you sell gift cards", "anybody there?")

        assert (await post(server, "/conversations/u1/join", person="Ada"))[1]["mode"] == "person"
        assert [item["person"] for item in (await get(server, "/handoffs"))["data"]] == ["Ada"]
        for _ in range(2):  # a retried request is said once
            await post(server, "/conversations/u1/messages", person="Ada", text="Yes, from 10.", message_id="p1")
        assert await server.texts("hello") == [], "the bot is silent while Ada has it"

        seen = await get(server, "/conversations/u1")
        said = [(e["text"], e["person"]) for e in seen["events"] if e["event"] == "PersonSaid"]
        assert said == [("Yes, from 10.", "Ada")]
        assert [e["offset"] for e in seen["events"]] == list(range(seen["version"]))
        assert len((await get(server, f"/conversations/u1?offset={seen['version'] - 1}"))["events"]) == 1

        assert (await post(server, "/conversations/u1/release"))[1]["mode"] == "bot"
        assert await server.texts("hello") == ["Hi, I am a bot."]
        assert (await get(server, "/handoffs"))["data"] == []


async def test_writing_joins_and_another_person_cannot_write_over_it(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards")
        await post(server, "/conversations/u1/messages", person="Ada", text="Hi!")
        kinds = [type(event) for event in (await server.parts.store.read("u1")).events][-2:]
        assert kinds == [PersonJoined, PersonSaid]
        for path, body in (("join", {}), ("messages", {"text": "Me too"}), ("release", {})):
            status, problem = await post(server, f"/conversations/u1/{path}", person="Bob", **body)
            assert status == 409
            assert "Ada has conversation 'u1'" in problem["detail"]


async def test_a_closed_conversation_takes_no_more_messages_and_closes_once(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards")
        closed = (await post(server, "/conversations/u1/close", resolved=True, csat=5))[1]
        assert closed["mode"] == "closed"
        assert (await post(server, "/conversations/u1/close"))[1]["version"] == closed["version"]
        status, problem = await post(server, "/conversations/u1/messages", person="Ada", text="Hm")
        assert status == 409
        assert "opens again when the customer writes" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/conversations/nobody/join", {"person": "Ada"}, 404),
        ("/conversations/u1/join", {}, 422),
        ("/conversations/u1/join", {"person": ""}, 422),
        ("/conversations/u1/messages", {"person": "Ada", "text": " "}, 422),
        ("/conversations/u1/close", {"csat": 9}, 422),
        ("/conversations/u1/close", {"rating": 1}, 422),
    ],
)
async def test_a_mistake_is_a_problem_and_changes_nothing(
    serve: Running, path: str, body: dict[str, Any], status: int
) -> None:
    async with serve() as server:
        await server.say("hello")
        before = (await server.parts.store.read("u1")).version
        got, problem = await post(server, path, **body)
        assert (got, problem["status"]) == (status, status)
        assert (await server.parts.store.read("u1")).version == before


@pytest.mark.parametrize("type_", [None, "application/x-www-form-urlencoded", "text/plain"])
async def test_a_body_is_json_whatever_its_content_type_says(serve: Running, type_: str | None) -> None:
    headers = {**OPERATOR, **({"Content-Type": type_} if type_ else {})}
    async with serve() as server:
        await server.say("do you sell gift cards")
        path = "/api/v1/conversations/u1/messages"
        said = await server.client.post(path, content=b'{"person": "Ada", "text": "We do."}', headers=headers)
        assert (said.status_code, said.json()["person"]) == (200, "Ada")
        wrong = await server.client.post(path, content=b"person=Ada", headers=headers)
        assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")


async def test_release_and_close_need_no_body(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards")
        await post(server, "/conversations/u1/join", person="Ada")
        for path, mode in (("release", "bot"), ("close", "closed")):
            done = await server.client.post(f"/api/v1/conversations/u1/{path}", headers=OPERATOR)
            assert (done.status_code, done.json()["mode"]) == (200, mode)


async def test_an_id_with_slashes_is_reached_like_any_other(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards", sender="group/1/join")
        assert (await get(server, "/conversations/group/1/join"))["mode"] == "waiting"
        assert (await post(server, "/conversations/group/1/join/join", person="Ada"))[1]["id"] == "group/1/join"


async def test_a_huge_body_is_refused_before_it_is_read(serve: Running) -> None:
    async with serve() as server:
        answer = await server.client.post("/api/v1/conversations/u1/join", content=b"x" * 1_000_000)
        assert answer.status_code == 413
        assert "limits.body_bytes" in answer.json()["detail"]


async def test_gaps_that_mean_the_same_are_one_group_with_a_count(serve: Running) -> None:
    async with serve() as server:
        asked = ["do you sell gift cards", "do you sell any gift cards", "can i pay with bitcoin"]
        for number, text in enumerate(asked):
            await server.say(text, sender=f"u{number}")
        await server.say(RETURNS[0], sender="u9")
        found = await get(server, "/gaps")
        assert found["total"] == 3
        assert [group["count"] for group in found["groups"]] == [2, 1]
        assert set(found["groups"][0]["examples"]) == set(asked[:2])
        assert found["groups"][1]["conversations"] == ["u2"]


async def test_reading_is_kept_once_and_takes_nobody_over(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards")
        before = await get(server, "/conversations/u1")
        for _ in range(2):
            status, seen = await post(server, "/conversations/u1/read", person="Ada")
            assert (status, seen["mode"], seen["person"]) == (200, "waiting", None)
        assert seen["version"] == before["version"] + 1
        assert (seen["events"][-1]["event"], seen["events"][-1]["person"]) == ("Seen", "Ada")
        await server.say("hello?")
        assert (await post(server, "/conversations/u1/read", person="Ada"))[1]["events"][-1]["event"] == "Seen"
        await post(server, "/conversations/u1/messages", person="Ada", text="Yes, from 10.")
        answered = (await post(server, "/conversations/u1/read", person="Ada"))[1]
        assert isinstance((await server.parts.store.read("u1")).events[-1], PersonSaid), "whoever answers has read it"
        await post(server, "/conversations/u1/close")
        assert (await post(server, "/conversations/u1/read", person="Ada"))[1]["version"] == answered["version"] + 1
        assert (await post(server, "/conversations/nobody/read", person="Ada"))[0] == 404


async def test_a_visitor_who_reads_is_seen_by_the_desk_and_a_person_who_reads_by_the_visitor(serve: Running) -> None:
    async with serve() as server:
        opened = (await server.client.post("/widget/session", json={"site_key": "demo"})).json()
        place, mine = opened["conversation"], {"authorization": f"Bearer {opened['token']}"}

        async def visitor(path: str, **body: Any) -> int:
            return (await server.client.post(f"/widget/{path}", json=body, headers=mine)).status_code

        async def kinds() -> list[str]:
            found = (await server.client.get("/widget/poll?wait=0", headers=mine)).json()["events"]
            return [event["kind"] for event in found]

        assert await visitor("messages", id="m1", text="/talk_to_person") == 200
        assert await visitor("seen") == 204, "nobody of the desk has written: nothing to see"
        assert "seen" not in await kinds()
        await post(server, f"/conversations/{place}/read", person="Ada")
        assert (await kinds())[-1] == "seen"
        await post(server, f"/conversations/{place}/messages", person="Ada", text="Hi!")
        for _ in range(2):
            assert await visitor("seen") == 204
        events = (await server.parts.store.read(place)).events
        assert [e.person for e in events if isinstance(e, Seen)] == ["Ada", ""]
        assert (await kinds())[-1] == "person", "what the customer has read is no news for them"


async def test_a_person_sends_a_file_and_only_its_conversation_has_it(serve: Running) -> None:
    async with serve() as server:
        opened = (await server.client.post("/widget/session", json={"site_key": "demo"})).json()
        place, mine = opened["conversation"], {"authorization": f"Bearer {opened['token']}"}
        said = {"id": "m1", "text": "/talk_to_person"}
        assert (await server.client.post("/widget/messages", json=said, headers=mine)).is_success

        async def upload(name: str, content: bytes, conversation: str = place) -> tuple[int, Any]:
            answer = await server.client.post(
                "/api/v1/files", data={"conversation": conversation}, files={"file": (name, content)}, headers=OPERATOR
            )
            return answer.status_code, answer.json()

        status, file = await upload("../label.pdf", b"%PDF-1.7 a label")
        assert (status, file["name"], file["type"], file["size"]) == (201, "label.pdf", "application/pdf", 16)
        assert (await upload("label.pdf", b"MZ a program"))[0] == 422
        assert (await upload("label.pdf", b"%PDF-", "nobody"))[0] == 404

        path = f"/conversations/{place}/messages"
        assert (await post(server, path, person="Ada", files=[file["id"]]))[0] == 200, "a file needs no words"
        assert (await post(server, path, person="Ada", files=["abcdefgh/other.pdf"]))[0] == 404
        assert (await post(server, path, person="Ada"))[0] == 422
        assert (await post(server, "/conversations/u9/messages", text="hi", files=[file["id"]]))[0] == 422
        assert (await get(server, path))["data"][-1]["text"] == "label.pdf"

        events = (await server.client.get("/widget/poll?wait=0", headers=mine)).json()["events"]
        (shown,) = [one for event in events if event["kind"] == "person" for one in event["files"]]
        fetched = await server.client.get(shown["url"])
        assert fetched.content == b"%PDF-1.7 a label"
        assert "attachment" in fetched.headers["content-disposition"]
        stored = await server.client.get(f"/api/v1/files/{place}/{file['id']}", headers=OPERATOR)
        assert stored.content == fetched.content
