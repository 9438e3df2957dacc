"""Rasa's `endpoints.yml`: where actions run, and what the rest of it becomes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.rasa_project.findings import Findings, Verdict
from bot.yaml_file import Block, Place, read_yaml
from retrieval.errors import BadInput


@dataclass(frozen=True)
class ActionEndpoint:
    """Where custom actions run; `headers` and `params` (of the query) go with every call."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


def action_endpoint(project: Path) -> ActionEndpoint | None:
    """`action_endpoint` of an `endpoints.yml` of the folder; only its own variables have to be set."""
    path = project / "endpoints.yml"
    given = read_yaml(path, expand=False).get("action_endpoint") if path.is_file() else None
    if not isinstance(given, Block) or not given.get("url"):
        return None
    params = {str(given.get("token_name") or "token"): _expanded(given, "token")} if given.get("token") else {}
    headers = given.get("headers")
    sent = {str(name): _expanded(headers, name) for name in headers} if isinstance(headers, Block) else {}
    return ActionEndpoint(_expanded(given, "url"), sent, params)


def _expanded(block: Block, key: str) -> str:
    value = os.path.expandvars(str(block[key]))
    if "${" in value:
        cure = "export it, or write the value"
        raise BadInput(f"{block.at(key)}: {value} names a variable that is not set; {cure}")
    return value


ACTION_OPTIONS: dict[str, tuple[Verdict, str]] = {
    "headers": ("works", "sent with every call"),
    "token": ("works", "sent with every call"),
    "token_name": ("works", "the name under which the token is sent"),
    "selective_domain": ("differs", "the domain goes with every call; `actions.digest` sends it when it is asked for"),
    "basic_auth": ("unsupported", "set the header: `actions.headers` in deskhand.yml"),
    "cafile": ("unsupported", "set SSL_CERT_FILE"),
}
ENDPOINTS: dict[str, tuple[Verdict, str]] = {
    "lock_store": ("works", "Redis keeps conversations in order, in any number of server processes"),
    "event_broker": ("unsupported", "no event broker; webhooks out tell other systems"),
    "nlg": ("unsupported", "no server that words responses; responses are those of the domain"),
    "models": ("unsupported", "no model server: bundles are directories, a server takes the promoted one by itself"),
    "nlu": ("unsupported", "no separate NLU server: a bundle understands messages in the server itself"),
}


def read_endpoints(block: Block, found: Findings) -> None:
    for key, value in block.items():
        place, options = block.at(key), value if isinstance(value, Block) else Block()
        if key == "action_endpoint":
            _action_endpoint(place, options, found)
        elif key == "tracker_store":
            _tracker_store(place, options, found)
        elif key in ENDPOINTS:
            verdict, text = ENDPOINTS[key]
            found.note(place, verdict, f"{key}: {text}")
        else:
            found.note(place, "unsupported", f"{key}: nothing reads it")


def _action_endpoint(place: Place, options: Block, found: Findings) -> None:
    url = str(options.get("url") or "")
    if not url:
        found.note(
            place, "unsupported", "action_endpoint has no url; gRPC and in-process action servers are not called"
        )
        return
    found.environment["DESKHAND_ACTIONS_URL"] = url
    found.note(place, "works", f"actions run on {url}; DESKHAND_ACTIONS_URL changes it")
    for key in options.keys() - {"url"}:
        verdict, text = ACTION_OPTIONS.get(key, ("unsupported", "nothing reads it"))
        found.note(options.at(key), verdict, f"action_endpoint.{key}: {text}")


def _tracker_store(place: Place, options: Block, found: Findings) -> None:
    kind = str(options.get("type") or "").lower()
    if kind == "redis":
        host, port = options.get("url", "localhost"), options.get("port", 6379)
        found.environment["DESKHAND_REDIS_URL"] = f"redis://{host}:{port}/{options.get('db', 0)}"
        found.note(place, "differs", "conversations are kept in Redis, in our own form; set DESKHAND_REDIS_URL")
    elif kind == "sql" and "postgres" in str(options.get("dialect")):
        found.note(place, "differs", "Redis keeps running conversations; set DESKHAND_DATABASE_URL for closed ones")
    else:
        found.note(place, "differs", f"tracker_store {kind or 'in memory'}: Redis keeps conversations, SQL closed ones")
