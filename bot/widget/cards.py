"""Attachments of Rasa's responses and actions as the widget shows them: cards in a row, and files to open. Pure.

Known shapes: a generic template (`{"type": "template", "payload": {"elements": [...]}}`, or only `elements`), a file
(`{"type": "image" | "video" | "audio" | "file", "payload": {"src" | "url", "title"}}`), and a plain address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST_CARDS = 10
"""As many as a generic template may have."""


def cards(attachment: Any) -> list[dict[str, Any]]:
    """`{title, subtitle, image, url, buttons}`; a button has a `payload`, or a `url` that it opens."""
    elements = _payload(attachment).get("elements")
    if not isinstance(elements, list | tuple):
        return []
    return [_card(one) for one in elements[:MOST_CARDS] if isinstance(one, dict) and one.get("title")]


def _card(element: dict[str, Any]) -> dict[str, Any]:
    action = element.get("default_action")
    return {
        "title": str(element["title"]),
        "subtitle": str(element.get("subtitle") or ""),
        "image": str(element.get("image_url") or element.get("image") or ""),
        "url": str(action.get("url") or "") if isinstance(action, dict) else "",
        "buttons": list(_buttons(element.get("buttons"))),
    }


def _buttons(buttons: Any) -> Iterator[dict[str, str]]:
    for button in buttons if isinstance(buttons, list | tuple) else ():
        if isinstance(button, dict) and (title := button.get("title")):
            url = button.get("url")
            yield {
                "title": str(title),
                **({"url": str(url)} if url else {"payload": str(button.get("payload") or title)}),
            }


def files(attachment: Any) -> list[dict[str, str]]:
    """`{name, type, url}`; `type` is image | video | audio | file."""
    if isinstance(attachment, str):
        return [_file(attachment, "file", "")]
    payload = _payload(attachment)
    url = payload.get("src") or payload.get("url")
    if not isinstance(url, str):
        return []
    return [_file(url, str(attachment.get("type") or "file"), str(payload.get("title") or ""))]


def _file(url: str, kind: str, title: str) -> dict[str, str]:
    return {"name": title or url.split("?")[0].rstrip("/").rsplit("/", 1)[-1], "type": kind, "url": url}


def _payload(attachment: Any) -> dict[str, Any]:
    if not isinstance(attachment, dict):
        return {}
    payload = attachment.get("payload", attachment)
    return payload if isinstance(payload, dict) else {}
