"""Many widgets at once: how long a turn takes with 500 of them open, and what a restart of the server does to 200.

As many messages a second come from 20 widgets first, so that what the other 480 cost stands side by side.

    python bench/channels.py --data data/demo --config config/demo [--json]

Starts a real `deskhand serve` with its embedded Redis on temporary state and the bundle of `--data`. The widgets are
WebSocket clients that behave as `bot/widget/connection.js` does: they keep the offset, come back after a break with its
waits, and send again, with the same id, what they never saw in the conversation. They share the server's machine.
Rate limits and the wait for a second short message are off: neither is what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import websockets
import yaml
from serve import ROOT, Texts, quantile

BACKOFF_S = (0.3, 0.8, 2.0, 4.0, 6.0)
TARGETS = {"p95_ms": 100.0, "all_back_s": 10.0, "lost": 0, "doubled": 0}
FAST = "1000000/minute"
FEW = 20
TOKEN = "the bench's own operator"


class Widget:
    """One customer. `seen` are the events by offset, `shown` all that came, `said` the ids of what was said."""

    def __init__(self, address: str, session: dict[str, Any]) -> None:
        self._url = address.replace("http", "ws", 1) + "/widget/ws"
        self._token, self.conversation = session["token"], session["conversation"]
        self._socket: Any = None
        self._offset = 0
        self._waiting: dict[str, tuple[str, asyncio.Future[None]]] = {}
        self.seen: dict[int, dict[str, Any]] = {}
        self.shown = 0
        self.said: list[str] = []
        self.live_at = 0.0
        self.live = asyncio.Event()

    async def run(self) -> None:
        broken = 0
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException, TimeoutError):
                async with websockets.connect(self._url, open_timeout=6, ping_interval=None) as self._socket:
                    await self._send({"type": "hello", "token": self._token, "offset": self._offset})
                    async for text in self._socket:
                        broken = 0
                        await self._hear(json.loads(text))
            self._socket = None
            self.live.clear()
            await asyncio.sleep(BACKOFF_S[min(broken, len(BACKOFF_S) - 1)] * random.uniform(0.75, 1.25))
            broken += 1

    async def _hear(self, frame: dict[str, Any]) -> None:
        for event in frame.get("events", ()):
            self.shown += 1
            self.seen[event["offset"]] = event
            if event["kind"] == "customer" and event["id"] in self._waiting:
                self._waiting.pop(event["id"])[1].set_result(None)
        self._offset = frame.get("next", self._offset)
        if not self.live.is_set():
            self.live_at = time.perf_counter()
            self.live.set()
            for id_, (text, _) in list(self._waiting.items()):
                await self._say(id_, text)

    async def say(self, text: str) -> float:
        """Milliseconds until the turn is on the screen: what was said and the reply are stored, and come, as one."""
        id_, done = uuid.uuid4().hex, asyncio.get_running_loop().create_future()
        self._waiting[id_] = (text, done)
        self.said.append(id_)
        began = time.perf_counter()
        if self.live.is_set():
            await self._say(id_, text)
        await done
        return (time.perf_counter() - began) * 1000

    async def _say(self, id_: str, text: str) -> None:
        await self._send({"type": "messages", "id": id_, "text": text})

    async def _send(self, frame: dict[str, Any]) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):  # it is sent again when the line is back
            await self._socket.send(json.dumps(frame))


class Server:
    """`deskhand serve` on one port; its state outlives a restart."""

    def __init__(self, state: Path, config: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DESKHAND_")}
        self._environment = {
            **kept,
            "DESKHAND_DATA_DIR": str(state),
            "DESKHAND_CONFIG_DIR": str(config),
            "DESKHAND_OPERATOR_TOKEN": TOKEN,
            "DESKHAND_LOG_LEVEL": "error",
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "bot.cli", "serve", "--port", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self._environment, cwd=ROOT)
        assert self._process.stdout is not None
        if not any("ready on" in line for line in self._process.stdout):
            raise SystemExit("the server did not come up")

    def stop(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)
        self._process.wait(60)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        rows = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return int(next(row for row in rows if row.startswith("VmRSS")).split()[1]) / 1024


@contextlib.asynccontextmanager
async def open_widgets(server: Server, count: int) -> Any:
    async with httpx.AsyncClient(base_url=server.address, timeout=60) as http:
        answers = [await http.post("/widget/session", json={"site_key": "demo"}) for _ in range(count)]
    widgets = [Widget(server.address, answer.raise_for_status().json()) for answer in answers]
    tasks = [asyncio.create_task(widget.run()) for widget in widgets]
    await asyncio.gather(*(widget.live.wait() for widget in widgets))
    yield widgets
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def talk(widget: Widget, texts: Texts, every_s: float, stop: asyncio.Event, taken: list[float]) -> None:
    """Says something about every `every_s` seconds until `stop`, and waits for each turn."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), random.uniform(0, 2 * every_s))
        if not stop.is_set():
            taken.append(await widget.say(texts.next()))


