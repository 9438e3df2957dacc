"""The snippets of docs/api.md, docs/webhooks.md and docs/sites.md do what the pages say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_desk import live
from serving_desk import OPERATOR, TOKEN

from bot.settings import Settings
from bot.stores.hooks import new_secret
from bot.webhooks.send import signed
from bot.widget.tokens import site_tokens

DOCS = Path(__file__).parents[3] / "docs"


def snippets(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(code, names)
    return names


@pytest.fixture
def desk(settings: Settings) -> Iterator[tuple[Settings, str]]:
    with live(settings.model_copy(update={"webhooks_private": True})) as (app, url):
        yield app.state.parts.settings, url


def shell(script: str, settings: Settings, url: str, **more: str) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DESKHAND_DATA_DIR": str(settings.data_dir),
        "DESK": url,
        "KEY": TOKEN,
        **more,
    }
    done = subprocess.run(
        ["bash", "-e"], input=script, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_call_of_the_api_page_makes_a_key_and_gets_an_answer(desk: tuple[Settings, str]) -> None:
    made, asked = snippets("api.md", "sh")[0].split("\n", 1)
    key = shell(made, *desk).strip()
    assert key.startswith("dh_")
    answer = json.loads(shell(asked, *desk, KEY=key))
    assert (answer["conversation"], answer["mode"]) == ("order-4711", answer["mode"])
    assert isinstance(answer["replies"], list)


def test_the_endpoint_of_the_webhooks_page_is_made_and_its_receiver_verifies(desk: tuple[Settings, str]) -> None:
    (sh,), (python,) = snippets("webhooks.md", "sh"), snippets("webhooks.md", "python")
    made = json.loads(shell(sh, *desk))
    assert (made["events"], made["body"]) == (["conversation.handed_off", "gap.detected"], "full")
    assert made["secret"].startswith("whsec_")
    body = '{"type":"gap.detected","timestamp":"2026-01-01T00:00:00Z","data":{}}'
    headers = signed("msg_1", body, [new_secret(), made["secret"]])
    assert run(python)["receive"](made["secret"], headers, body.encode()) == "gap.detected msg_1"


def test_the_proof_of_the_sites_page_opens_a_session_for_that_user(desk: tuple[Settings, str]) -> None:
    settings, url = desk
    (python,) = snippets("sites.md", "python")
    from bot.config import WidgetConfig

    secret = site_tokens(settings, WidgetConfig()).identity_secret("demo")
    user = {"id": "ada", "traits": {"plan": "pro"}, "hmac": run(python)["proof"](secret, "ada")}
    opened = httpx.post(f"{url}/widget/session", json={"site_key": "demo", "user": user})
    assert opened.status_code == 200, opened.text
    user["hmac"] = "0" * 64
    assert httpx.post(f"{url}/widget/session", json={"site_key": "demo", "user": user}).status_code == 401


def test_events_stream_with_their_offsets_and_go_on_after_the_last_one_seen(desk: tuple[Settings, str]) -> None:
    _, url = desk
    path = f"{url}/api/v1/conversations/s1"
    httpx.post(f"{path}/messages", json={"text": "hello"}, headers=OPERATOR, timeout=30)
    count = httpx.get(path, headers=OPERATOR).json()["version"]
    assert stream_ids(f"{path}/events", count) == list(range(count))
    assert stream_ids(f"{path}/events", count - 2, {"Last-Event-ID": "1"}) == list(range(2, count))


def stream_ids(url: str, count: int, more: dict[str, str] | None = None) -> list[int]:
    headers = {**OPERATOR, "Accept": "text/event-stream", **(more or {})}
    ids: list[int] = []
    with httpx.stream("GET", url, headers=headers, timeout=30) as answer:
        for line in answer.iter_lines():
            if line.startswith("id: "):
                ids.append(int(line[4:]))
            if len(ids) == count:
                return ids
    raise AssertionError("the stream ended")
