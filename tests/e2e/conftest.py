"""A trained desk in a process of its own, and a real browser that visits its demo page."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from bot.transcript import write

sys.path.insert(0, str(Path(__file__).parent))

from shop_log import SHOP, conversations

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OPERATOR = "an operator's token for the tests"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shop_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


def deskhand(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """`deskhand WORDS` for the shop with its data in `folder`; what it prints is added to `folder`/desk.log."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DESKHAND_")}
    env |= {
        "DESKHAND_DATA_DIR": str(folder),
        "DESKHAND_CONFIG_DIR": str(SHOP),
        "DESKHAND_OPERATOR_TOKEN": OPERATOR,
        "OMP_NUM_THREADS": "1",
    }
    with (folder / "desk.log").open("ab") as log:
        command = [sys.executable, "-m", "bot.cli", *words]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)


class Desk:
    """`deskhand serve` in a process of its own; its data outlives a restart."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    operator = {"authorization": f"Bearer {OPERATOR}"}

    def start(self) -> None:
        self._process = deskhand(self.folder, "serve", "--port", str(self.port))
        deadline = time.monotonic() + 60
        while not self._answers():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)  # returns early only when the desk has died
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "desk.log").read_text())

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready").is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def as_person(self, conversation: str, action: str, **body: str) -> None:
        """join | messages | release | close, as the operators' API has it."""
        answer = httpx.post(
            f"{self.url}/api/v1/conversations/{conversation}/{action}",
            json=body,
            headers=self.operator,
        )
        assert answer.is_success, answer.text


@dataclass
class Visitor:
    """A browser tab with the demo page, and what went wrong in it."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)

    def visit(self) -> Visitor:
        self.page.goto(f"{self.url}/demo")
        return self

    def open(self) -> Visitor:
        self.visit().launcher.click()
        self.greeting.wait_for()
        self.page.locator(".root[data-live]").wait_for()
        return self

    def say(self, text: str) -> None:
        self.composer.fill(text)
        self.page.keyboard.press("Enter")

    @property
    def launcher(self) -> Locator:
        return self.page.locator(".launcher")

    @property
    def menu(self) -> Locator:
        """Opens it, too."""
        self.page.get_by_role("button", name="More").click()
        return self.page.locator(".menu")

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def composer(self) -> Locator:
        return self.page.locator(".field textarea")

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def greeting(self) -> Locator:
        return self.log.get_by_text("automated assistant").first

    def bubbles(self) -> list[str]:
        return [text.strip() for text in self.log.locator(".bubble p").all_inner_texts()]

    @property
    def outbox(self) -> list[str]:
        """What the customer said and the desk has not acknowledged."""
        found: list[str] = self.page.evaluate(
            "Object.entries(localStorage).filter(([key]) => key.startsWith('deskhand:demo:out:'))"
            ".map(([_, item]) => JSON.parse(item).text)"
        )
        return found

    @property
    def kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(self.page.evaluate("localStorage.getItem('deskhand:demo')"))
        return kept

    @property
    def conversation(self) -> str:
        return str(self.kept["conversation"])


@pytest.fixture(scope="session")
def shop_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a bot in service that learned from the conversations of `shop_log.py`."""
    folder = tmp_path_factory.mktemp("desk")
    write(folder / "transcripts" / "shop.jsonl", conversations())
    if deskhand(folder, "train", "--promote").wait(300):
        raise RuntimeError((folder / "desk.log").read_text())
    return folder


@pytest.fixture(scope="session")
def desk(shop_data: Path) -> Iterator[Desk]:
    desk = Desk(shop_data)
    desk.start()
    yield desk
    desk.stop()


@pytest.fixture(scope="module")  # not longer: while it lives, Playwright's event loop keeps other tests from having one
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def visitors(browser: Browser, desk: Desk) -> Iterator[Callable[..., Visitor]]:
    """Makes a visitor in a fresh browser profile; keywords as for `Browser.new_context`. Nobody may leave with a script
    error or a violation of the page's Content-Security-Policy."""
    contexts: list[BrowserContext] = []
    all_visitors: list[Visitor] = []

    def arrive(*, context: BrowserContext | None = None, **options: Any) -> Visitor:
        if context is None:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
            contexts.append(context)
            context.add_init_script(
                "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective))"
            )
        visitor = Visitor(context.new_page(), desk.url)
        visitor.page.set_default_timeout(10_000)
        # `expect_file_chooser` does not wait until this is on: a quick press would come first and open the browser's
        # own chooser, which nobody sees.
        visitor.page.on("filechooser", lambda _: None)
        visitor.page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        visitor.page.on("console", lambda message: _note(visitor, message.type, message.text))
        all_visitors.append(visitor)
        return visitor

    yield arrive
    errors = [error for visitor in all_visitors for error in visitor.errors]
    for context in contexts:
        context.close()
    assert errors == []


def _note(visitor: Visitor, kind: str, text: str) -> None:
    # A desk that is down or refuses is part of some tests, and the browser reports every failed request by itself.
    network = text.startswith(("Failed to load resource", "WebSocket connection to"))
    if kind in ("error", "warning") and not network:
        visitor.errors.append(text)


@pytest.fixture
def visitor(visitors: Callable[..., Visitor]) -> Visitor:
    return visitors()
