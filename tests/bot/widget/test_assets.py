from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from bot.widget import assets
from retrieval.errors import NotFound

FILES = sorted(assets.HERE.glob("*.js"))
BUDGET = 20_000


@pytest.fixture
def browser() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(assets.router())

    @app.exception_handler(NotFound)
    def not_found(request: Request, error: NotFound) -> PlainTextResponse:
        return PlainTextResponse(str(error), error.status)

    with TestClient(app) as client:
        yield client


def modules(loader: str) -> str:
    version = re.search(r'version = "(\w+)"', loader)
    assert version
    return f"/widget/assets/{version[1]}"


def test_the_whole_widget_fits_into_its_budget() -> None:
    sizes = {file.name: len(gzip.compress(file.read_bytes(), 9)) for file in FILES}
    assert sum(sizes.values()) <= BUDGET, sizes


def test_nothing_in_the_widget_parses_markup_or_text_as_code() -> None:
    banned = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.cssText|createElement\(\"style"
    )
    assert [file.name for file in FILES if banned.search(file.read_text())] == []


def test_every_string_is_used_and_every_used_string_is_there() -> None:
    source = "".join(file.read_text() for file in FILES if file.name != "strings.js")
    known = set(re.findall(r"^  (\w+):", Path(assets.HERE / "strings.js").read_text(), re.MULTILINE))
    used = set(re.findall(r'say\("(\w+)"', source)) | {
        "joined",
        "released",
        "closed",
        "helpful",
        "unhelpful",
        "waitingNotice",
    }
    assert known == used


def test_the_loader_is_kept_shortly_and_its_modules_for_good(browser: TestClient) -> None:
    loader = browser.get("/widget.js")
    assert "max-age=300" in loader.headers["cache-control"]
    module = browser.get(f"{modules(loader.text)}/element.js")
    assert module.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    assert module.headers["content-encoding"] == "gzip"
    assert module.text == (assets.HERE / "element.js").read_text()


def test_a_module_of_an_older_release_is_not_kept(browser: TestClient) -> None:
    assert (browser.get("/widget/assets/0123456789ab/element.js")).headers["cache-control"] == "no-store"


def test_an_unchanged_file_is_not_sent_again(browser: TestClient) -> None:
    tag = (browser.get("/widget.js")).headers["etag"]
    again = browser.get("/widget.js", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_browser_without_gzip_gets_the_same_file(browser: TestClient) -> None:
    plain = browser.get("/widget.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == (browser.get("/widget.js")).text


@pytest.mark.parametrize("name", ["tokens.py", "..%2f__init__.py", "nothing.js", "widget.js"])
def test_only_modules_of_the_widget_are_served(browser: TestClient, name: str) -> None:
    version = modules((browser.get("/widget.js")).text)
    assert browser.get(f"{version}/{name}").status_code == 404


def test_the_demo_page_allows_nothing_from_elsewhere(browser: TestClient) -> None:
    page = browser.get("/demo")
    policy = page.headers["content-security-policy"]
    assert policy.startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:"
    )
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    assert (browser.get("/demo.css")).headers["content-type"].startswith("text/css")
