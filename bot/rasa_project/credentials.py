"""Rasa's `credentials.yml`: its channels under our names and keys."""

from __future__ import annotations

from bot.rasa_project.findings import Findings
from bot.yaml_file import Block, Place, plain

SOCKETIO = {
    "user_message_evt": "user_event", "bot_message_evt": "bot_event", "namespace": "namespace",
    "session_persistence": "session_persistence", "socketio_path": "path", "metadata_key": "metadata_key",
    "jwt_method": "jwt_method",
}  # fmt: skip


def read_credentials(block: Block, found: Findings) -> None:
    for key, value in block.items():
        place, options = block.at(key), value if isinstance(value, Block) else Block()
        match key:
            case "rest":
                found.channels["rest"] = {"enabled": True}
                found.note(place, "works", "rest: POST /webhooks/rest/webhook, also with ?stream=true")
            case "callback":
                found.channels["callback"] = {"enabled": True, "url": str(options.get("url") or "")}
                found.note(place, "works", f"callback: replies are posted to {options.get('url')}")
            case "socketio":
                _socketio(place, options, found)
            case "rasa":
                found.note(place, "unsupported", "rasa: the API of Rasa X; the operators' API is /api/v1")
            case "slack" | "telegram" | "twilio":
                _platform(key, place, options, found)
            case _:
                cure = "connect it with the REST or callback channel, or `channels.webhooks` (docs/channels.md)"
                found.note(place, "unsupported", f"channel {key} has no counterpart; {cure}")


SECRETS = {
    "slack": {"slack_token": "DESKHAND_SLACK_BOT_TOKEN", "slack_signing_secret": "DESKHAND_SLACK_SIGNING_SECRET"},
    "telegram": {"access_token": "DESKHAND_TELEGRAM_BOT_TOKEN", "": "DESKHAND_TELEGRAM_SECRET"},
    "twilio": {"auth_token": "DESKHAND_TWILIO_AUTH_TOKEN"},
}
"""Of the platforms that both know: the secrets of a `credentials.yml`, and where we read them."""


def _platform(name: str, place: Place, options: Block, found: Findings) -> None:
    """Named, not switched on: it starts only with its secrets in the environment."""
    for key, variable in SECRETS[name].items():
        if key in options:
            found.environment[variable] = f"<the value of {key}>"
    secrets = ", ".join(SECRETS[name].values())
    text = f"set {secrets} and channels.{name}.enabled; the webhook's address stays (docs/channels.md)"
    found.note(place, "differs", f"{name}: {text}")


def _socketio(place: Place, options: Block, found: Findings) -> None:
    given = {ours: plain(options[theirs]) for theirs, ours in SOCKETIO.items() if options.get(theirs) is not None}
    found.channels["socketio"] = {"enabled": True, **given}
    found.note(place, "works", "socketio: same events, session ids and payloads")
    if options.get("jwt_key"):
        found.environment["DESKHAND_SOCKETIO_JWT_KEY"] = "<the value of jwt_key>"
        found.note(options.at("jwt_key"), "differs", "jwt_key is a secret: set DESKHAND_SOCKETIO_JWT_KEY to it")
