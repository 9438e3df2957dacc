"""Addresses of customers' files: signed, good for a day or two. A picture in a page cannot send a token."""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import quote

from retrieval.errors import NotAllowed

DAY_S = 86_400


class Links:
    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, key: str) -> str:
        """Relative to the desk. The same for a whole day, so that a browser loads a picture once."""
        until = (int(time.time()) // DAY_S + 2) * DAY_S
        return f"/widget/files/{quote(key)}?until={until}&signature={self._signature(key, until)}"

    def check(self, key: str, until: int, signature: str) -> None:
        """Raises NotAllowed."""
        if not hmac.compare_digest(signature.encode(), self._signature(key, until).encode()) or until < time.time():
            raise NotAllowed("this address of a file is no longer good; open the conversation again")

    def _signature(self, key: str, until: int) -> str:
        return hmac.new(self._secret, f"file:{until}:{key}".encode(), hashlib.sha256).hexdigest()
