"""What webhooks cost a message: the same server without readers, with the outbox, and with a worker that delivers.

    python bench/webhooks.py --data data --config config/demo [--seconds 8] [--rounds 3]

Each round measures all three, one after the other, as `bench/serve.py` does: a message at a time, then 16 clients. The
receiver answers 204 on loopback and subscribes to everything, with full bodies. Ratios are what counts: medians of the
rounds, on a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.serve import measure  # noqa: E402
from bot.events import BotSaid, UserSaid  # noqa: E402
from bot.stores.embedded import reachable  # noqa: E402
from bot.stores.redis import RedisStore  # noqa: E402
from bot.webhooks.relay import READER, always  # noqa: E402

WAYS = ("none", "outbox", "delivered")
SHOWN = ("p50_ms", "p95_ms", "messages_per_s", "server_cpu_ms_per_message")


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    got = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        Receiver.got += 1
        self.send_response(204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def serve_one_way(way: str, receiver: str) -> None:
    """In the server's process: `deskhand serve` with that much of the webhooks."""
    import bot.app
    from bot.cli import main
    from bot.settings import Settings
    from bot.stores.embedded import EmbeddedRedis
    from bot.stores.hooks import Hooks
    from bot.stores.sql import Records

    if way == "none":
        bot.app.RedisStore = lambda url, readers=None: RedisStore(url)  # type: ignore[assignment, misc]
    if way == "delivered":
        settings = Settings.build()
        records = Records(settings.database)
        records.migrate()
        hooks = Hooks(records)
        if not hooks.endpoints():
            hooks.add(receiver, body="full")
        places = [EmbeddedRedis(settings.redis_dir).url, str(settings.data_dir), str(settings.config_dir)]
        environment = {**os.environ, "DESKHAND_WEBHOOKS_PRIVATE": "true"}
        subprocess.Popen([sys.executable, "-m", "bot.webhooks.run", *places], env=environment, cwd=ROOT)
    sys.argv = ["deskhand", "serve"]
    main()


async def commits(count: int) -> dict[str, float]:
    """Milliseconds of a turn that stores two events, by turns without and with the outbox: medians of `count`."""
    taken: dict[str, list[float]] = {"none": [], "outbox": []}
    with tempfile.TemporaryDirectory(prefix="deskhand-bench-") as folder, reachable(None, Path(folder)) as url:
        stores = {"none": RedisStore(url), "outbox": RedisStore(url, readers={READER: always})}
        for number in range(2 * count):
            way = ("none", "outbox")[number % 2]
            began = time.perf_counter()
            async with stores[way].turn(f"c{number // 8}-{way}") as turn:
                turn.add(UserSaid(text="hello", message_id=f"m{number}"), BotSaid(text="Hi."))
                await turn.commit()
            taken[way].append(1000 * (time.perf_counter() - began))
        for store in stores.values():
            await store.close()
    return {way: statistics.median(found) for way, found in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "demo")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commits", type=int, default=0, help="only time so many commits with and without the outbox")
    given = parser.parse_args()
    if given.commits:
        found_ms = asyncio.run(commits(given.commits))
        print(json.dumps({**found_ms, "ratio": found_ms["outbox"] / found_ms["none"]}))
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(given.rounds):
        for way in WAYS:
            code = f"import bench.webhooks as b; b.serve_one_way({way!r}, 'http://127.0.0.1:{server.server_port}/')"
            command = shlex.split(f"{sys.executable} -c {shlex.quote(code)}")
            found[way].append(measure(command, given.data, given.config, given.seconds))
            print(number + 1, way, json.dumps({key: found[way][-1][key] for key in SHOWN}), flush=True)
    print(f"webhooks received: {Receiver.got}")
    for key in SHOWN:
        medians = {way: statistics.median(one[key] for one in found[way]) for way in WAYS}
        ratios = "  ".join(f"{way} {medians[way]:.2f} (x{medians[way] / medians['none']:.2f})" for way in WAYS)
        print(f"{key:28} {ratios}")


if __name__ == "__main__":
    main()
