"""The pictures of the README; to make them anew:

DESKHAND_SCREENSHOTS=docs/images .venv/bin/pytest tests/e2e/test_screenshots.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk, Visitor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("DESKHAND_SCREENSHOTS", tmp_path))


def take(visitor: Visitor, path: Path) -> None:
    visitor.page.mouse.move(0, 0)
    picture = visitor.page.screenshot(path=path, animations="disabled")
    assert len(picture) > 50_000, "an empty page makes a small picture"


def test_a_picture_of_the_widget_on_a_desktop(visitors: Callable[..., Visitor], folder: Path) -> None:
    visitor = visitors(viewport={"width": 1440, "height": 900}, device_scale_factor=2, locale="en-GB").open()
    visitor.say("My zip is broken, can you fix it?")
    visitor.log.get_by_role("link", name="Repairs").wait_for()
    visitor.log.get_by_role("button", name="Helpful", exact=True).click()
    visitor.say("Great. How do returns work?")
    visitor.log.get_by_role("button", name="Start a return").wait_for()
    take(visitor, folder / "widget.png")


def test_a_picture_of_the_widget_on_a_phone_at_night(
    visitors: Callable[..., Visitor], desk: Desk, folder: Path
) -> None:
    visitor = visitors(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
        color_scheme="dark",
        locale="en-GB",
    ).open()
    visitor.say("My zip is broken, can you fix it?")
    visitor.log.get_by_role("link", name="Repairs").wait_for()
    visitor.page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    desk.as_person(visitor.conversation, "join", person="Maya Lindqvist")
    text = "Hi, Maya from the workshop here. Bring it by on Thursday and you can wait for it. 20 minutes at most!"
    desk.as_person(visitor.conversation, "messages", person="Maya Lindqvist", text=text)
    visitor.log.get_by_text("Maya from the workshop").wait_for()
    take(visitor, folder / "widget-dark-phone.png")
