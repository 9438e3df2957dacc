"""All of the widget in one call: channel, socket, files, its own assets, and what lets pages of other sites in."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.auth import Access
from bot.channels import widget, widget_files, widget_socket
from bot.channels.widget import Channel
from bot.widget import assets, frame


class Doors:
    """Lets pages of other sites read what `/widget*` answers. Which sites may embed it is asked at the door itself:
    there is no cookie, so the answer to a stranger is worth nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open = CORSMiddleware(
            app, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"], max_age=3600
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        widget = scope["type"] == "http" and scope["path"].startswith("/widget")
        await (self.open if widget else self.app)(scope, receive, send)


def register(app: FastAPI, channel: Channel, access: Access) -> None:
    app.state.widget = channel
    app.add_middleware(Doors)
    for router in (widget.router, widget_socket.router, widget_files.router):
        app.include_router(router)
    app.include_router(widget_files.operators(access, channel.files))
    app.include_router(assets.router())
    app.include_router(frame.router(channel.door))
