"""A conversation as a story with the customer's words, in Rasa's YAML. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from bot.conversation import LISTEN, Conversation
from bot.events import ActionRan, Event, LoopChanged, SessionStarted, SlotSet, UserSaid
from bot.payload import parse_payload
from bot.session import METADATA
from bot.tracker import to_rasa

HIDDEN = frozenset({LISTEN, "action_session_start"})


class _Block(str):
    """Text that is written as a block."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless)


_Dumper.add_representer(
    _Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


def story(conversation: Conversation, *, all_sessions: bool) -> str:
    """The version line, then one story named after the conversation."""
    begun = [event for event in conversation.events if isinstance(event, SessionStarted)][-1:]
    events: Iterable[Event] = conversation.events if all_sessions else [*begun, *conversation.trail]
    steps = list(_steps(events))
    body = {"stories": [{"story": conversation.id, "steps": steps}]}
    text: str = yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return f'version: "3.1"\n{text}'


def _steps(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    for event in events:
        match event:
            case SessionStarted(metadata=metadata) if metadata:
                yield {"slot_was_set": [{METADATA: metadata}]}
            case UserSaid():
                yield {"intent": (event.intent or "").partition("/")[0] or None, "user": _Block(_annotated(event))}
            case ActionRan(name=name) if name not in HIDDEN and to_rasa(event):
                yield {"action": name}
            case SlotSet(name=name, value=value):
                yield {"slot_was_set": [{name: value}]}
            case LoopChanged(name=name):
                yield {"active_loop": name}


def _annotated(said: UserSaid) -> str:
    """The words with their entities in brackets; overlapping ones are left out."""
    text, end = "", 0
    if parse_payload(said.text):
        return said.text
    for one in sorted(said.entities, key=lambda entity: entity.get("start") or 0):
        start, stop = one.get("start"), one.get("end")
        if start is None or stop is None or start < end:
            continue
        word = said.text[start:stop]
        text += f"{said.text[end:start]}[{word}]{_mark(one, word)}"
        end = stop
    return text + said.text[end:]


def _mark(entity: dict[str, Any], word: str) -> str:
    data = {key: entity[key] for key in ("entity", "role", "group") if entity.get(key) is not None}
    if entity.get("value") != word:
        data["value"] = entity.get("value")
    return f"({data['entity']})" if data.keys() == {"entity"} else json.dumps(data, ensure_ascii=False)
