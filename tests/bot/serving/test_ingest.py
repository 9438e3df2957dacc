"""Articles over the API: files and pages are read by a real worker, and every server finds them within seconds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from serving_desk import OPERATOR, Running, Server
from test_kill import HERE, serve_command
from test_worker import environment, work

from bot.settings import Settings

API = "/api/v1/knowledge"
FOUND_WITHIN_S = 5.0
FAQ = b"question,answer,id\nDo you ship to Norway?,We ship to all of Europe.,norway\nCan I pay by card?,,card\n"


async def call(server: Server, method: str, path: str, **more: Any) -> httpx.Response:
    return await server.client.request(method, f"{API}{path}", headers=OPERATOR, **more)


async def done(server: Server, queued: httpx.Response) -> dict[str, Any]:
    """The run after the worker did it."""
    assert queued.status_code == 202, queued.text
    await work(server.parts.settings)
    run: dict[str, Any] = (await call(server, "GET", f"/runs/{queued.json()['id']}")).json()
    return run


@pytest.mark.asyncio
async def test_an_upload_is_read_with_a_report_and_seen_with_its_passages_and_versions(serve: Running) -> None:
    async with serve() as server:
        run = await done(server, await call(server, "POST", "/files", files={"file": ("faq.csv", FAQ)}))
        assert (run["status"], run["result"]["counts"]["added"]) == ("finished", 1)
        (skipped,) = run["result"]["skipped"]
        assert (skipped["what"], skipped["why"]) == ("faq.csv: line 3", "has no answer")

        one = (await call(server, "GET", "/articles/faq/norway")).json()
        assert (one["source"], one["article"]["version"], one["earlier"]) == ("faq.csv", 1, [])
        assert [piece["text"] for piece in one["passages"]] == ["We ship to all of Europe."]
        await server.parts.engines.refresh()
        (hit,) = (await call(server, "GET", "/search", params={"q": "is delivery abroad possible"})).json()
        assert hit["article"] == "faq/norway"

        newer = FAQ.replace(b"all of Europe", b"Norway for 12 euro")
        run = await done(server, await call(server, "POST", "/files", files={"file": ("faq.csv", newer)}))
        assert run["result"]["changed"] == ["faq/norway"]
        one = (await call(server, "GET", "/articles/faq/norway")).json()
        assert one["article"]["version"] == 2
        assert [was["markdown"] for was in one["earlier"]] == ["We ship to all of Europe."]

        (source,) = (await call(server, "GET", "/sources")).json()["data"]
        assert (source["origin"], source["articles"], source["skipped_in_all"]) == ("faq.csv", 1, 1)
        assert len((await call(server, "GET", "/runs")).json()["data"]) == 2
        assert (await call(server, "DELETE", "/sources", params={"origin": "faq.csv"})).status_code == 204
        assert (await call(server, "GET", "/articles/faq/norway")).status_code == 404
        assert (await call(server, "DELETE", "/sources", params={"origin": "faq.csv"})).status_code == 404


@pytest.mark.asyncio
async def test_a_file_that_cannot_be_used_is_a_report_and_takes_nothing_away(serve: Running) -> None:
    async with serve() as server:
        await done(server, await call(server, "POST", "/files", files={"file": ("faq.csv", FAQ)}))
        run = await done(server, await call(server, "POST", "/files", files={"file": ("faq.csv", b"\xff\x00\xff")}))
        assert run["status"] == "finished"
        assert "UTF-8" in run["result"]["skipped"][0]["why"]
        assert (await call(server, "GET", "/articles/faq/norway")).status_code == 200, "it keeps what it had"
        (source,) = (await call(server, "GET", "/sources")).json()["data"]
        assert "UTF-8" in source["problem"]
        assert not list((server.parts.settings.knowledge / "incoming").iterdir()), "nothing is left lying about"


@pytest.mark.asyncio
async def test_what_is_no_article_is_refused_before_it_is_queued(serve: Running) -> None:
    async with serve() as server:
        for name, content, why in (
            ("virus.exe", b"MZ", "has to end in"),
            ("empty.md", b"", "is empty"),
            (".md", b"# x", "has to end in"),
        ):
            answer = await call(server, "POST", "/files", files={"file": (name, content)})
            assert (answer.status_code, why in answer.text) == (422, True), answer.text
        assert (await call(server, "POST", "/files", json={"file": "x"})).status_code == 422
        assert (await call(server, "POST", "/pages", json={})).status_code == 422
        assert (await call(server, "POST", "/pages", json={"urls": ["ftp://x"]})).status_code == 422
        foreign = {"Authorization": "Bearer nobody"}
        files = {"file": ("a.md", b"# A\n\ntext")}
        assert (await server.client.post(f"{API}/files", files=files, headers=foreign)).status_code == 401
        big = {"file": ("a.md", b"x" * (51 << 20))}
        assert (await call(server, "POST", "/files", files=big)).status_code == 413
        assert (await call(server, "GET", "/runs")).json()["data"] == []


@pytest.mark.asyncio
async def test_a_name_cannot_lead_out_of_the_library(serve: Running) -> None:
    async with serve() as server:
        run = await done(
            server, await call(server, "POST", "/files", files={"file": ("../../x/up.md", b"# Up\n\ntext")})
        )
        assert run["result"]["added"] == ["up"]


@pytest.mark.asyncio
async def test_articles_that_contradict_each_other_are_reported(serve: Running) -> None:
    async with serve() as server:
        for name, days, when in (("old", 30, "2025-01-01"), ("new", 60, "2026-01-01")):
            text = f"---\nupdated: {when}\n---\n# Returns\n\nYou may return unworn boots within {days} days."
            await call(server, "PUT", f"/articles/{name}", json={"markdown": text})
        (one,) = (await call(server, "GET", "/conflicts")).json()
        assert (one["newer"]["article"], one["older"]["article"], one["what"]) == ("new", "old", "60 / 30")


@pytest.mark.asyncio
async def test_pages_of_this_machine_are_skipped_with_the_reason(serve: Running) -> None:
    async with serve() as server:
        body = {"urls": ["http://127.0.0.1:9/a"], "sitemap": ""}
        run = await done(server, await call(server, "POST", "/pages", json=body))
        assert "no public address" in run["result"]["skipped"][0]["why"]


@contextmanager
def process(command: list[str], settings: Settings, until: str) -> Iterator[str]:
    """A process that has printed `until`; the last word of that line."""
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(settings), cwd=HERE.parents[2]
    )
    try:
        assert started.stdout is not None
        line = next((line for line in started.stdout if until in line), "")
        assert line, f"{command} did not come up"
        yield line.split()[-1]
    finally:
        started.terminate()
        started.communicate(timeout=30)


@pytest.mark.slow
def test_two_server_processes_find_an_upload_within_seconds(settings: Settings) -> None:
    """Upload to one of them, worker in a third process; neither server is restarted."""
    with ExitStack() as stack:
        serve = serve_command(settings, "0")
        urls = [stack.enter_context(process(serve, settings, "ready on")) for _ in range(2)]
        worker = [sys.executable, "-u", "-m", "bot.cli", "worker"]
        stack.enter_context(process(worker, settings, "The worker is up"))
        took = []
        for number in range(3):
            content = f"# Moon {number}\n\nOur trucks go to moon base {number} for {number} euro.".encode()
            files, start = {"file": (f"moon{number}.md", content)}, time.monotonic()
            httpx.post(f"{urls[number % 2]}{API}/files", files=files, headers=OPERATOR).raise_for_status()
            for url in urls:
                while not found(url, number):
                    assert time.monotonic() < start + 60
                    time.sleep(0.02)
            took.append(time.monotonic() - start)
        assert max(took[1:]) < FOUND_WITHIN_S, "the worker was still coming up for the first one"


def found(url: str, number: int) -> bool:
    hits = httpx.get(f"{url}{API}/search", params={"q": f"moon base {number}"}, headers=OPERATOR, timeout=30).json()
    return any(hit["article"] == f"moon{number}" for hit in hits)


def test_an_order_tells_how_far_it_is_and_names_at_most_so_many() -> None:
    from bot.ingesting import MOST_NAMED, told
    from retrieval.source import Report

    report = told(Report(added=tuple(map(str, range(50_000)))))
    assert (report["counts"]["added"], len(report["added"])) == (50_000, MOST_NAMED)
