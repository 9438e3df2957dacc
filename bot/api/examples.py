"""An example for every answer in the OpenAPI schema, made of the schema itself and of a value for each field.

A field that has no value here leaves its route without an example, which a test reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

AT = 1_767_600_000.0
WHEN = "2026-01-05T08:00:00+00:00"
BUNDLE = "20260105T080000-1f2e3d4c"
HOOK, KEY, DELIVERY = "wh_4fd02c", "k-3b9a", "d-81c2"
BUTTON = {"title": "Start a return", "payload": "/start_return"}
CITED = {"title": "Delivery", "url": "https://shop.example/delivery", "quote": "We ship to all of Europe."}

FIELDS: dict[str, Any] = {
    # conversations
    "id": "order-4711", "conversation": "order-4711", "conversations": "order-4711", "message_id": "m-17",
    "text": "We ship to all of Europe.", "question": "Do you ship to Norway?", "latest": "Hello?", "reason": "unknown",
    "person": "Ada", "since": AT, "at": AT, "mode": "bot", "version": 4, "offset": 3, "next": 4,
    "slots": {"country": "NO"},
    "buttons": BUTTON, "citations": CITED, "image": None, "attachment": None, "custom": None, "source": "answer",
    "in_reply_to": None, "event": "BotSaid", "next_cursor": None, "data": {"schema": "transcript/1",
    "id": "desk-9f2c-0"},
    "MessageView.id": "m-17", "MessageView.person": None, "MessageView.text": "Do you ship to Norway?",
    "MessageView.by": "customer", "Reply.id": "b-3", "WaitingView.person": None, "WaitingView.mode": "waiting",
    "ConversationView.person": None, "FileView.id": "kZ3v9Qd1xP0b/label.pdf", "name": "label.pdf",
    "type": "application/pdf", "size": 9120,
    # jobs, bundles, what was learned
    "JobModel.id": "train-5f1c", "kind": "train", "JobModel.status": "finished", "queued_at": WHEN, "started_at": WHEN,
    "ended_at": WHEN, "result": BUNDLE, "error": None, "progress": None, "BundleView.id": BUNDLE,
    "BundleDetail.id": BUNDLE,
    "in_service": True, "created": WHEN, "answers": 212, "recall_at_1": 0.87, "coverage": 0.64,
    "wrong_answer_rate": 0.04,
    "problem": None, "bundle": BUNDLE, "report": "# What was learned\n...", "total": 1, "count": 12, "first_at": AT,
    "last_at": AT, "reasons": "unknown", "examples": "do you sell gift cards", "GapGroupView.text": "gift cards",
    "in_scope": 0.98, "threshold": 0.74, "sent": True, "answer": "a-17", "p_correct": 0.93, "servable": True,
    "IntentView.name": "ask_shipping", "confidence": 0.97, "turn": 0, "similarity": 0.91, "word": "norway", "start": 15,
    "end": 21, "effect": 0.32, "RequestView.text": "shipping to norway?", "RequestView.conversation": "desk-9f2c-0",
    "ChangeView.text": "Do you ship to Canada?",
    # articles
    "article": "delivery", "title": "Delivery", "url": "https://shop.example/delivery", "tags": "shop",
    "updated": "2026-01-05", "language": "en", "valid_from": "", "valid_until": "",
    "markdown": "# Delivery\n\nWe ship ...",
    "questions": "Do you ship abroad?", "heading": "Abroad", "score": 0.71, "p_relevant": 0.94,
    "PieceView.id": "delivery#0",
    "PassageView.id": "delivery#0", "ArticleView.id": "delivery", "WholeView.source": "delivery.md",
    "SourceView.kind": "upload",
    "origin": "delivery.pdf", "SourceView.at": WHEN, "articles": 3, "SourceView.problem": "", "skipped_in_all": 1,
    "what": "page 4", "why": "there is no text on it", "ArticleView.version": 1, "VersionView.version": 1,
    "elsewhere": False, "ConflictView.what": "numbers: 30, 14",
    # keys, webhooks, deliveries
    "KeyView.id": KEY, "KeyView.name": "shop backend", "NewKey.id": KEY, "NewKey.name": "shop backend",
    "scopes": "conversations:write", "created_at": AT, "old_until": None, "key": "dk_k-3b9a_...", "attempts": 2,
    "next_try": AT, "DueView.error": "the platform answered 503", "EndpointView.id": HOOK, "NewEndpoint.id": HOOK,
    "EndpointView.url": "https://shop.example/hooks/deskhand", "NewEndpoint.url": "https://shop.example/hooks/deskhand",
    "description": "shop backend", "events": "conversation.handed_off", "enabled": True, "disabled_because": None,
    "secret": "whsec_...", "DeliveryView.id": DELIVERY, "DeliveryView.event": "msg_0b1c", "DeliveryView.attempts": 1,
    "DeliveryView.type": "conversation.handed_off", "next_at": None, "last_status": 200, "last_error": None,
    "deliveries": 3,
    # the widget
    "token": "eyJ...", "Opened.conversation": "w-9d1f", "expires_at": AT + 3600, "Opened.name": "Fernwood Outdoor",
    "greeting": None, "starters": "Where is my order?", "max_chars": 4000, "away": False, "away_text": None,
    "back_at": None, "csat": True, "FieldConfig.name": "email", "label": "E-mail", "FieldConfig.type": "email",
    "required": True, "options": "Order", "accept": ".png,.pdf", "bytes": 10_000_000,
    "faces": {"Ada": "https://shop.example/ada.jpg"}, "strings": {"askPerson": "Talk to us"}, "thread": 1,
    "ThreadSummary.title": "Do you ship to Norway?", "bot__widget__bodies__Accepted.id": "m-17",
}  # fmt: skip

_FRAME = {
    "type": "events",
    "next": 2,
    "events": [{"offset": 1, "at": AT, "kind": "customer", "id": "m-17", "text": "hi"}],
}
_MODEL = {"id": "deskhand", "object": "model", "created": 0, "owned_by": "deskhand"}
_MESSAGE = {"role": "assistant", "content": "We ship to all of Europe.", "refusal": None}
ROUTES: dict[str, Any] = {
    "/version": {"version": "0.1.0", "bundle": BUNDLE},
    "/health/live": {"status": "ok"},
    "/health/ready": {"status": "ok", "bundle": BUNDLE},
    "/webhooks/rest/": {"status": "ok"},
    "/webhooks/rest/webhook": [{"recipient_id": "u1", "text": "We ship to all of Europe.", "buttons": [BUTTON]}],
    "/api/v1/conversations/{conversation_id}/transcript": {
        "schema": "transcript/1", "id": "order-4711", "source": "desk", "channel": "api", "started_at": WHEN,
        "turns": [{"by": "customer", "text": "Do you ship to Norway?", "at": AT}],
    },
    "/v1/models": {"object": "list", "data": [_MODEL]},
    "/v1/models/{model}": _MODEL,
    "/v1/chat/completions": {
        "id": "chatcmpl-9d1f", "object": "chat.completion", "created": int(AT), "model": "deskhand",
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11},
        "conversation_id": "openai-9d1f", "mode": "bot", "citations": [CITED], "buttons": [],
    },
    "/v1/embeddings": {
        "object": "list", "model": "deskhand", "data": [{"object": "embedding", "index": 0, "embedding": [0.12, -0.3]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    },
    "/widget/events": _FRAME,
    "/widget/poll": _FRAME,
    "/widget/files": {"id": "kZ3v9Qd1xP0b/zip.png", "name": "zip.png", "type": "image/png", "size": 9120,
    "url": "/widget/files/..."},
}  # fmt: skip


class Unknown(LookupError):
    """A field that `FIELDS` does not have."""


def add_examples(schema: dict[str, Any]) -> list[str]:
    """Puts an example to every JSON answer of `schema`; returns what is missing for the others."""
    missing = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if not status.startswith("2") or content is None:
                    continue
                try:
                    content["example"] = ROUTES[path] if path in ROUTES else _made(content["schema"], schema, "")
                except Unknown as field:
                    missing.append(f"{method.upper()} {path}: {field}")
    return missing


def _made(of: Schema, schema: Schema, field: str) -> Any:
    """`field` is `Model.name`; a model of its own is made of its fields whatever `FIELDS` says."""
    if "$ref" in of:
        name = of["$ref"].rpartition("/")[2]
        model = schema["components"]["schemas"][name]
        if "properties" in model:
            return {key: _made(one, schema, f"{name}.{key}") for key, one in model["properties"].items()}
        of = model
    if of.get("type") == "array" and _models(of["items"]):
        return [_made(of["items"], schema, field)]
    if branch := next((one for one in of.get("anyOf", ()) if _models(one)), None):
        return _made(branch, schema, field)
    value = _value(of, field)
    return [value] if of.get("type") == "array" else value


def _models(of: Schema) -> bool:
    return "$ref" in of or (of.get("type") == "array" and _models(of["items"]))


def _value(of: Schema, field: str) -> Any:
    for name in (field, field.rpartition(".")[2]):
        if name in FIELDS:
            return FIELDS[name]
    choices = of.get("enum") or ([of["const"]] if "const" in of else [])
    if not choices:
        raise Unknown(f"no example for {field or of}; add it to FIELDS or ROUTES of bot/api/examples.py")
    return choices[0]
