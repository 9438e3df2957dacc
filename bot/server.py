"""Runs the app under uvicorn until SIGTERM or Ctrl-C, and says where it is."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from rich.console import Console

from bot.app import create_app
from bot.auth import token_command
from bot.logs import configure
from bot.settings import Settings
from retrieval.errors import Unavailable

BACKLOG = 2048


def run(settings: Settings) -> None:
    """Raises BadInput for a mistake in the configuration, Unavailable when a part cannot be started."""
    configure(settings.log_level, settings.log_format)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        ws_max_size=2**20,
        ws="websockets-sansio",
    )
    server = Server(config)
    server.token_command = token_command(settings)
    with _listen(settings.host, settings.port) as listener:
        server.address = f"http://{_shown(settings.host)}:{listener.getsockname()[1]}"
        server.run(sockets=[listener])
    if not server.came_up:
        raise Unavailable("the server did not start; the lines above say why")


class Server(uvicorn.Server):
    address = ""
    token_command = ""
    came_up = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the process with code 0 once all is closed; uvicorn's own would raise them again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.came_up = True
            console = Console(highlight=False, soft_wrap=True)
            console.print(f"Deskhand is ready on {self.address}")
            console.print(f"  widget   {self.address}/demo")
            console.print(f"  API      {self.address}/docs")
            console.print(f"  health   {self.address}/health/ready")
            console.print(f"  token    {self.token_command} (for /api/v1)", markup=False)


def _listen(host: str, port: int) -> socket.socket:
    """Bound before uvicorn starts, so that port 0 can be told and a taken port is an error with its cure."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise Unavailable(f"cannot listen on {host}:{port}: {error}; give another with --port") from error


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