async def load(server: Server, texts: Texts, count: int, every_s: float, seconds: float) -> dict[str, Any]:
    async with open_widgets(server, count) as widgets:
        stop, taken, cpu, began = asyncio.Event(), [], server.cpu_s(), time.perf_counter()
        talks = [asyncio.create_task(talk(one, texts, every_s, stop, taken)) for one in widgets]
        await asyncio.sleep(seconds)
        stop.set()
        await asyncio.gather(*talks)
        seconds = time.perf_counter() - began
        return {
            "widgets": len(widgets),
            "messages_per_s": round(len(taken) / seconds, 1),
            **{f"p{share}_ms": round(quantile(taken, share / 100), 1) for share in (50, 95, 99)},
            "server_cpu_ms_per_message": round(1000 * (server.cpu_s() - cpu) / len(taken), 1),
            "rss_mb": round(server.memory_mb()),
        }


async def restart(server: Server, texts: Texts, given: argparse.Namespace, number: int) -> dict[str, Any]:
    """Everybody goes on talking while the server is stopped and started again."""
    async with open_widgets(server, given.restart_widgets) as widgets:
        stop = asyncio.Event()
        talks = [asyncio.create_task(talk(one, texts, 4.0, stop, [])) for one in widgets]
        await asyncio.sleep(5)
        began = time.perf_counter()
        await asyncio.to_thread(server.stop, number)
        stopped = time.perf_counter()
        await asyncio.to_thread(server.start)
        ready = time.perf_counter()
        async with asyncio.timeout(120):
            await asyncio.gather(*(back(widget, stopped) for widget in widgets))
        await asyncio.sleep(5)
        stop.set()
        await asyncio.gather(*talks)
        lost, doubled = await compare(server, widgets)
        return {
            "widgets": len(widgets),
            "signal": signal.Signals(number).name,
            "server_away_s": round(ready - began, 1),
            "all_back_s": round(max(widget.live_at for widget in widgets) - ready, 1),
            "said": sum(len(widget.said) for widget in widgets),
            "lost": lost,
            "doubled": doubled,
        }


async def back(widget: Widget, since: float) -> None:
    while widget.live_at < since:  # noqa: ASYNC110 (an event cannot tell the line before the restart from the one after)
        await asyncio.sleep(0.02)


async def compare(server: Server, widgets: list[Widget]) -> tuple[int, int]:
    """(messages that the desk does not have, messages that it has or that the customer saw more than once)."""
    lost = doubled = 0
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=server.address, headers=headers, timeout=60) as http:
        for widget in widgets:
            if not widget.said:
                continue
            answer = await http.get(f"/api/v1/conversations/{widget.conversation}")
            events = answer.raise_for_status().json()["events"]
            kept = [event["message_id"] for event in events if event["event"] == "UserSaid"]
            lost += len(set(widget.said) - set(kept))
            doubled += len(kept) - len(set(kept)) + widget.shown - len(widget.seen)
    return lost, doubled


async def measure(given: argparse.Namespace) -> dict[str, Any]:
    texts = Texts(given.data / "transcripts")
    with tempfile.TemporaryDirectory(prefix="deskhand-bench-") as folder:
        state, config = Path(folder) / "data", Path(folder) / "config"
        state.mkdir()
        for name in ("bundles", "knowledge"):
            if (given.data / name).is_dir():
                (state / name).symlink_to((given.data / name).absolute())
        shutil.copytree(given.config, config)
        (config / "deskhand.yml").write_text(yaml.safe_dump(unlimited(config / "deskhand.yml")))
        server = Server(state, config)
        before = os.getloadavg()[0]
        server.start()
        try:
            often = given.every * FEW / given.widgets
            result: dict[str, Any] = {"few": await load(server, texts, FEW, often, given.seconds)}
            result["many"] = await load(server, texts, given.widgets, given.every, given.seconds)
            for number in (signal.SIGTERM, signal.SIGKILL):
                result[f"restart_{signal.Signals(number).name}"] = await restart(server, texts, given, number)
        finally:
            server.stop()
        return {**result, "load_before": round(before, 1)}


def unlimited(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    rates = dict.fromkeys(("visitor", "sessions", "address", "site", "key"), FAST)
    return {**(config or {}), "rates": rates, "bursts": {"moment_s": 0}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "demo")
    parser.add_argument("--widgets", type=int, default=500)
    parser.add_argument("--every", type=float, default=50.0, help="seconds between two messages of one widget")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--restart-widgets", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = asyncio.run(measure(given))
    if given.json:
        print(json.dumps(result))
        return
    for part, values in result.items():
        for key, value in values.items() if isinstance(values, dict) else ((part, values),):
            target = f"   (target {TARGETS[key]:g})" if key in TARGETS else ""
            print(f"{part:18} {key:28} {value}{target}")


if __name__ == "__main__":
    main()
