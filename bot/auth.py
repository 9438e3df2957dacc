"""The operator's token: `DESKHAND_OPERATOR_TOKEN`, or one made on the first start and kept in the data directory."""

from __future__ import annotations

import hmac
import os
import secrets
import shlex
from pathlib import Path

from bot.settings import Settings
from retrieval.errors import NotAllowed


def operator_token(settings: Settings) -> str:
    if settings.operator_token:
        return settings.operator_token.get_secret_value()
    return kept_secret(settings.data_dir / "operator-token")


def token_command(settings: Settings) -> str:
    """What to type for the token of this data directory."""
    usual = settings.data_dir == Settings.model_fields["data_dir"].default
    return "deskhand token" if usual else f"deskhand token --data {shlex.quote(str(settings.data_dir))}"


def kept_secret(path: Path) -> str:
    """The secret in this file, made (256 bits, readable by the owner only) when there is none yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        os.link(draft, path)  # fails when it is there, so that two servers starting at once agree on one secret
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text().strip()


def check_bearer(header: str | None, token: str) -> None:
    """`header` is the Authorization header. Raises NotAllowed unless it is `Bearer <token>`."""
    scheme, _, given = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise NotAllowed("send the header `Authorization: Bearer <operator token>`; `deskhand token` prints the token")
