"""The widget on somebody else's pages: what a page can call, and what a page may do to it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from bot.widget.tokens import Tokens

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk, Visitor

ROOT = Path(__file__).parents[2]
SNIPPETS = re.findall(r"```html\n(.*?)```", (ROOT / "docs" / "widget.md").read_text("utf-8"), re.DOTALL)
STRICT = "default-src 'none'; script-src {desk}; connect-src {desk} {ws}; img-src {desk}"
RESET = """*, *::before, *::after { all: unset !important; }
  * { display: block !important; font: 40px/3 serif !important;
  color: red !important; margin: 40px !important; letter-spacing: 9px !important; direction: rtl !important;
  animation: none; position: static !important; } button { background: lime !important; }"""


class Shop(ThreadingHTTPServer):
    """A web server of somebody else's: another origin than the desk's. `pages` is path -> (type, body, policy)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ShopPage)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.pages: dict[str, tuple[str, str, str]] = {}


class ShopPage(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        kind, body, policy = self.server.pages.get(self.path, ("text/plain", "", ""))
        self.send_response(200 if body else 204)
        self.send_header("content-type", f"{kind}; charset=utf-8")
        if policy:
            self.send_header("content-security-policy", policy)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def page_with(visitor: Visitor, shop: Shop) -> Callable[..., Visitor]:
    """A page of the shop with this body."""

    def serve(body: str, *, head: str = "", policy: str = "", files: dict[str, str] | None = None) -> Visitor:
        html = f"<!doctype html><html lang=en><title>Shop</title>{head}<body>{body}</body></html>"
        shop.pages = {f"/{name}": ("text/javascript", text, "") for name, text in (files or {}).items()}
        shop.pages["/"] = ("text/html", html, policy)
        visitor.page.goto(shop.url)
        return visitor

    return serve


def tag(desk: Desk, more: str = 'data-site-key="demo"') -> str:
    return f'<script async src="{desk.url}/widget.js" {more}></script>'


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["script", "element", "calls"])
def test_the_snippets_of_the_docs_work_as_they_are(page_with: Callable[..., Visitor], desk: Desk, snippet: str) -> None:
    visitor = page_with(snippet.replace("https://desk.example", desk.url))
    visitor.launcher.click()
    visitor.say("how long is the guarantee")
    expect(visitor.log.get_by_text("ten years")).to_be_visible()
    assert visitor.page.title() == ("Chatting" if "Chatting" in snippet else "Shop")


def test_a_strict_policy_of_the_page_is_kept(page_with: Callable[..., Visitor], desk: Desk) -> None:
    policy = STRICT.format(desk=desk.url, ws=desk.url.replace("http", "ws"))
    visitor = page_with(tag(desk), policy=policy)  # a violation would fail the test, see `visitors`
    visitor.launcher.click()
    visitor.say("how long is the guarantee")
    expect(visitor.log.get_by_text("ten years")).to_be_visible()
    assert visitor.page.evaluate("getComputedStyle(document.querySelector('deskhand-chat')).display") == "inline"
    box = visitor.panel.bounding_box()
    assert box is not None
    assert box["width"] > 300


def test_an_aggressive_reset_of_the_page_changes_nothing(page_with: Callable[..., Visitor], desk: Desk) -> None:
    looks = """panel => [...panel.querySelectorAll("*"), panel].map(node => {
        const s = getComputedStyle(node), box = node.getBoundingClientRect();
        return [node.className.toString?.(), s.color, s.fontSize, s.lineHeight, s.display, s.direction,
                s.letterSpacing, s.margin, Math.round(box.width), Math.round(box.height)].join();
    })"""
    pictures = []
    for head in ("", f"<style>{RESET}</style>"):
        visitor = page_with(tag(desk), head=head)
        visitor.launcher.wait_for()
        visitor.page.evaluate("Deskhand.show()")
        visitor.page.locator(".root[data-live]").wait_for()
        # The opening animation scales the boxes.
        visitor.panel.evaluate("panel => Promise.allSettled(panel.getAnimations({subtree: true}).map(a => a.finished))")
        pictures.append(visitor.panel.evaluate(looks))
    assert pictures[0] == pictures[1]


def test_shortcuts_of_the_page_do_not_hear_what_is_written(page_with: Callable[..., Visitor], desk: Desk) -> None:
    script = (
        "<script>heard = ''; for (const n of ['keydown', 'keypress', 'keyup']) addEventListener(n, e => heard += e.key)"
    )
    visitor = page_with(f"{script}</script>{tag(desk)}")
    visitor.launcher.click()
    visitor.page.locator(".root[data-live]").wait_for()
    visitor.page.keyboard.type("/search")
    expect(visitor.composer).to_have_value("/search")
    assert visitor.page.evaluate("heard") == ""


