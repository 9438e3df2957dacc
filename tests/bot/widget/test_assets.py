from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from bot.widget import assets
from retrieval.errors import NotFound

FILES = sorted(assets.HERE.rglob("*.js"))
LOCALES = sorted((assets.HERE / "locales").glob("*.js"))
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
    version = re.search(r'version="(\w+)"', loader)
    assert version
    return f"/widget/assets/{version[1]}"


def test_the_whole_widget_fits_into_its_budget_in_every_language() -> None:
    """All that a browser fetches, as it goes over the wire."""
    _, loader, modules = assets.served()
    element = len(loader.packed) + len(modules["element.js"].packed)
    sizes = {path.stem: element + len(modules[f"locales/{path.name}"].packed) for path in LOCALES}
    assert len(sizes) == 6
    assert max(sizes.values()) <= BUDGET, sizes


def test_joined_modules_have_no_name_twice_and_import_nothing_but_words() -> None:
    source = assets.script().decode()
    names = re.findall(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", source, re.MULTILINE)
    assert len(names) == len(set(names))
    assert re.findall(r"^import .*", source, re.MULTILINE) == []


def test_private_names_are_shortened_and_stay_apart() -> None:
    written = "\n".join(
        assets.IMPORT.sub("", (assets.HERE / f"{name}.js").read_text("utf-8")) for name in assets.MODULES
    )
    served = re.sub(r'css="(?:[^"\\]|\\.)*"', "", assets.script().decode())  # not the colours of the style sheet
    before, after = (set(assets.PRIVATE.findall(source)) for source in (written, served))
    assert len(before) == len(after) > 80
    assert max(map(len, after)) <= 3


def test_every_module_is_served() -> None:
    assert {path.stem for path in assets.HERE.glob("*.js")} == {*assets.MODULES, "widget"}


def test_nothing_in_the_widget_parses_markup_or_text_as_code() -> None:
    banned = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.cssText|createElement\(\"style"
    )
    assert [file.name for file in FILES if banned.search(file.read_text())] == []


def words(locale: Path) -> dict[str, str]:
    return dict(re.findall(r'^  (\w+): "(.*)",$', locale.read_text("utf-8"), re.MULTILINE))


def test_every_string_is_used_and_every_used_string_is_there() -> None:
    source = "".join(file.read_text() for file in FILES if file not in LOCALES)
    known = set(words(assets.HERE / "locales" / "en.js"))
    notices = {"joined", "released"}
    assert {key for key in known if not re.search(rf'"{key}"', source)} <= notices
    assert set(re.findall(r'say\("(\w+)"', source)) <= known


@pytest.mark.parametrize("locale", LOCALES, ids=lambda path: path.stem)
def test_every_language_says_all_of_it_with_the_same_blanks(locale: Path) -> None:
    english, said = words(assets.HERE / "locales" / "en.js"), words(locale)
    assert list(said) == list(english)
    assert all(text.strip() for text in said.values())
    blanks = re.compile(r"\{\w+\}")
    for key, text in said.items():
        assert sorted(blanks.findall(text)) == sorted(blanks.findall(english[key])), key


def test_the_loader_is_kept_shortly_and_its_modules_for_good(browser: TestClient) -> None:
    loader = browser.get("/widget.js")
    assert "max-age=300" in loader.headers["cache-control"]
    module = browser.get(f"{modules(loader.text)}/element.js")
    assert module.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    assert module.headers["content-encoding"] == "gzip"
    assert module.text == assets.script().decode()
    assert "// " not in module.text  # comments are for us


def test_a_language_is_served_beside_it(browser: TestClient) -> None:
    found = browser.get(f"{modules(browser.get('/widget.js').text)}/locales/de.js")
    assert "Mit einem Menschen sprechen" in found.text
    assert "immutable" in found.headers["cache-control"]


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


@pytest.mark.parametrize("name", ["tokens.py", "..%2f__init__.py", "nothing.js", "dom.js", "locales/xx.js"])
def test_only_modules_of_the_widget_are_served(browser: TestClient, name: str) -> None:
    version = modules((browser.get("/widget.js")).text)
    assert browser.get(f"{version}/{name}").status_code == 404


def test_the_demo_page_allows_nothing_from_elsewhere(browser: TestClient) -> None:
    page = browser.get("/demo")
    policy = page.headers["content-security-policy"]
    assert policy.startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src"
    )
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    assert (browser.get("/demo.css")).headers["content-type"].startswith("text/css")
