"""How fast the server is: start, memory, one message at a time, 16 clients at once.

    python bench/serve.py --data data --config config/demo [--json]

Starts a real `deskhand serve` with its embedded Redis (every acknowledged message is on disk) on a copy-free temporary
state, but on the bundle of `--data`. Customer texts come from `--data`'s transcripts, each one once, so that no cache
answers; messages that open a form go to the desk's `rasa-sdk` action server, started as well. The client shares the
machine with both servers, as it does in the house's target figures.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WARM = 30
SEQUENTIAL = 400
CLIENTS = 16
TURNS = 4  # messages a conversation

TARGETS = {"start_s": 3.0, "rss_mb": 450.0, "p50_ms": 15.0, "p95_ms": 40.0, "messages_per_s": 120.0}


class Texts:
    """Distinct customer texts, without end: when the transcripts are used up, they come again with a number."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._texts = self._endless(sorted(set(read_texts(folder))) or ["where is my order", "can i send it back"])

    @staticmethod
    def _endless(texts: list[str]) -> Iterator[str]:
        round_ = 0
        while True:
            for text in texts:
                yield text if not round_ else f"{text} ({round_})"
            round_ += 1

    def next(self) -> str:
        with self._lock:
            return next(self._texts)


def read_texts(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            for turn in json.loads(line)["turns"]:
                if turn["by"] == "customer" and 0 < len(turn["text"]) <= 500 and not turn["text"].startswith("/"):
                    yield turn["text"]


class Client:
    """One connection that stays open; every few messages a new customer."""

    def __init__(self, address: str, name: str, texts: Texts) -> None:
        host, port = address.removeprefix("http://").split(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=60)
        self._name = name
        self._texts = texts
        self._count = 0

    def say(self) -> float:
        """Milliseconds from sending to having the whole reply."""
        sender = f"{self._name}-{self._count // TURNS}"
        self._count += 1
        body = json.dumps({"sender": sender, "message": self._texts.next()})
        began = time.perf_counter()
        self._connection.request("POST", "/webhooks/rest/webhook", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise SystemExit(f"HTTP {answer.status}: {content.decode()}")
        return took


class Server:
    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        began = time.perf_counter()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "ready on" in line:
                self.address = line.split()[-1]
                break
        else:
            raise SystemExit("the server did not come up")
        self.start_s = time.perf_counter() - began

    def memory_mb(self, key: str) -> float | None:
        """`VmRSS` or `VmHWM`; None where there is no /proc."""
        status = Path(f"/proc/{self._process.pid}/status")
        if not status.exists():
            return None
        row = next(row for row in status.read_text().splitlines() if row.startswith(key))
        return int(row.split()[1]) / 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=30)


@contextmanager
def action_server(config: Path) -> Iterator[str]:
    """The webhook of `config/actions`, "" where the desk has no actions of its own."""
    if not (config / "actions").is_dir():
        yield ""
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "rasa_sdk", "--actions", "actions", "--port", str(port)]
    process = subprocess.Popen(command, cwd=config, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}/webhook"
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the action server did not come up")


def throughput(address: str, texts: Texts, seconds: float) -> tuple[float, list[float]]:
    """(messages a second, milliseconds of each) with `CLIENTS` connections that each wait for their reply."""
    deadline = time.perf_counter() + seconds
    taken: list[list[float]] = [[] for _ in range(CLIENTS)]

    def run(number: int) -> None:
        client = Client(address, f"many{number}", texts)
        while time.perf_counter() < deadline:
            taken[number].append(client.say())

    began = time.perf_counter()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [one for part in taken for one in part]
    return len(everything) / (time.perf_counter() - began), everything


def quantile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def measure(command: list[str], data: Path, config: Path, seconds: float) -> dict[str, Any]:
    texts = Texts(data / "transcripts")
    with tempfile.TemporaryDirectory(prefix="deskhand-bench-") as state, action_server(config) as actions:
        for name in ("bundles", "knowledge"):  # the bundle is read only; conversations go to the temporary state
            if (data / name).is_dir():
                (Path(state) / name).symlink_to((data / name).absolute())
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("DESKHAND_")},
            "DESKHAND_DATA_DIR": state,
            "DESKHAND_CONFIG_DIR": str(config.absolute()),
            "DESKHAND_PORT": "0",
            **({"DESKHAND_ACTIONS_URL": actions} if actions else {}),
            "DESKHAND_LOG_LEVEL": "error",
        }
        Server(command, environment).stop()  # files into the page cache, tables made: the second start is the one
        server = Server(command, environment)
        try:
            client = Client(server.address, "one", texts)
            for _ in range(WARM):
                client.say()
            alone = [client.say() for _ in range(SEQUENTIAL)]
            before = server.cpu_s()
            rate, crowd = throughput(server.address, texts, seconds)
            cpu = server.cpu_s() - before
            return {
                "start_s": round(server.start_s, 2),
                "rss_mb": server.memory_mb("VmRSS"),
                "peak_mb": server.memory_mb("VmHWM"),
                "p50_ms": round(quantile(alone, 0.5), 2),
                "p95_ms": round(quantile(alone, 0.95), 2),
                "p99_ms": round(quantile(alone, 0.99), 2),
                "messages_per_s": round(rate, 1),
                "clients": CLIENTS,
                "crowd_p50_ms": round(quantile(crowd, 0.5), 2),
                "crowd_p95_ms": round(quantile(crowd, 0.95), 2),
                "server_cpu_ms_per_message": round(1000 * cpu / len(crowd), 2),
                "load_before": os.getloadavg()[0],
            }
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "demo")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the 16 clients talk")
    parser.add_argument("--command", default=f"{sys.executable} -m bot.cli serve", help="what starts the server")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure(shlex.split(given.command), given.data, given.config, given.seconds)
    if given.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        target = f"   (target {TARGETS[key]:g})" if key in TARGETS else ""
        print(f"{key:28} {value}{target}")


if __name__ == "__main__":
    main()
