"""The widget's own files, read once, compressed once, served with the headers that let a browser keep them."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from fastapi import APIRouter, Request, Response

from retrieval.errors import NotFound

HERE = Path(__file__).parent
FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=300, stale-while-revalidate=86400"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
DEMO_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)


class Asset:
    def __init__(self, content: bytes, suffix: str) -> None:
        self.plain = content
        self.packed = gzip.compress(content, 9, mtime=0)
        self.etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        self.type = TYPES[suffix]

    def answer(self, request: Request, cache: str, **headers: str) -> Response:
        always = {
            "etag": self.etag,
            "cache-control": cache,
            "vary": "accept-encoding",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "cross-origin",
            **headers,
        }
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=always)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, media_type=self.type, headers={**always, "content-encoding": "gzip"})
        return Response(self.plain, media_type=self.type, headers=always)


def router() -> APIRouter:
    """`/widget.js`, its modules below `/widget/assets/{version}/`, and the demo page.

    The version is a hash of all modules: a browser keeps them for good, and never mixes modules of two releases.
    """
    routes = APIRouter(include_in_schema=False)
    modules = {path.name: Asset(path.read_bytes(), ".js") for path in HERE.glob("*.js") if path.name != "widget.js"}
    current = hashlib.sha256(b"".join(modules[name].plain for name in sorted(modules))).hexdigest()[:12]
    loader = Asset((HERE / "widget.js").read_bytes().replace(b"__VERSION__", current.encode()), ".js")
    page, sheet = (Asset((HERE / name).read_bytes(), Path(name).suffix) for name in ("demo.html", "demo.css"))

    @routes.get("/widget.js")
    def _loader(request: Request) -> Response:
        return loader.answer(request, SHORTLY)

    @routes.get("/widget/assets/{version}/{name}")
    def _module(request: Request, version: str, name: str) -> Response:
        if name not in modules:
            raise NotFound(f"the widget has no file {name!r}; it has {', '.join(sorted(modules))}")
        return modules[name].answer(request, FOREVER if version == current else "no-store")

    @routes.get("/demo")
    def _demo(request: Request) -> Response:
        return page.answer(request, "no-cache", **{"content-security-policy": DEMO_POLICY})

    @routes.get("/demo.css")
    def _style(request: Request) -> Response:
        return sheet.answer(request, "no-cache")

    return routes