def test_calls_before_the_script_are_answered_in_their_order(page_with: Callable[..., Visitor], desk: Desk) -> None:
    early = """<script>
      window.Deskhand ||= (...call) => (Deskhand.q ||= []).push(call);
      seen = [];
      for (const name of ['ready', 'opened', 'closed', 'messageSent', 'messageReceived', 'unread'])
        Deskhand('on', name, detail => { seen.push([name, detail]); });
      Deskhand('setAttributes', {plan: 'pro'});
      Deskhand('show');
      Deskhand('sendMessage', 'how long is the guarantee');
    </script>"""
    visitor = page_with(f"{early}{tag(desk)}")
    visitor.log.get_by_text("ten years").wait_for()
    visitor.page.evaluate("Deskhand.hide()")
    expect(visitor.panel).to_be_hidden()
    seen = visitor.page.evaluate("seen")
    assert [name for name, _ in seen] == ["ready", "opened", "messageSent", "messageReceived", "closed"]
    assert seen[3][1]["text"] == "Everything we make is guaranteed for ten years."
    visitor.page.evaluate("Deskhand.toggle()")
    expect(visitor.panel).to_be_visible()


def test_a_handler_can_be_taken_away_and_the_element_tells_the_same(
    page_with: Callable[..., Visitor], desk: Desk
) -> None:
    visitor = page_with(tag(desk))
    visitor.launcher.wait_for()
    opened = visitor.page.evaluate(
        """async () => {
            let calls = 0, events = 0;
            const off = Deskhand.on("opened", () => calls++);
            document.body.addEventListener("deskhand:opened", () => events++);
            await Deskhand.show(); await Deskhand.hide();
            off();
            await Deskhand.show();
            return [calls, events];
        }"""
    )
    assert opened == [1, 2]


def test_booting_twice_is_harmless_and_update_changes_what_is_named(
    page_with: Callable[..., Visitor], desk: Desk
) -> None:
    visitor = page_with(f"{tag(desk, '')}{tag(desk, '')}")
    visitor.page.wait_for_function("window.Deskhand?.version")
    visitor.page.evaluate("Deskhand.boot({siteKey: 'demo', theme: 'dark'}); Deskhand.boot({siteKey: 'demo'})")
    visitor.launcher.wait_for()
    assert visitor.page.locator("deskhand-chat").count() == 1
    expect(visitor.page.locator(".root")).to_have_attribute("data-theme", "dark")
    visitor.page.evaluate("Deskhand.update({theme: 'light', position: 'left', strings: {open: 'Ask us'}})")
    expect(visitor.page.get_by_role("button", name="Ask us")).to_be_visible()
    expect(visitor.page.locator(".root")).to_have_attribute("data-theme", "light")
    expect(visitor.page.locator(".root")).to_have_attribute("data-position", "left")
    visitor.page.evaluate("Deskhand.setLocale('ar')")
    expect(visitor.page.locator(".root")).to_have_attribute("dir", "rtl")


def test_setting_a_language_keeps_the_conversation_and_what_is_being_written(visitor: Visitor) -> None:
    visitor.open().say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    before = visitor.bubbles()[1:]
    visitor.composer.fill("half a thought")
    visitor.page.evaluate("Deskhand.setLocale('fr')")
    expect(visitor.page.get_by_role("button", name="Parler à une personne")).to_be_visible()
    expect(visitor.composer).to_have_value("half a thought")
    assert visitor.bubbles()[1:] == before


def proof(desk: Desk, user: str) -> str:
    secret = (desk.folder / "widget-secret").read_text().strip()
    return Tokens(secret, minutes=1).proof("demo", user)


def test_a_known_user_finds_the_conversation_on_every_device_and_a_forged_one_does_not(
    visitors: Callable[..., Visitor], desk: Desk
) -> None:
    user = "user-17"
    call = f"Deskhand.setUser('{user}', {{plan: 'pro'}}, '{proof(desk, user)}')"
    laptop, phone, thief = visitors().open(), visitors().open(), visitors().open()
    laptop.page.evaluate(call)
    laptop.page.wait_for_function(
        "document.querySelector('deskhand-chat').shadowRoot.querySelector('.root[data-live]')"
    )
    laptop.say("how long is the guarantee")
    laptop.log.get_by_text("ten years").wait_for()
    phone.page.evaluate(call)
    expect(phone.log.get_by_text("ten years")).to_be_visible()
    assert phone.conversation == laptop.conversation
    refusal = thief.page.evaluate(
        f"new Promise(told => {{ Deskhand.on('error', told); Deskhand.setUser('{user}', {{}}, '{'0' * 64}'); }})"
    )
    assert "the hmac does not fit" in refusal["reason"]
    thief.say("how do I return something")
    thief.log.get_by_text("60 days").wait_for()
    assert thief.conversation != laptop.conversation


def test_a_page_that_says_at_once_who_is_there_finds_their_conversation(
    page_with: Callable[..., Visitor], desk: Desk
) -> None:
    early = "<script>window.Deskhand ||= (...call) => (Deskhand.q ||= []).push(call);"
    visitor = page_with(f"{early} Deskhand('setUser', 'user-18', {{}}, '{proof(desk, 'user-18')}')</script>{tag(desk)}")
    visitor.launcher.wait_for()
    assert visitor.page.evaluate("localStorage.getItem('deskhand:demo')") is None  # nothing was asked of the desk yet
    visitor.launcher.click()
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    first = visitor.conversation
    visitor.page.evaluate("localStorage.clear()")
    visitor.page.reload()
    visitor.launcher.click()
    expect(visitor.log.get_by_text("ten years")).to_be_visible()
    assert visitor.conversation == first
    visitor.page.evaluate("Deskhand.setUser()")  # logged out
    expect(visitor.log.get_by_text("ten years")).to_have_count(0)
    visitor.say("how do I return something")
    visitor.log.get_by_text("60 days").wait_for()
    assert visitor.conversation != first


