"""HTTP requests to addresses that somebody else wrote down: never to this machine or its network, never without end.

A name is resolved here, every address it has is looked at, and the connection goes to the address that was looked at: a
name that answers differently the second time gains nothing. Redirects are followed by hand and looked at the same way.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpx

from retrieval.errors import BadInput, NotAllowed

AGENT = "deskhand"
REDIRECTS = 5


class Refused(NotAllowed):
    """The address is one that must not be asked."""

    status = 422
    title = "Address refused"


class NotFetched(BadInput):
    """The server could not be reached, took too long, sent too much, or answered with an error."""

    status = 502
    title = "Not fetched"


@dataclass(frozen=True, slots=True)
class Page:
    """`url` is where the redirects led; header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Fetcher:
    """`most_bytes` and `seconds` are for one request with its redirects; `private` allows addresses of this machine and
    its network, for tests and for a desk whose articles are on an intranet."""

    most_bytes: int = 10 << 20
    seconds: float = 20.0
    private: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Page:
        """Raises Refused for an address that must not be asked, NotFetched for everything that goes wrong on the way.
        A status of 400 or more is an answer like any other; `fetch` raises for it."""
        ends = time.monotonic() + self.seconds
        for _ in range(REDIRECTS + 1):
            page = self._once("GET", url, ends, headers or {}, None)
            if page.status not in (301, 302, 303, 307, 308) or "location" not in page.headers:
                return page
            url = urljoin(url, page.headers["location"])
        raise NotFetched(f"{url}: more than {REDIRECTS} redirects; give the address where they end")

    def fetch(self, url: str, *, headers: Mapping[str, str] | None = None) -> Page:
        """`get`, but NotFetched for an answer that is no success (304 is one)."""
        page = self.get(url, headers=headers)
        if page.status >= 400:
            raise NotFetched(f"{url}: the server answered {page.status}; look at the address in a browser")
        return page

    def post(self, url: str, content: bytes, *, headers: Mapping[str, str] | None = None) -> Page:
        """Sends once; a redirect is an answer, not followed."""
        return self._once("POST", url, time.monotonic() + self.seconds, headers or {}, content)

    def _once(self, method: str, url: str, ends: float, headers: Mapping[str, str], content: bytes | None) -> Page:
        host, address = self._address(url)
        sent = {"user-agent": AGENT, "accept-encoding": "gzip, deflate", **self.headers, **headers, "host": host}
        try:
            with self._open(method, url, address, sent, content, ends) as response:
                body = b"".join(self._read(url, response, ends))
                kept = {name.lower(): value for name, value in response.headers.items()}
                return Page(url, response.status_code, kept, body)
        except httpx.TimeoutException as error:
            raise NotFetched(f"{url}: no answer within {self.seconds:g} s; try again later") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotFetched(f"{url}: {error or type(error).__name__}; look at the address in a browser") from error

    def _address(self, url: str) -> tuple[str, str]:
        """The Host header, and the checked address to connect to."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(f"{url}: is no http or https address; write https://...")
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError, UnicodeError) as error:
            raise NotFetched(f"{url}: the name cannot be looked up ({error}); check the spelling") from error
        addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
        for address in addresses:
            if not self.private and not public(address):
                raise Refused(f"{url}: leads to {address}, which is no public address")
        return parts.netloc.rpartition("@")[2], addresses[0]

    @contextmanager
    def _open(
        self, method: str, url: str, address: str, headers: Mapping[str, str], content: bytes | None, ends: float
    ) -> Iterator[httpx.Response]:
        parts = urlsplit(url)
        host = f"[{address}]" if ":" in address else address
        direct = httpx.URL(url).copy_with(host=host, username="", password="", fragment=None)
        left = max(0.001, ends - time.monotonic())
        with httpx.Client(timeout=left, trust_env=False, follow_redirects=False) as client:
            request = client.build_request(method, direct, headers=dict(headers), content=content)
            request.extensions["sni_hostname"] = parts.hostname
            response = client.send(request, stream=True)
            try:
                yield response
            finally:
                response.close()

    def _read(self, url: str, response: httpx.Response, ends: float) -> Iterator[bytes]:
        size = 0
        for part in response.iter_bytes(64 << 10):  # unpacked: a small answer may unpack to a large one
            size += len(part)
            if size > self.most_bytes:
                raise NotFetched(f"{url}: is larger than {self.most_bytes >> 20} MB; give a smaller page")
            if time.monotonic() > ends:
                raise NotFetched(f"{url}: was not read within {self.seconds:g} s; try again later")
            yield part


def public(address: str) -> bool:
    """Whether the address is out on the internet: not this machine, its network, or one reserved for something else."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    return ip.is_global and not ip.is_multicast
