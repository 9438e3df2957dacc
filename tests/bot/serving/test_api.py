"""`/api/v1` as an integrator's backend uses it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from serving_desk import OPERATOR, Running, Server
from trained_desk import RETURNS

from bot import accepted
from bot.api.examples import add_examples
from bot.stores.keys import ApiKeys

pytestmark = pytest.mark.asyncio
V1 = "/api/v1"


async def call(server: Server, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {**OPERATOR, **more.pop("headers", {})}
    return await server.client.request(method, f"{V1}{path}", headers=headers, **more)


async def test_a_conversation_is_begun_answered_rated_and_read(serve: Running) -> None:
    async with serve() as server:
        begun = await call(server, "POST", "/conversations", json={"id": "order-1", "metadata": {"plan": "pro"}})
        assert (begun.status_code, begun.headers["location"]) == (201, "/api/v1/conversations/order-1")
        assert begun.json()["events"][0]["metadata"] == {"plan": "pro"}
        assert (await call(server, "POST", "/conversations", json={"id": "order-1"})).status_code == 409

        path = "/conversations/order-1"
        said = (await call(server, "POST", f"{path}/messages", json={"text": "hello", "message_id": "m1"})).json()
        assert (said["message_id"], said["mode"]) == ("m1", "bot")
        assert [reply["text"] for reply in said["replies"]] == ["Hi, I am a bot."]
        again = (await call(server, "POST", f"{path}/messages", json={"text": "hello", "message_id": "m1"})).json()
        assert again == said, "the same message id is the same message"

        thumb = {"message_id": said["replies"][0]["id"], "rating": 1}
        assert (await call(server, "POST", f"{path}/feedback", json=thumb)).json()["event"] == "Rated"
        assert (await call(server, "POST", f"{path}/feedback", json={**thumb, "message_id": "x"})).status_code == 404

        messages = (await call(server, "GET", f"{path}/messages")).json()["data"]
        assert [(one["by"], one["text"]) for one in messages] == [("customer", "hello"), ("bot", "Hi, I am a bot.")]
        transcript = (await call(server, "GET", f"{path}/transcript")).json()
        assert (transcript["schema"], [turn["by"] for turn in transcript["turns"]]) == (
            "transcript/1",
            ["customer", "bot"],
        )


async def test_a_message_may_be_accepted_at_once_and_answered_later(serve: Running) -> None:
    async with serve() as server:
        path = "/conversations/later/messages"
        for _ in range(2):  # a retried request is one message
            got = await call(server, "POST", path, json={"text": "hello", "message_id": "m1", "wait": False})
            assert got.status_code == 202
            assert got.json() == {"conversation": "later", "message_id": "m1", "status": "accepted"}
        async with server.parts.store.watch("later") as watch:
            while not (await server.parts.store.read("later")).events:
                assert await watch.changed(20)
        events = (await call(server, "GET", "/conversations/later")).json()["events"]
        assert [e["event"] for e in events].count("UserSaid") == 1
        too_long = {"text": "x" * 5000, "wait": False}
        assert (await call(server, "POST", path, json=too_long)).status_code == 422, "refused now, not later"


async def test_a_handoff_puts_it_into_the_inbox_once(serve: Running) -> None:
    async with serve() as server:
        await server.say("hello")
        for _ in range(2):
            handed = await call(server, "POST", "/conversations/u1/handoff", json={"note": "wants an invoice"})
            assert handed.json()["mode"] == "waiting"
        assert [e["event"] for e in handed.json()["events"]].count("HandedOff") == 1
        (waiting,) = (await call(server, "GET", "/handoffs")).json()["data"]
        assert (waiting["id"], waiting["reason"]) == ("u1", "asked")


async def test_events_are_waited_for_and_come_by_offset(serve: Running) -> None:
    async with serve() as server:
        await server.say("hello")
        seen = (await call(server, "GET", "/conversations/u1/events")).json()
        nothing = (await call(server, "GET", f"/conversations/u1/events?offset={seen['next']}")).json()
        assert nothing == {"events": [], "next": seen["next"]}
        poll = asyncio.create_task(call(server, "GET", f"/conversations/u1/events?offset={seen['next']}&wait=20"))
        await asyncio.sleep(0)
        await server.say("hello")
        found = (await poll).json()
        assert found["events"][0]["offset"] == seen["next"]
        assert found["next"] == seen["next"] + len(found["events"])
        assert (await call(server, "GET", "/conversations/nobody/events")).status_code == 404


async def test_lists_come_in_pages_without_loss_or_repetition(serve: Running) -> None:
    async with serve() as server:
        for number in range(7):
            await server.say("hello", sender=f"c{number}")
        await call(server, "POST", "/conversations/c3/close")
        seen: list[str] = []
        cursor = None
        for _ in range(10):
            page = (
                await call(
                    server, "GET", "/conversations", params={"limit": 3, "cursor": cursor} if cursor else {"limit": 3}
                )
            ).json()
            seen += [one["id"] for one in page["data"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert seen == ["c3", "c6", "c5", "c4", "c2", "c1", "c0"]
        closed = (await call(server, "GET", "/conversations?mode=closed")).json()["data"]
        assert [one["id"] for one in closed] == ["c3"]
        wrong = await call(server, "GET", "/conversations?cursor=nonsense")
        assert (wrong.status_code, "none of ours" in wrong.json()["detail"]) == (422, True)


async def test_a_wrong_field_is_named_by_a_pointer(serve: Running) -> None:
    async with serve() as server:
        answer = await call(server, "POST", "/conversations/u1/messages", json={"text": "hi", "txt": 1})
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["pointer"] == "#/txt"


async def test_the_same_idempotency_key_and_body_get_the_same_answer_once(serve: Running) -> None:
    async with serve() as server:
        once = {"Idempotency-Key": "k1"}
        first = await call(server, "POST", "/conversations", json={"metadata": {"n": 1}}, headers=once)
        again = await call(server, "POST", "/conversations", json={"metadata": {"n": 1}}, headers=once)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert again.headers["location"] == first.headers["location"]
        assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
        assert len((await call(server, "GET", "/conversations")).json()["data"]) == 1

        other = await call(server, "POST", "/conversations", json={"metadata": {"n": 2}}, headers=once)
        assert (other.status_code, "another body" in other.json()["detail"]) == (409, True)
        elsewhere = await call(server, "POST", "/archive/runs", headers=once)
        assert elsewhere.status_code == 202, "a key is one of its route"


async def test_a_refused_request_may_be_mended_and_sent_with_the_same_key(serve: Running) -> None:
    async with serve() as server:
        once = {"Idempotency-Key": "k1"}
        assert (await call(server, "POST", "/conversations", json={"id": ""}, headers=once)).status_code == 422
        assert (await call(server, "POST", "/conversations", json={"id": "x"}, headers=once)).status_code == 201


async def test_two_at_once_with_one_key_happen_once(serve: Running) -> None:
    async with serve() as server:
        once = {"Idempotency-Key": "k1"}
        body = {"name": "two at once", "scopes": ["*"]}
        answers = await asyncio.gather(*(call(server, "POST", "/keys", json=body, headers=once) for _ in range(4)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len((await call(server, "GET", "/keys")).json()["data"]) == 1


async def test_a_key_opens_its_scopes_only_and_is_kept_as_a_hash(serve: Running) -> None:
    async with serve() as server:
        made = (await call(server, "POST", "/keys", json={"name": "shop", "scopes": ["conversations:write"]})).json()
        key = {"Authorization": f"Bearer {made['key']}"}
        assert (await call(server, "GET", "/conversations", headers=key)).status_code == 200, "to write is to read"
        refused = await call(server, "GET", "/bundles", headers=key)
        assert (refused.status_code, "bundles:read" in refused.json()["detail"]) == (403, True)
        listed = (await call(server, "GET", "/keys")).text
        kept = server.parts.settings.database.removeprefix("sqlite:///")
        secret = made["key"].rsplit("_", 1)[-1]
        assert secret not in listed
        with open(kept, "rb") as file:  # noqa: ASYNC230
            assert made["key"].split("_", 2)[2].encode() not in file.read()


async def test_a_key_cannot_hand_on_what_it_may_not_do(serve: Running) -> None:
    async with serve() as server:
        made = (await call(server, "POST", "/keys", json={"name": "hr", "scopes": ["keys:write"]})).json()
        key = {"Authorization": f"Bearer {made['key']}"}
        more = await call(server, "POST", "/keys", json={"name": "x", "scopes": ["bundles:write"]}, headers=key)
        assert more.status_code == 403
        unknown = await call(server, "POST", "/keys", json={"name": "x", "scopes": ["bundle:write"]})
        assert (unknown.status_code, "bundles:write" in unknown.json()["detail"]) == (422, True)


async def test_a_rotated_key_stays_good_for_its_grace_and_a_revoked_one_for_nothing(serve: Running) -> None:
    async with serve() as server:
        keys = ApiKeys(server.parts.records)
        key, old = keys.create("shop", ["conversations:read"])
        _, new = keys.rotate(key.id, grace_s=60)
        for shown in (old, new):
            assert keys.get(key.id).opens(shown.split("_", 2)[2])
        _, newest = keys.rotate(key.id, grace_s=0)
        assert [keys.get(key.id).opens(shown.split("_", 2)[2]) for shown in (old, new, newest)] == [False, False, True]
        assert (await call(server, "DELETE", f"/keys/{key.id}")).status_code == 204
        found = keys.find(key.id)
        assert found is not None
        assert not found.opens(newest.split("_", 2)[2])
        gone = {"Authorization": f"Bearer {newest}"}
        assert (await call(server, "GET", "/conversations", headers=gone)).status_code == 401


async def test_a_key_beyond_its_rate_waits(serve: Running, settings: Any) -> None:
    (settings.config_dir / "deskhand.yml").write_text("rates: {key: 2/minute}\n")
    async with serve() as server:
        answers = [await call(server, "GET", "/conversations") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) >= 1


async def test_bundles_are_listed_shown_and_rolled_back(serve: Running) -> None:
    async with serve() as server:
        bundles = (await call(server, "GET", "/bundles")).json()["data"]
        assert [one["id"] for one in bundles] == sorted((one["id"] for one in bundles), reverse=True)
        (bundle,) = [one for one in bundles if one["in_service"]]
        assert bundle["problem"] is None
        shown = (await call(server, "GET", f"/bundles/{bundle['id']}")).json()
        assert shown["report"].startswith("# ")
        assert (await call(server, "POST", "/bundles/rollback")).status_code == 404, "there was none before"
        queued = await call(server, "POST", f"/bundles/{bundle['id']}/promote")
        assert (queued.status_code, queued.json()["kind"]) == (202, "promote")
        assert (await call(server, "POST", "/bundles/none/promote")).status_code == 404
        reason = await call(server, "POST", f"/bundles/{bundle['id']}/promote", json={"force": True})
        assert (reason.status_code, "reason" in reason.json()["detail"]) == (422, True)


async def test_articles_are_listed_and_searched(serve: Running, settings: Any) -> None:
    async with serve() as server:
        shipping = "/knowledge/articles/shipping/abroad"
        assert (await call(server, "GET", "/knowledge/articles")).json()["data"] == []
        body = {"markdown": "# Shipping\n\nWe ship to all of Europe for 12 euro.\n"}
        assert (await call(server, "PUT", shipping, json=body)).json()["title"] == "Shipping"
        await server.parts.engines.refresh()
        (article,) = (await call(server, "GET", "/knowledge/articles")).json()["data"]
        assert (article["id"], article["title"]) == ("shipping/abroad", "Shipping")
        found = (await call(server, "GET", "/knowledge/search", params={"q": "do you ship to norway"})).json()
        assert found[0]["text"].startswith("We ship")
        assert (await call(server, "DELETE", shipping)).status_code == 204
        assert (await call(server, "DELETE", shipping)).status_code == 404
        for outside in ("../rules", "a/../../rules", "Shipping", "a//b"):
            assert (await call(server, "PUT", f"/knowledge/articles/{outside}", json=body)).status_code in (404, 422)
        assert (settings.config_dir / "rules.yml").read_text() != body["markdown"]


async def test_the_schema_has_an_example_for_every_body_and_problems_as_they_are(serve: Running) -> None:
    async with serve() as server:
        schema = (await server.client.get("/openapi.json")).json()
        models = schema["components"]["schemas"]
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                if not path.startswith(V1):
                    continue
                assert operation.get("description"), f"{method} {path} says nothing"
                assert "application/problem+json" in json.dumps(operation["responses"]["422"])
                body = json.dumps(operation.get("requestBody", {}))
                for name in models:
                    if f'schemas/{name}"' in body:
                        assert models[name].get("examples"), f"{name} has no example"
        assert "HTTPValidationError" not in json.dumps(schema)


async def test_every_answer_in_the_schema_has_an_example_that_fits_it(serve: Running) -> None:
    async with serve() as server:
        schema = (await server.client.get("/openapi.json")).json()
        assert add_examples(schema) == []
        shown = 0
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                for status, response in operation["responses"].items():
                    content = response.get("content", {}).get("application/json")
                    if status.startswith("2") and content:
                        whole = {**content["schema"], "components": schema["components"]}
                        wrong = list(Draft202012Validator(whole).iter_errors(content["example"]))
                        assert not wrong, f"{method} {path}: {wrong[0].message}"
                        shown += 1
        assert shown > 60


async def test_a_decision_is_explained_by_requests_words_and_what_would_have_changed_it(serve: Running) -> None:
    async with serve() as server:
        why = (await call(server, "GET", "/explain", params={"q": RETURNS[0]})).json()
        first = why["candidates"][0]
        assert (first["text"], why["bundle"]) == (RETURNS[1], server.parts.engines.id)
        assert first["requests"][0]["text"] == RETURNS[0]
        assert why["sent"] is (first["p_correct"] >= why["threshold"])
        assert [RETURNS[0][word["start"] : word["end"]] for word in why["words"]] == RETURNS[0].split()
        assert max(word["effect"] for word in why["words"]) > 0
        assert all(change["answer"] != first["answer"] or change["sent"] != why["sent"] for change in why["changes"])
        assert (await call(server, "GET", "/explain", params={"q": " "})).status_code == 422
        assert (await server.client.get(f"{V1}/explain?q=hi")).status_code == 401
        assert (await server.parts.store.read("u1")).version == 0, "nothing is stored"


async def test_what_was_accepted_and_fails_in_an_unforeseen_way_is_put_aside(serve: Running) -> None:
    async with serve() as server:
        redis = server.parts.store.client
        await redis.xadd(accepted.STREAM, {"message": '{"no": "message of ours"}'})
        path = "/conversations/later/messages"
        assert (await call(server, "POST", path, json={"text": "hello", "wait": False})).status_code == 202
        async with server.parts.store.watch("later") as watch:
            while not (await server.parts.store.read("later")).events:
                assert await watch.changed(20), "it holds up no other message"
        inbound = server.parts.inbound
        for _ in range(500):  # the other message is handled before it is acknowledged
            waiting = await redis.xpending_range(accepted.STREAM, accepted.GROUP, "-", "+", 10)
            if len(waiting) == 1:
                break
            await asyncio.sleep(0.01)
        (pending,) = waiting
        entry = (pending["message_id"], {"message": '{"no": "message of ours"}'})
        for _ in range(accepted.TRIES - 1):  # as when a minute has passed each time
            await inbound._handle([entry])
        ((_, kept),) = await redis.xrange(accepted.FAILED)
        assert "unexpected keyword argument 'no'" in kept["error"]
        assert await redis.xlen(accepted.STREAM) == 0
        assert await server.metric('deskhand_errors_total{part="accepted"}') == accepted.TRIES
