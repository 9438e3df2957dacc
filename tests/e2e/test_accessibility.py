"""The widget by keyboard and screen reader, on small and dark screens. WCAG 2.2 AA, as far as axe can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk, Visitor

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SCREENS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "dark phone": {"color_scheme": "dark", **PHONE},
    "forced colours": {"forced_colors": "active"},
    "200% zoom": {"viewport": {"width": 640, "height": 400}},
}


def check(visitor: Visitor) -> None:
    results = Axe().run(
        visitor.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing_on_any_screen(visitors: Callable[..., Visitor], desk: Desk, screen: str) -> None:
    visitor = visitors(reduced_motion="reduce", **SCREENS[screen]).visit()
    check(visitor)
    visitor.launcher.click()
    visitor.greeting.wait_for()
    check(visitor)
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    visitor.say("how do I return something")
    visitor.log.get_by_role("button", name="Start a return").wait_for()
    check(visitor)
    visitor.page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    check(visitor)
    desk.as_person(visitor.conversation, "join", person="Maya Lindqvist")
    desk.as_person(visitor.conversation, "messages", person="Maya Lindqvist", text="See https://shop.example/repair")
    visitor.log.get_by_role("link", name="https://shop.example/repair").wait_for()
    visitor.composer.fill("x" * 4001)
    check(visitor)


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
    tab_to(visitor, "Helpful", "Shift+Tab")
    keys.press("Space")
    expect(visitor.log.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")
    tab_to(visitor, "Conversation", "Shift+Tab")
    tab_to(visitor, "Write a message…")
    keys.type("how do I return something")
    keys.press("Enter")
    visitor.log.get_by_role("button", name="Start a return").wait_for()
    tab_to(visitor, "Start a return", "Shift+Tab")
    keys.press("Enter")
    visitor.log.get_by_text("What is the order number?").wait_for()
    tab_to(visitor, "Talk to a person")
    keys.press("Enter")
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
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
