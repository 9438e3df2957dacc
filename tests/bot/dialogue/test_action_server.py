"""The client of the action server: against a real rasa-sdk server, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.action_server import ActionFailed, ActionRefused, ActionServer
from bot.breaker import Breaker
from bot.conversation import Conversation, fold
from bot.domain import Domain
from bot.events import BotSaid, Event, FollowupSet, ReminderSet, SessionStarted, SlotSet, SlotsReset, UserSaid
from bot.tracker import to_rasa
from retrieval.errors import BadInput


def call(url: str, name: str, conversation: Conversation, domain: Domain, **options: Any) -> list[Event]:
    async def once() -> list[Event]:
        async with ActionServer(url, **options) as server:
            return await server.call(name, conversation, domain)

    return asyncio.run(once())


@pytest.fixture
def conversation() -> Conversation:
    entities = ({"entity": "order_number", "value": "AB-1001", "start": 0, "end": 7},)
    said = UserSaid(text="AB-1001?", message_id="1", intent="echo", confidence=0.9, entities=entities, channel="widget")
    return fold("c7", [SessionStarted(), said, SlotSet(name="order_number", value="AB-1001")])


def test_an_action_says_and_does_what_it_returns(sdk: str, shop: Domain, conversation: Conversation) -> None:
    events = call(sdk, "action_everything", conversation, shop)
    kinds = [type(event) for event in events]
    assert kinds == [SlotSet, SlotsReset, BotSaid, ReminderSet, FollowupSet]
    assert isinstance(events[3], ReminderSet)
    assert events[3].due == "2030-01-01T00:00:00+00:00"


def test_every_event_that_the_sdk_can_return_is_understood(sdk: str, shop: Domain, conversation: Conversation) -> None:
    found = call(sdk, "action_every_event", conversation, shop)
    assert [type(event).__name__ for event in found] == [
        "SlotSet", "SlotsReset", "LoopChanged", "LoopChanged", "Paused", "Resumed", "BotSaid", "Noted", "Noted",
        "ReminderSet", "ReminderCancelled", "ActionRan", "Undone", "ActionRejected", "FollowupSet", "UserSaid",
        "Rewound", "SessionStarted", "Restarted",
    ]  # fmt: skip
    sent = [one for event in found for one in to_rasa(event) if one["event"] in ("agent", "export")]
    assert [(one["event"], one.get("text")) for one in sent] == [("agent", "I looked into it"), ("export", None)]
    assert conversation.apply(*found).slots == {}


def test_an_action_sees_the_tracker_as_rasa_would_send_it(sdk: str, shop: Domain, conversation: Conversation) -> None:
    said = call(sdk, "action_echo", conversation, shop)[0]
    assert isinstance(said, BotSaid)
    assert said.custom == {
        "kinds": ["action", "session_started", "action", "user", "slot"],
        "sender": "c7",
        "entity": "AB-1001",
        "intent": "echo",
        "channel": "widget",
        "forms": ["callback_form", "order_status_form", "return_form", "survey_form"],
    }


def test_messages_come_before_what_was_done(sdk: str, shop: Domain, conversation: Conversation) -> None:
    events = call(sdk, "action_start_return", conversation, shop)
    assert [type(event) for event in events] == [BotSaid, SlotSet, SlotSet]
    assert isinstance(events[0], BotSaid)
    assert events[0].text == "Your return of AB-1001 is on its way, reason: None."
    assert events[0].source == "action"


def test_an_action_that_refuses_is_told_from_one_that_fails(sdk: str, shop: Domain, conversation: Conversation) -> None:
    with pytest.raises(ActionRefused):
        call(sdk, "action_refuse", conversation, shop)
    with pytest.raises(ActionFailed, match="the shop is on fire"):
        call(sdk, "action_crash", conversation, shop)


def test_an_unknown_action_is_named_with_its_cure(sdk: str, shop: Domain, conversation: Conversation) -> None:
    with pytest.raises(ActionFailed, match=r"no action 'action_missing'; register it"):
        call(sdk, "action_missing", conversation, shop)


def test_a_slow_action_is_given_up_after_the_timeout(sdk: str, shop: Domain, conversation: Conversation) -> None:
    start = time.perf_counter()
    with pytest.raises(ActionFailed, match=r"took longer than 0\.3 s"):
        call(sdk, "action_slow", conversation, shop, timeout=0.3)
    assert time.perf_counter() - start < 1.5


def test_a_server_that_is_down_is_said_to_be_down(shop: Domain, conversation: Conversation) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ActionFailed, match="cannot be reached"):
        call(url, "action_echo", conversation, shop)


def test_health_and_names_of_a_real_server(sdk: str) -> None:
    async def ask() -> tuple[bool, list[str]]:
        async with ActionServer(sdk) as server:
            return await server.healthy(), await server.names()

    healthy, names = asyncio.run(ask())
    assert healthy
    assert {"action_echo", "validate_return_form"} <= set(names)


@pytest.mark.parametrize("url", ["localhost:5055", "ftp://host/webhook", "nonsense"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="write http://HOST:PORT/webhook"):
        ActionServer(url)


class Odd(BaseHTTPRequestHandler):
    """A server that answers with the next of `answers`, (status, body), and keeps what it was sent."""

    answers: list[tuple[int, bytes]]
    keys: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers["Idempotency-Key"])
        status, body = self.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def odd() -> Iterator[Any]:
    """`odd(answers...)` -> (url, the idempotency keys seen)."""
    servers = []

    def start(*answers: tuple[int, bytes]) -> tuple[str, list[str]]:
        handler = type("Handler", (Odd,), {"answers": list(answers), "keys": []})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/webhook", handler.keys

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>hello</html>", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1, 2]", "answered list"),
        (b'{"events": 5}', "no lists of objects"),
        (b'{"events": [7]}', "no lists of objects"),
        (b'{"events": [{"event": "teleport"}]}', "unknown event 'teleport'"),
        (b'{"events": [{"event": "slot"}]}', "event 'slot' does not fit"),
        (b'{"events": [{"event": "reminder", "intent": "x", "date_time": "soon"}]}', "'soon', which is no ISO 8601"),
        (b'{"responses": [{"response": "utter_nothing"}]}', "'utter_nothing' is not in the domain"),
        (b'{"responses": [{"text": "x", "buttons": "many"}]}', "buttons must be a list"),
        (b'{"x": "' + b"a" * 3_000_000 + b'"}', "answered more than 2,000,000 bytes"),
    ],
)
def test_nonsense_is_refused_with_what_was_wrong(
    body: bytes, message: str, odd: Any, shop: Domain, conversation: Conversation
) -> None:
    url, _ = odd((200, body))
    with pytest.raises(ActionFailed, match=message):
        call(url, "action_echo", conversation, shop)


def test_an_empty_answer_does_nothing(odd: Any, shop: Domain, conversation: Conversation) -> None:
    assert call(odd((200, b"{}"))[0], "action_echo", conversation, shop) == []


def test_a_call_turned_away_by_a_proxy_is_made_again_under_the_same_key(
    odd: Any, shop: Domain, conversation: Conversation
) -> None:
    done = json.dumps({"events": [{"event": "slot", "name": "reason", "value": "late"}]}).encode()
    url, keys = odd((503, b"busy"), (200, done))
    events = call(url, "action_echo", conversation, shop)
    assert [event.value for event in events if isinstance(event, SlotSet)] == ["late"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_server_that_keeps_failing_is_left_alone_for_a_while(
    odd: Any, shop: Domain, conversation: Conversation
) -> None:
    url, keys = odd((503, b"busy"), (503, b"busy"), (503, b"busy"), (200, b"{}"), (200, b"{}"))

    async def test() -> None:
        async with ActionServer(url, retries=0, breaker_failures=3, breaker_pause=0.2) as server:
            for _ in range(3):
                with pytest.raises(ActionFailed, match="HTTP 503"):
                    await server.call("action_echo", conversation, shop)
            with pytest.raises(ActionFailed, match=r"keeps failing; the next attempt is in"):
                await server.call("action_echo", conversation, shop)
            assert len(keys) == 3, "nobody was asked"
            await asyncio.sleep(0.25)
            assert await server.call("action_echo", conversation, shop) == []
            assert await server.call("action_echo", conversation, shop) == []

    asyncio.run(test())


def test_a_breaker_lets_one_call_try_after_the_pause_and_opens_again_when_it_fails() -> None:
    now = [0.0]
    breaker = Breaker(failures=2, pause_s=30, clock=lambda: now[0])
    breaker.failed()
    assert breaker.opens_in() == 0
    breaker.failed()
    assert breaker.opens_in() == 30
    now[0] = 31
    assert breaker.opens_in() == 0
    assert breaker.opens_in() == 30, "the others wait for what becomes of it"
    breaker.failed()
    now[0] = 50
    assert breaker.opens_in() == 11
    now[0] = 62
    assert breaker.opens_in() == 0
    breaker.succeeded()
    assert breaker.opens_in() == 0


def test_a_server_of_rasa_3_6_works_unmodified(old_sdk: str, shop: Domain, conversation: Conversation) -> None:
    said = call(old_sdk, "action_echo", conversation, shop)[0]
    assert isinstance(said, BotSaid)
    assert said.custom["entity"] == "AB-1001"
    assert said.custom["forms"] == ["callback_form", "order_status_form", "return_form", "survey_form"]
    assert [type(e) for e in call(old_sdk, "action_start_return", conversation, shop)] == [BotSaid, SlotSet, SlotSet]
    assert call(old_sdk, "action_everything", conversation, shop)
    with pytest.raises(ActionRefused):
        call(old_sdk, "action_refuse", conversation, shop)
    with pytest.raises(ActionFailed, match="no action 'action_missing'"):
        call(old_sdk, "action_missing", conversation, shop)


@pytest.mark.parametrize("server", ["sdk", "old_sdk"])
def test_compressed_bodies_are_understood(
    server: str, shop: Domain, conversation: Conversation, request: pytest.FixtureRequest
) -> None:
    said = call(request.getfixturevalue(server), "action_echo", conversation, shop, compress=True)[0]
    assert isinstance(said, BotSaid)
    assert said.custom["sender"] == "c7"


def test_the_domain_is_sent_when_the_server_asks_for_it(sdk: str, shop: Domain, conversation: Conversation) -> None:
    async def test() -> list[int]:
        sizes: list[int] = []
        async with ActionServer(sdk, digest=True) as server:
            server._client.event_hooks["request"].append(_count(sizes))
            for _ in range(2):
                (said,) = await server.call("action_echo", conversation, shop)
                assert isinstance(said, BotSaid)
                assert said.custom["forms"] == ["callback_form", "order_status_form", "return_form", "survey_form"]
        return sizes

    small, whole, again = asyncio.run(test())
    assert small == again < whole, "asked once (449), then the digest is enough"


def _count(sizes: list[int]) -> Any:
    async def hook(request: Any) -> None:
        sizes.append(int(request.headers["content-length"]))

    return hook


def test_a_crash_is_not_tried_again(odd: Any, shop: Domain, conversation: Conversation) -> None:
    url, keys = odd((500, b'{"error": "boom"}'))
    with pytest.raises(ActionFailed, match="HTTP 500: boom"):
        call(url, "action_echo", conversation, shop)
    assert len(keys) == 1
