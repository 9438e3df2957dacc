"""The widget's own files, read once, compressed once, served with the headers that let a browser keep them.

There is no build step: the server joins the modules and leaves comments and indentation out (`rjsmin`) when it starts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from string import ascii_lowercase

import rjsmin
from fastapi import APIRouter, Request, Response

from retrieval.errors import NotFound

HERE = Path(__file__).parent
MODULES = (
    *("style", "strings", "dom", "connection", "visitor", "chat", "composer"),
    *("forms", "markup", "messages", "signs", "transcript", "element"),
)
"""Each after those that it imports."""

PRIVATE = re.compile(r"#[a-z]\w*")
IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=300, stale-while-revalidate=86400"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
DEMO_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
    "img-src 'self' data: https:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
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


def script() -> bytes:
    """The modules as one: a page waits for one file instead of ten. Their names are unique, so joining is leaving the
    imports away; comments and indentation go, too, and private names become short."""
    joined = "\n".join(IMPORT.sub("", (HERE / f"{name}.js").read_text("utf-8")) for name in MODULES)
    private = {name: _letters(n) for n, (name, _) in enumerate(Counter(PRIVATE.findall(joined)).most_common())}
    joined = PRIVATE.sub(lambda found: private[found[0]], joined)
    return _small(joined.replace('"__CSS__"', json.dumps(_sheet((HERE / "style.css").read_text("utf-8")))))


def served() -> tuple[str, Asset, dict[str, Asset]]:
    """The version, the loader, and what it loads by name."""
    words = {path.name: Asset(_small(path.read_text("utf-8")), ".js") for path in (HERE / "locales").glob("*.js")}
    modules = {"element.js": Asset(script(), ".js"), **{f"locales/{name}": asset for name, asset in words.items()}}
    version = hashlib.sha256(b"".join(modules[name].plain for name in sorted(modules))).hexdigest()[:12]
    loader = _small((HERE / "widget.js").read_text("utf-8").replace("__VERSION__", version))
    return version, Asset(loader, ".js"), modules


def _letters(number: int) -> str:
    """#a, #b, ... #z, #ba, ...: only a class itself can say its private names, and no other # stands in our scripts."""
    first, last = divmod(number, 26)
    return f"#{ascii_lowercase[first] if first else ''}{ascii_lowercase[last]}"


def _sheet(css: str) -> str:
    """Without comments, and white space that says nothing. (A space before a colon would: `a :hover`.)"""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s*([{};,>])\s*", r"\1", re.sub(r"\s+", " ", css))
    return re.sub(r":\s+", ":", css).replace(";}", "}").strip()


def _small(source: str) -> bytes:
    return str(rjsmin.jsmin(source)).encode()


def router() -> APIRouter:
    """`/widget.js`, what it loads below `/widget/assets/{version}/`, and the demo page.

    The version is a hash of all of it: a browser keeps the files for good, and never mixes two releases.
    """
    routes = APIRouter(include_in_schema=False)
    current, loader, modules = served()
    page, sheet = (Asset((HERE / name).read_bytes(), Path(name).suffix) for name in ("demo.html", "demo.css"))

    @routes.get("/widget.js")
    def _loader(request: Request) -> Response:
        return loader.answer(request, SHORTLY)

    @routes.get("/widget/assets/{version}/{name:path}")
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
