"""`deskhand demo`: the demo shop on one machine, from its transcripts to a bot that answers in the widget."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.settings import Settings
from retrieval.bundle import Bundles
from retrieval.errors import BadInput, Unavailable

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True)

SHOP = Path("config/demo")
PATIENCE_S = 10


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the server.")] = 8000,
    data: Annotated[Path, typer.Option("--data", help="Where the demo keeps its data.")] = Path("data/demo"),
    train_only: Annotated[bool, typer.Option("--train-only", help="Stop when the bot is trained.")] = False,
) -> None:
    """Train a bot on the demo shop's conversations (once), start it, and say where to look."""
    if not (SHOP / "transcripts.jsonl").is_file():
        raise BadInput(f"{SHOP}/transcripts.jsonl is not here: run `deskhand demo` in the repository's folder")
    settings = Settings.build(data_dir=data, config_dir=SHOP, port=port)
    if not train_only:
        _port_must_be_free(settings)
    if Bundles(settings.bundles).current() is None:
        _learn(settings)
    if not train_only:
        _serve(settings)


def _learn(settings: Settings) -> None:
    from bot.commands.train import train_bundle
    from bot.commands.transcripts import import_

    console.print("[bold]1/3[/] importing the demo shop's conversations")
    import_([SHOP / "transcripts.jsonl"], data=settings.data_dir)
    console.print("[bold]2/3[/] training (about three minutes, once)")
    started = time.monotonic()
    id = train_bundle(settings)
    console.print(f"    bundle {id} in {time.monotonic() - started:.0f} s")
    console.print("[bold]3/3[/] putting it into service")
    from bot.commands.bundles import promote

    promote(id, data=settings.data_dir, config=settings.config_dir)


def _serve(settings: Settings) -> None:
    """Action server, worker and server, each in a process of its own; all stop together."""
    actions = _free_port()
    environment = {
        **os.environ,
        "DESKHAND_DATA_DIR": str(settings.data_dir.absolute()),
        "DESKHAND_CONFIG_DIR": str(settings.config_dir.absolute()),
        "DESKHAND_ACTIONS_URL": f"http://127.0.0.1:{actions}/webhook",
        "DESKHAND_SHOP_DB": str((settings.data_dir / "shop.sqlite").absolute()),
        "DESKHAND_HOST": settings.host,
        "DESKHAND_PORT": str(settings.port),
    }
    commands = {
        "actions": ([sys.executable, "-m", "rasa_sdk", "--actions", "actions", "--port", str(actions)], SHOP),
        "worker": ([sys.executable, "-m", "bot.cli", "worker"], None),
        "server": ([sys.executable, "-m", "bot.cli", "serve"], None),
    }
    logs = settings.data_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with _stopping() as running:
        for name, (command, folder) in commands.items():
            output = None if name == "server" else (logs / f"{name}.log").open("w")
            running[name] = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        _wait_until_ready(settings, running, logs)
        _tell(settings, logs)
        while True:
            _all_must_run(running, logs, watch=1)


def _port_must_be_free(settings: Settings) -> None:
    """Said before minutes of training, not after."""
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise Unavailable(f"cannot listen on {place} ({error.strerror}); give another port with --port") from error


def _wait_until_ready(settings: Settings, running: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    import httpx

    while True:
        _all_must_run(running, logs, watch=0.2)
        with suppress(httpx.TransportError):
            httpx.get(f"http://{settings.host}:{settings.port}/health/live", timeout=1, trust_env=False)
            return


def _tell(settings: Settings, logs: Path) -> None:
    place = f"http://{settings.host}:{settings.port}"
    console.print(
        f"\n  [bold green]The demo shop is open.[/]\n"
        f"  widget      {place}/demo\n"
        f"  API docs    {place}/docs\n"
        f'  REST        curl -d \'{{"sender":"me","message":"Do you ship to Germany?"}}\' '
        f"{place}/webhooks/rest/webhook\n"
        f"  token       deskhand token --data {settings.data_dir} (for /api/v1: be the person, see docs/demo.md)\n"
        f"  logs        {logs}\n"
        f"  Ctrl-C stops everything.\n",
        soft_wrap=True,
    )


def _all_must_run(running: dict[str, subprocess.Popen[bytes]], logs: Path, *, watch: float) -> None:
    """Looks for `watch` seconds, less when the server ends."""
    with suppress(subprocess.TimeoutExpired):
        running["server"].wait(watch)
    for name, process in running.items():
        if process.poll() is not None:
            raise Unavailable(f"the {name} process ended with {process.returncode}; see {logs} and the lines above")


@contextmanager
def _stopping() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Processes put into the dictionary are asked to stop, and made to after a while, however the block ends."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        yield running
    except KeyboardInterrupt:
        console.print("stopping ...")
    finally:
        for process in running.values():
            process.terminate()
        deadline = time.monotonic() + PATIENCE_S
        for process in running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
