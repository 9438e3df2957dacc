"""A real rasa-sdk action server, spoken to over HTTP."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

DELIVERED, LATE, RETURNED, ON_ITS_WAY = "FW-104234", "FW-104235", "FW-104236", "FW-104233"


class ActionServer:
    def __init__(self, http: httpx.Client, domain: dict[str, Any]) -> None:
        self.http = http
        self.domain = domain

    def run(self, action: str, events: list[dict[str, Any]] | None = None, **slots: str | None) -> dict[str, Any]:
        tracker = {
            "sender_id": "somebody", "slots": slots, "events": events or [], "latest_message": {}, "paused": False,
            "active_loop": {"name": action.removeprefix("validate_")} if action.startswith("validate_") else {},
            "followup_action": None, "latest_event_time": None, "latest_action_name": None,
        }  # fmt: skip
        body = {
            "next_action": action,
            "sender_id": "somebody",
            "tracker": tracker,
            "domain": self.domain,
            "version": "3.1",
        }
        reply = self.http.post("/webhook", json=body)
        assert reply.status_code == 200, reply.text
        result: dict[str, Any] = reply.json()
        return result

    def says(self, action: str, **slots: str | None) -> str:
        return " ".join(response["text"] for response in self.run(action, **slots)["responses"])

    def validate(self, form: str, slot: str, value: str, **before: str | None) -> tuple[dict[str, Any], str]:
        """The slots after the form's validation of one new value, and what the customer is told."""
        event = {"event": "slot", "name": slot, "value": value}
        result = self.run(f"validate_{form}", [event], **before, **{slot: value})
        return {e["name"]: e["value"] for e in result["events"]}, " ".join(r["text"] for r in result["responses"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(f"{url}/health", timeout=1).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.1)  # a poll of another process, not a guess at how long something takes
    raise AssertionError(f"no action server after 60 s: {log.read_text()}")


@pytest.fixture(scope="module")
def server(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActionServer]:
    home = tmp_path_factory.mktemp("shop")
    url, log = f"http://127.0.0.1:{(port := free_port())}", home / "log"
    environment = {**os.environ, "DESKHAND_SHOP_DB": str(home / "shop.sqlite"), "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "rasa_sdk", "--actions", "actions", "--port", str(port)],
            cwd=demo, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_up(url, process, log)
        with httpx.Client(base_url=url, timeout=20) as http:
            yield ActionServer(http, yaml.safe_load((demo / "domain.yml").read_text("utf-8")))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def test_the_status_of_an_order_is_looked_up(server: ActionServer) -> None:
    result = server.run("action_order_status", order_number=ON_ITS_WAY)

    assert "with the courier" in result["responses"][0]["text"]
    assert [(e["name"], e["value"]) for e in result["events"]] == [("order_number", None)]


@pytest.mark.parametrize("written", ["FW-104233", "fw104233", "it is fw 104233 i think", "104233", "FW_104233."])
def test_an_order_number_is_understood_however_it_is_written(server: ActionServer, written: str) -> None:
    slots, told = server.validate("order_status_form", "order_number", written)

    assert slots["order_number"] == ON_ITS_WAY
    assert told == ""


@pytest.mark.parametrize("written", ["I don't have it", "12345", "1234567", "FW-100000 or FW-100001", ""])
def test_what_is_no_order_number_gets_a_polite_reply_and_the_question_stays_open(
    server: ActionServer, written: str
) -> None:
    slots, told = server.validate("order_status_form", "order_number", written)

    assert slots["order_number"] is None
    assert "for example FW-104233" in told


def test_an_unknown_order_number_is_named_in_the_reply(server: ActionServer) -> None:
    slots, told = server.validate("return_form", "order_number", "FW-999999")

    assert slots["order_number"] is None
    assert "FW-999999" in told
    assert "FW-999999" in server.says("action_order_status", order_number="FW-999999")


def test_an_action_without_its_slots_still_answers_politely(server: ActionServer) -> None:
    assert "order number" in server.says("action_order_status")
    assert "order number" in server.says("action_start_return")


@pytest.mark.parametrize(
    ("number", "why"), [(RETURNED, "already has a return"), (LATE, "60 days"), (ON_ITS_WAY, "not been delivered yet")]
)
def test_an_order_that_cannot_be_returned_ends_the_form_and_says_why(
    server: ActionServer, number: str, why: str
) -> None:
    slots, _ = server.validate("return_form", "order_number", number)

    assert slots == {"order_number": number, "requested_slot": None}
    assert why in server.says("action_start_return", order_number=number)


@pytest.mark.parametrize(
    ("said", "reason"),
    [("Too small", "too_small"), ("they are far too tight", "too_small"), ("the zip is broken", "faulty"),
     ("it looks different than in the picture", "not_as_described"), ("because", "other")],
)  # fmt: skip
def test_the_reason_is_read_from_the_customers_words(server: ActionServer, said: str, reason: str) -> None:
    slots, _ = server.validate("return_form", "return_reason", said, order_number=DELIVERED)

    assert slots["return_reason"] == reason


def test_a_faulty_item_is_not_asked_whether_it_was_worn(server: ActionServer) -> None:
    slots, _ = server.validate("return_form", "return_reason", "Faulty", order_number=DELIVERED)

    assert slots["requested_slot"] is None


@pytest.mark.parametrize(
    ("said", "condition"), [("Unused", "unused"), ("no, never", "unused"), ("yes, once", "used"), ("hm what", None)]
)
def test_the_condition_is_read_from_the_customers_words(server: ActionServer, said: str, condition: str | None) -> None:
    before = {"order_number": DELIVERED, "return_reason": "too_big"}

    slots, told = server.validate("return_form", "return_condition", said, **before)

    assert slots["return_condition"] == condition
    assert bool(told) == (condition is None)


def test_an_item_that_was_used_is_refused_and_no_return_is_started(server: ActionServer) -> None:
    said = server.says(
        "action_start_return", order_number=DELIVERED, return_reason="changed_mind", return_condition="used"
    )

    assert "cannot be returned unless" in said
    assert "was delivered" in server.says("action_order_status", order_number=DELIVERED)


def test_of_many_returns_of_one_order_at_once_one_is_started(server: ActionServer) -> None:
    slots = {"order_number": DELIVERED, "return_reason": "too_small", "return_condition": "unused"}

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: server.says("action_start_return", **slots), range(8)))

    assert len([text for text in said if "has been started" in text]) == 1
    assert len([text for text in said if "already has a return" in text]) == 7
    assert re.search(r"returned under RT-104234", server.says("action_order_status", order_number=DELIVERED))
