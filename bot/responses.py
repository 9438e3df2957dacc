"""Responses: what the bot says under the name `utter_x`, in one or several variations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.problems import Problems
from bot.yaml_file import NOWHERE, Block, Place, plain

KEYS = (
    "text", "buttons", "quick_replies", "image", "custom", "attachment", "elements", "channel", "condition", "id",
    "metadata", "button_type",
)  # fmt: skip


@dataclass(frozen=True)
class Variation:
    """`conditions` are (slot, value), all of which must hold; `channel` None fits every channel."""

    text: str | None = None
    buttons: tuple[dict[str, Any], ...] = ()
    image: str | None = None
    custom: Any = None
    attachment: Any = None
    channel: str | None = None
    conditions: tuple[tuple[str, Any], ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    place: Place = NOWHERE


def read_response(name: str, value: Any, place: Place, problems: Problems) -> tuple[Variation, ...]:
    found = []
    for at, item in problems.items(place, value, f"response {name!r}").placed():
        if isinstance(item, str):
            found.append(Variation(text=item, place=at))
        elif isinstance(item, Block):
            found.append(_variation(name, item, at, problems))
        else:
            problems.error(at, f"a variation of {name!r} must look like `- text: ...`, found {item!r}")
    if not found:
        problems.error(place, f"response {name!r} has no variation; add `- text: ...`")
    return tuple(found)


def _variation(name: str, item: Block, place: Place, problems: Problems) -> Variation:
    problems.keys(place, item, KEYS, f"response {name!r}")
    if not any(item.get(key) for key in KEYS[:7]):
        problems.error(
            place, f"a variation of {name!r} says nothing; give it `text:`, `image:`, `buttons:` or `custom:`"
        )
    buttons = (*(item.get("buttons") or ()), *(item.get("quick_replies") or ()))
    conditions = tuple(_conditions(name, item, problems))
    text = item.get("text")
    return Variation(
        text=None if text is None else str(text),
        buttons=tuple(plain(button) for button in buttons),
        image=item.get("image"),
        custom=plain(item.get("custom")),
        attachment=plain(item.get("attachment") or (item.get("elements") and {"elements": item["elements"]})),
        channel=item.get("channel"),
        conditions=conditions,
        metadata=plain(item.get("metadata")) or {},
        place=place,
    )


def _conditions(name: str, item: Block, problems: Problems) -> Iterator[tuple[str, Any]]:
    for place, one in problems.items(item.at("condition"), item.get("condition"), f"`condition` of {name!r}").placed():
        if isinstance(one, Block) and one.get("type") == "slot" and "name" in one:
            problems.keys(place, one, ("type", "name", "value"), f"a condition of {name!r}")
            yield str(one["name"]), plain(one.get("value"))
        else:
            problems.error(place, f"a condition of {name!r} must look like `- {{type: slot, name: x, value: y}}`")
