"""The widget by keyboard and screen reader, on small and dark screens. WCAG 2.2 AA, as far as axe can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk, Visitor

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SCREENS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "dark phone": {"color_scheme": "dark", **PHONE},
    "forced colours": {"forced_colors": "active"},
    "200% zoom": {"viewport": {"width": 640, "height": 400}},
    "right to left": {"color_scheme": "light", "locale": "ar"},
}


def check(visitor: Visitor) -> None:
    results = Axe().run(
        visitor.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    assert results.violations_count == 0, results.generate_report()


FORM = [
    {"name": "email", "label": "E-mail", "type": "email", "required": True, "options": []},
    {"name": "topic", "label": "Topic", "type": "select", "required": False, "options": ["Order", "Repair"]},
]


def greeted_with(visitor: Visitor, **changes: Any) -> None:
    """The desk's answer to a new session, changed on its way; and a page in the language of the browser."""

    def change(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), **changes})

    language = visitor.page.evaluate("navigator.language")

    def speak(route: Route) -> None:
        page = route.fetch()
        route.fulfill(response=page, body=page.text().replace('lang="en"', f'lang="{language}"'))

    visitor.page.route("**/widget/session", change)
    visitor.page.route("**/demo", speak)
    visitor.page.route("https://shop.example/**", lambda route: route.fulfill(body="", content_type="image/svg+xml"))


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing_on_any_screen(visitors: Callable[..., Visitor], desk: Desk, screen: str) -> None:
    visitor = visitors(reduced_motion="reduce", **SCREENS[screen])
    greeted_with(visitor, prechat=FORM, away=True, away_text="Gone fishing.", back_at=1_767_600_000)
    visitor.visit()
    check(visitor)
    visitor.launcher.click()
    visitor.page.locator(".page input").fill("jo@shop.example")
    check(visitor)  # the form before a chat, and the away message
    visitor.page.locator(".page .primary").click()
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    visitor.log.locator(".thumb").first.click()
    visitor.log.locator(".comment").wait_for()
    check(visitor)  # a comment
    visitor.say("/show_tents")
    visitor.log.locator(".card").first.wait_for()
    visitor.say("/show_manual")
    visitor.log.locator("a.file").wait_for()
    visitor.say("the zip of my jacket is broken")
    visitor.log.locator("summary").click()
    visitor.say("how do I return something")
    visitor.log.get_by_role("button", name="Start a return").wait_for()
    check(visitor)  # cards, a file, an open source, quick replies
    visitor.page.locator(".more").click()
    check(visitor)  # the menu
    visitor.page.locator(".menu .item").nth(1).click()
    visitor.page.locator(".thread").wait_for()
    check(visitor)  # the conversations
    visitor.page.locator(".back").click()
    visitor.page.locator(".person-button").click()
    visitor.log.locator(".notice").wait_for()
    desk.as_person(visitor.conversation, "join", person="Maya Lindqvist")
    desk.as_person(visitor.conversation, "messages", person="Maya Lindqvist", text="See https://shop.example/repair")
    visitor.log.get_by_role("link", name="https://shop.example/repair").wait_for()
    desk.as_person(visitor.conversation, "typing", person="Maya Lindqvist")
    visitor.panel.locator(".dots").wait_for()
    visitor.composer.fill("x" * 4001)
    check(visitor)  # a person who types, and a message that is too long
    visitor.composer.fill("")
    desk.as_person(visitor.conversation, "close")
    visitor.log.locator(".score input").nth(3).check()
    check(visitor)  # the stars
    visitor.page.keyboard.press("Escape")
    check(visitor)  # closed again


def focused(visitor: Visitor) -> str:
    return str(
        visitor.page.evaluate(
            "(() => { const node = document.activeElement?.shadowRoot?.activeElement ?? document.activeElement;"
            " return node.getAttribute('aria-label') ?? node.textContent; })()"
        )
    )


def tab_to(visitor: Visitor, name: str, key: str = "Tab") -> None:
    for _ in range(30):
        if focused(visitor) == name:
            return
        visitor.page.keyboard.press(key)
    raise AssertionError(f"{key} does not reach {name!r}; the focus is on {focused(visitor)!r}")