def test_shutdown_takes_it_off_the_page_and_forgets_the_visitor(visitor: Visitor) -> None:
    visitor.open().say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    visitor.page.evaluate("Deskhand.shutdown()")
    expect(visitor.page.locator("deskhand-chat")).to_have_count(0)
    assert visitor.page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('deskhand'))") == []
    visitor.page.evaluate("Deskhand.boot({siteKey: 'demo'})")
    visitor.launcher.click()
    visitor.greeting.wait_for()
    assert len(visitor.bubbles()) == 1


def test_it_survives_navigation_that_replaces_the_body(page_with: Callable[..., Visitor], desk: Desk) -> None:
    visitor = page_with(tag(desk))
    visitor.launcher.click()
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    before = visitor.bubbles()
    again = tag(desk)
    visitor.page.evaluate(
        """script => {
            const body = document.createElement("body");
            body.append("Another page", document.createRange().createContextualFragment(script));
            history.pushState({}, "", "/other");
            document.body = body;
        }""",
        again,
    )
    visitor.page.locator(".root[data-live]").wait_for()
    assert visitor.page.locator("deskhand-chat").count() == 1
    assert visitor.bubbles() == before
    visitor.say("how do I return something")
    expect(visitor.log.get_by_text("60 days")).to_be_visible()


@pytest.fixture(scope="session")
def react(pytestconfig: pytest.Config) -> dict[str, str]:
    """React itself, fetched once with npm and kept in pytest's cache."""
    cache = getattr(pytestconfig, "cache", None)
    if cache is None:
        pytest.skip("without pytest's cache React would be fetched each time")
    folder = cache.mkdir("react")
    files = {name: folder / f"node_modules/{name}/umd/{name}.production.min.js" for name in ("react", "react-dom")}
    if not all(file.exists() for file in files.values()):
        if not (npm := shutil.which("npm")):
            pytest.skip("no npm, which fetches React for this test")
        command = [
            npm,
            "install",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(folder),
            "react@18.3.1",
            "react-dom@18.3.1",
        ]
        if subprocess.run(command, capture_output=True, timeout=120, check=False).returncode:
            pytest.skip("npm cannot fetch React from its registry")
    return {f"{name}.js": file.read_text("utf-8") for name, file in files.items()}


def test_reacts_pages_may_hold_mount_and_unmount_it(
    page_with: Callable[..., Visitor], desk: Desk, react: dict[str, str]
) -> None:
    app = """<div id=app></div><script src="/react.js"></script><script src="/react-dom.js"></script><script>
      const e = React.createElement;
      function Chat() { return e("deskhand-chat", {"site-key": "demo"}); }
      function App() {
        const [page, go] = React.useState(0);
        window.go = go;
        const leak = () => window.leaked = true;
        return e("main", {onKeyDown: leak}, e("h1", null, "Page ", page), page % 2 ? null : e(Chat));
      }
      ReactDOM.createRoot(document.getElementById("app")).render(e(React.StrictMode, null, e(App)));
    </script>"""
    visitor = page_with(app + tag(desk, ""), files=react)
    visitor.launcher.click()
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    before = visitor.bubbles()
    visitor.page.evaluate("go(1)")
    expect(visitor.page.locator("deskhand-chat")).to_have_count(0)
    visitor.page.evaluate("go(2)")
    expect(visitor.page.locator("deskhand-chat")).to_have_count(1)
    expect(visitor.log.get_by_text("ten years")).to_be_visible()
    assert visitor.bubbles() == before
    visitor.page.evaluate("Deskhand.sendMessage('how do I return something')")
    expect(visitor.log.get_by_text("60 days")).to_be_visible()
    assert not visitor.page.evaluate("window.leaked")


def test_a_script_in_a_page_of_reacts_outlives_its_renders(
    page_with: Callable[..., Visitor], desk: Desk, react: dict[str, str]
) -> None:
    app = """<script src="/react.js"></script><script src="/react-dom.js"></script><script>
      const root = ReactDOM.createRoot(document.body);
      window.draw = (text) => ReactDOM.flushSync(() => root.render(React.createElement("h1", null, text)));
      addEventListener("load", () => draw("one"));
    </script>"""
    visitor = page_with(app + tag(desk), files=react)
    visitor.launcher.click()
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    visitor.page.evaluate("draw('two')")
    expect(visitor.page.get_by_role("heading", name="two")).to_be_visible()
    expect(visitor.log.get_by_text("ten years")).to_be_visible()
    assert visitor.page.locator("deskhand-chat").count() == 1
