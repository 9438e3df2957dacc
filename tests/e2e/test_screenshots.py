"""The pictures of the README and of docs/widget.md; to make them anew:

DESKHAND_SCREENSHOTS=docs/images .venv/bin/pytest tests/e2e/test_screenshots.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk, Visitor

DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "device_scale_factor": 2}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("DESKHAND_SCREENSHOTS", tmp_path))


def take(visitor: Visitor, path: Path) -> None:
    visitor.page.mouse.move(0, 0)
    picture = visitor.page.screenshot(path=path, animations="disabled")
    assert len(picture) > 50_000, "an empty page makes a small picture"


def test_a_picture_of_the_widget_on_a_desktop(visitors: Callable[..., Visitor], folder: Path) -> None:
    visitor = visitors(**DESKTOP, locale="en-GB").open()
    visitor.say("My zip is broken, can you fix it?")
    visitor.log.get_by_text("Repairs").wait_for()
    visitor.log.get_by_role("button", name="Helpful", exact=True).click()
    visitor.log.locator(".comment").wait_for()
    visitor.say("Great. How do returns work?")
    visitor.log.get_by_role("button", name="Start a return").wait_for()
    take(visitor, folder / "widget.png")


def test_a_picture_of_the_widget_on_a_phone_at_night(
    visitors: Callable[..., Visitor], desk: Desk, folder: Path
) -> None:
    visitor = visitors(**PHONE, color_scheme="dark", locale="en-GB").open()
    visitor.say("My zip is broken, can you fix it?")
    visitor.log.get_by_text("Repairs").wait_for()
    visitor.page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    desk.as_person(visitor.conversation, "join", person="Priya Raman")
    text = "Hi, Priya from the workshop here. Bring it by on Thursday and you can wait for it. 20 minutes at most!"
    desk.as_person(visitor.conversation, "messages", person="Priya Raman", text=text)
    visitor.log.get_by_text("Priya from the workshop").wait_for()
    take(visitor, folder / "widget-dark-phone.png")


@pytest.mark.parametrize(
    ("language", "file", "asked", "answer", "person", "said"),
    [
        (
            "ar",
            "widget-rtl.png",
            "أين طلبي؟",
            "سيصل يوم الخميس",
            "ليلى منصور",
            "مرحبًا، معك ليلى. هل تريد أن نترك الطرد عند الجيران؟",
        ),
        (
            "zh-CN",
            "widget-zh.png",
            "我的订单到哪里了？",
            "预计周四送达",
            "林悦",
            "您好，我是林悦。需要为您改约送货时间吗？",
        ),
    ],
)
def test_a_picture_of_the_widget_in_another_language(
    visitors: Callable[..., Visitor],
    desk: Desk,
    folder: Path,
    language: str,
    file: str,
    asked: str,
    answer: str,
    person: str,
    said: str,
) -> None:
    visitor = visitors(**PHONE, locale=language)
    visitor.page.add_init_script(
        f"document.addEventListener('readystatechange', () => document.documentElement.lang = '{language}')"
    )
    visitor.visit().launcher.click()
    visitor.page.locator(".root[data-live]").wait_for()
    message = {"id": "m1", "text": f"/ask_{language[:2]}", "title": asked}
    headers = {"authorization": f"Bearer {visitor.kept['token']}"}
    httpx.post(f"{desk.url}/widget/messages", json=message, headers=headers).raise_for_status()
    visitor.log.get_by_text(answer).wait_for()
    desk.as_person(visitor.conversation, "messages", person=person, text=said)
    visitor.log.get_by_text(said).wait_for()
    expect(visitor.page.locator(".root")).to_have_attribute("lang", language)
    take(visitor, folder / file)
