"""The chat as a page of its own, for an `<iframe>` on pages of a site where nobody may add a script."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from bot.widget.door import Door, frame_ancestors

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<script src="../../widget.js" data-site-key="{key}" defer></script>
<script src="../frame.js" defer></script>
<body><deskhand-chat site-key="{key}"></deskhand-chat></body>
</html>
"""
OPENS = 'customElements.whenDefined("deskhand-chat").then(() => document.querySelector("deskhand-chat").show());\n'
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src * data:; "
    "base-uri 'none'; form-action 'self'; "
)


def router(door: Door) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/widget/frame/{site_key}")
    def frame(site_key: str) -> HTMLResponse:
        site = door.site(site_key)
        page = PAGE.format(key=escape(site_key), name=escape(site.name or door.config.name))
        headers = {"content-security-policy": POLICY + frame_ancestors(site), "cache-control": "no-cache"}
        return HTMLResponse(page, headers=headers)

    @routes.get("/widget/frame.js")
    def opens() -> Response:
        return Response(OPENS, media_type="text/javascript; charset=utf-8")

    return routes
