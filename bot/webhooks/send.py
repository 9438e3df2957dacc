"""One webhook over the wire: signed, to an address that was checked, without following where it is sent on.

The name is resolved once and the connection goes to the address that was judged, so that a name which changes in
between (DNS rebinding) leads nowhere.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpcore
from standardwebhooks.webhooks import Webhook

from retrieval.errors import BadInput

TIMEOUT_S = {"connect": 5.0, "read": 10.0, "write": 10.0, "pool": 10.0}
SHORT = 4096
"""Bytes of an answer that are read, so that its connection can be used again. What it says does not matter."""

AGENT = "Deskhand (standard-webhooks)"


@dataclass(frozen=True)
class Result:
    """`status` of the answer, or None and the `error` for none."""

    status: int | None
    error: str = ""

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def check_url(url: str, *, private: bool) -> None:
    """Raises BadInput for an address that no webhook may go to. Names are judged when they are connected to."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise BadInput(f"the url {url[:100]!r} is not https; give an https:// address")
    if not parts.hostname or parts.username or parts.password:
        raise BadInput(f"the url {url[:100]!r} needs a host and no user in it; give https://host/path")
    try:
        _ = parts.port
        address = ipaddress.ip_address(parts.hostname)
    except ValueError as error:
        if "port" in str(error).lower():
            raise BadInput(f"the url {url[:100]!r} has no good port: {error}") from error
        return
    if not private and not is_public(address):
        raise BadInput(f"the url {url[:100]!r} is a private address; give one that the internet can reach")


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (_nat64(address))
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class CheckedBackend(httpcore.SyncBackend):
    """Connects to an address that it has looked up and judged itself."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    def connect_tcp(self, host: str, port: int, *args: Any, **more: Any) -> httpcore.NetworkStream:
        return super().connect_tcp(self._address(host, port), port, *args, **more)

    def _address(self, host: str, port: int) -> str:
        try:
            found = [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} is no known name: {error}") from error
        if not self._private and not all(is_public(ipaddress.ip_address(one.partition("%")[0])) for one in found):
            raise httpcore.ConnectError(f"{host} leads to a private address ({', '.join(found)}); refused")
        return found[0]


class Sender:
    """Thread-safe."""

    def __init__(self, *, private: bool) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            network_backend=CheckedBackend(private=private),
            max_connections=64,
            keepalive_expiry=30,
        )

    def post(self, url: str, *, id_: str, payload: dict[str, Any], secrets: Iterable[str]) -> Result:
        body = json.dumps(payload, separators=(",", ":"))
        headers = [(name.encode(), value.encode()) for name, value in signed(id_, body, secrets).items()]
        try:
            with self._pool.stream(
                "POST", url, headers=headers, content=body.encode(), extensions={"timeout": TIMEOUT_S}
            ) as response:
                if _length(response.headers) <= SHORT:
                    response.read()
                return _judged(response.status)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            return Result(None, str(error) or type(error).__name__)
        except (httpcore.UnsupportedProtocol, UnicodeError, ValueError) as error:
            return Result(None, f"the url cannot be used: {error}")

    def close(self) -> None:
        self._pool.close()


def signed(id_: str, body: str, secrets: Iterable[str]) -> dict[str, str]:
    """The headers of Standard Webhooks, with a signature for each secret: two while one is being rotated."""
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": AGENT,
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(id_, now, body) for secret in secrets),
    }


def _judged(status: int) -> Result:
    if 300 <= status < 400:
        return Result(status, "redirects are not followed; give the address it leads to")
    return Result(status, "" if status < 300 else f"answered {status}")


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    said = next((value for name, value in headers if name.lower() == b"content-length"), b"")
    return int(said) if said.isdigit() else SHORT + 1