def test_every_task_can_be_done_with_the_keyboard_alone(visitor: Visitor) -> None:
    keys = visitor.visit().page.keyboard
    visitor.launcher.wait_for()
    tab_to(visitor, "Open chat")
    keys.press("Enter")
    visitor.greeting.wait_for()
    assert focused(visitor) == "Write a message…"
    keys.type("how long is the guarantee")
    keys.press("Shift+Enter")
    keys.type("in years")
    keys.press("Enter")
    visitor.log.get_by_text("ten years").wait_for()
    assert "how long is the guarantee\nin years" in visitor.bubbles()

    tab_to(visitor, "Helpful", "Shift+Tab")  # rate, and say why
    keys.press("Space")
    expect(visitor.log.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")
    visitor.log.locator(".comment").wait_for()
    tab_to(visitor, "Tell us more (optional)")
    keys.type("clear")
    keys.press("Enter")
    expect(visitor.log.locator(".comment")).to_have_count(0)

    tab_to(visitor, "Write a message…")  # a source that opens, quick replies
    keys.type("the zip of my jacket is broken")
    keys.press("Enter")
    visitor.log.get_by_text("Repairs").wait_for()
    tab_to(visitor, "Repairs", "Shift+Tab")
    keys.press("Enter")
    expect(visitor.log.get_by_role("link", name="Open the page")).to_be_visible()
    tab_to(visitor, "Write a message…")
    keys.type("how do I return something")
    keys.press("Enter")
    visitor.log.get_by_role("button", name="Start a return").wait_for()
    tab_to(visitor, "Start a return", "Shift+Tab")
    keys.press("Enter")
    visitor.log.get_by_text("What is the order number?").wait_for()

    tab_to(visitor, "Write a message…")  # cards, a file of one's own
    keys.type("/show_tents")
    keys.press("Enter")
    visitor.log.locator(".card").first.wait_for()
    tab_to(visitor, "Send one back", "Shift+Tab")
    keys.press("Enter")
    visitor.log.get_by_text("What is the order number?").nth(1).wait_for()
    tab_to(visitor, "Talk to a person")
    tab_to(visitor, "Attach a file", "Shift+Tab")
    with visitor.page.expect_file_chooser() as chooser:
        keys.press("Enter")
    chooser.value.set_files([{"name": "zip.txt", "mimeType": "text/plain", "buffer": b"broken"}])
    visitor.log.get_by_role("link", name="zip.txt").wait_for()

    tab_to(visitor, "More", "Shift+Tab")  # another conversation, and back to the first
    keys.press("Enter")
    assert focused(visitor) == "New conversation"
    keys.press("Enter")
    expect(visitor.log.get_by_text("ten years")).to_have_count(0)
    keys.type("how do I return something")
    keys.press("Enter")
    visitor.log.get_by_text("60 days").wait_for()
    tab_to(visitor, "More", "Shift+Tab")
    keys.press("Enter")
    keys.press("Tab")
    assert focused(visitor) == "Your conversations"
    keys.press("Enter")
    visitor.page.locator(".thread").nth(1).wait_for()
    keys.press("Tab")
    keys.press("Enter")
    expect(visitor.log.get_by_text("Everything we make")).to_be_visible()
    expect(visitor.log.get_by_text("Waiting for a person to join")).to_be_visible()  # they look at the file
    tab_to(visitor, "More", "Shift+Tab")  # the transcript, the end, the stars
    keys.press("Enter")
    tab_to(visitor, "Download transcript")
    with visitor.page.expect_download():
        keys.press("Enter")
    tab_to(visitor, "More", "Shift+Tab")
    keys.press("Enter")
    tab_to(visitor, "End conversation")
    keys.press("Enter")
    visitor.log.locator(".score").wait_for()
    tab_to(visitor, "1 of 5")
    for _ in range(3):
        keys.press("ArrowRight")
    assert focused(visitor) == "4 of 5"
    tab_to(visitor, "Tell us more (optional)")
    keys.type("thanks")
    keys.press("Tab")
    keys.press("Enter")
    expect(visitor.log.locator(".score")).to_have_count(0)
    assert focused(visitor) == "Conversation"
    keys.press("Escape")
    expect(visitor.panel).to_be_hidden()
    assert focused(visitor).startswith("Open chat")


def test_on_a_small_screen_the_focus_stays_in_the_panel(visitors: Callable[..., Visitor]) -> None:
    visitor = visitors(**PHONE).open()
    names = set()
    for _ in range(12):
        visitor.page.keyboard.press("Tab")
        names.add(focused(visitor))
    assert {"Close chat", "Conversation", "Write a message…", "Talk to a person"} <= names
    assert not names & {"See what is new", "Open chat"}


def test_new_messages_are_announced_once_and_the_history_is_not(visitor: Visitor) -> None:
    visitor.open().say("hello there")
    visitor.log.get_by_text("Hello! How can I help?").wait_for()
    expect(visitor.log).to_have_attribute("aria-live", "polite")
    visitor.visit().log.get_by_text("Hello! How can I help?").wait_for()
    expect(visitor.log).to_have_attribute("aria-live", "off")
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    expect(visitor.log).to_have_attribute("aria-live", "polite")


def test_nothing_moves_for_people_who_asked_for_that(visitors: Callable[..., Visitor]) -> None:
    visitor = visitors(reduced_motion="reduce").open()
    visitor.say("hello there")
    visitor.log.get_by_text("Hello! How can I help?").wait_for()
    moving = "document.getAnimations({subtree: true}).length"
    assert visitor.page.evaluate(moving) == 0
