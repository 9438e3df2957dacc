"""`deskhand webhooks`: see, try and repeat what the desk tells others."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.commands.tables import print_table
from bot.settings import Settings
from retrieval.errors import BadInput, DeskhandError, NotFound

if TYPE_CHECKING:
    from bot.stores.hooks import Hooks

app = typer.Typer(help="Webhooks out: list, listen, test, replay.", no_args_is_help=True)
console = Console(highlight=False, soft_wrap=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (DESKHAND_DATA_DIR).")]
EndpointId = Annotated[str, typer.Argument(help="The endpoint, as `deskhand webhooks list` shows it.")]


class NotDelivered(DeskhandError):
    pass


@app.command("list")
def list_(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False
) -> None:
    """The endpoints, newest first; POST /api/v1/webhooks adds one."""
    with _hooks(Settings.build(data_dir=data)) as hooks:
        found = hooks.endpoints()
    if as_json:
        keys = ("id", "url", "events", "body", "created_at", "disabled_because")
        typer.echo(json.dumps([{key: getattr(one, key) for key in keys} for one in found]))
        return
    table = Table("id", "url", "events", "body", "", box=None)
    for one in found:
        table.add_row(one.id, one.url, ", ".join(one.events) or "all", one.body, one.disabled_because or "")
    print_table(table)


@app.command()
def listen(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free one.")] = 0,
    event: Annotated[list[str] | None, typer.Option(help="Only this type; repeatable.")] = None,
    data: Data = None,
) -> None:
    """Receive what happens on this machine, verify and print it; needs DESKHAND_WEBHOOKS_PRIVATE and a worker."""
    settings = Settings.build(data_dir=data)
    if not settings.webhooks_private:
        raise BadInput("webhooks do not go to this machine; set DESKHAND_WEBHOOKS_PRIVATE=true for worker and listener")
    with _hooks(settings) as hooks, ThreadingHTTPServer(("127.0.0.1", port), _Receiver) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        endpoint = hooks.add(address, events=event or (), body="full", description="deskhand webhooks listen")
        _Receiver.secret = endpoint.secret
        try:
            typer.echo(f"listening on {address} as {endpoint.id}; Ctrl-C ends it")
            server.serve_forever()
        finally:
            hooks.remove(endpoint.id)


class _Receiver(BaseHTTPRequestHandler):
    secret = ""

    def do_POST(self) -> None:
        from standardwebhooks.webhooks import Webhook, WebhookVerificationError

        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            typer.echo(json.dumps(Webhook(self.secret).verify(body, dict(self.headers.items())), ensure_ascii=False))
            self.send_response(204)
        except WebhookVerificationError as error:
            console.print(f"refused: {error}", style="red", markup=False)
            self.send_response(400)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The events are what is to be seen."""


@app.command("test")
def try_(endpoint: EndpointId, data: Data = None) -> None:
    """Send a `webhook.test` to an endpoint now and say what it answered."""
    from bot.webhooks.deliver import Deliverer
    from bot.webhooks.send import Sender
    from bot.webhooks.trial import try_out

    settings = Settings.build(data_dir=data)
    with _hooks(settings) as hooks:
        deliverer = Deliverer(hooks, Sender(private=settings.webhooks_private))
        try:
            delivery = deliverer.attempt(hooks.job(try_out(hooks, hooks.endpoint(endpoint)).id))
            hooks.record([delivery])
        finally:
            deliverer.close()
    if delivery.status != "delivered":
        raise NotDelivered(f"{endpoint} did not take it: {delivery.last_error}")
    console.print(f"{endpoint} answered {delivery.last_status}.")


@app.command()
def replay(
    endpoint: EndpointId,
    delivery: Annotated[str, typer.Option(help="This delivery, whatever became of it.")] = "",
    hours: Annotated[float, typer.Option(min=0, help="Without --delivery: what failed in so many hours.")] = 24,
    data: Data = None,
) -> None:
    """Deliver again, from the first try on; the worker does it."""
    with _hooks(Settings.build(data_dir=data)) as hooks:
        known = hooks.endpoint(endpoint)
        count = hooks.replay(known.id, delivery_id=delivery or None, since=time.time() - hours * 3600)
    if delivery and not count:
        raise NotFound(f"endpoint {endpoint!r} has no delivery {delivery!r}")
    console.print(f"{count} {'delivery is' if count == 1 else 'deliveries are'} tried again.")


@contextmanager
def _hooks(settings: Settings) -> Iterator[Hooks]:
    from bot.stores.hooks import Hooks
    from bot.stores.sql import Records

    records = Records(settings.database)
    try:
        records.migrate()
        yield Hooks(records)
    finally:
        records.close()
