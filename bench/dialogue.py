"""The dialogue manager on Rasa's example projects, beside Rasa itself: start, memory, speed, long conversations.

    python3.10 -m venv ENV
    ENV/bin/pip install rasa==3.6.21 python-socketio==5.9.0 'python-engineio<4.9'
    python bench/dialogue.py --rasa ENV/bin/rasa

Without `--rasa` only Deskhand is measured. Both train a copy of each project and get the same messages over REST on the
same machine, one server after the other: examples of each project's nlu.yml, every one from a new customer; then one
customer who goes on for 150 turns. An action server with the projects' actions is started by itself. At the end stand
the ratios that were promised. `--rasa-trained FOLDER` takes trained copies of the projects, so that Rasa's training,
some minutes for each, is left out, and its ratio with it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from bot.domain import load_domain
from retrieval.bundle import Bundles

ROOT = Path(__file__).parents[1]
PROJECTS = ROOT.parent / "shared" / "rasa" / "projects"
NAMES = ("moodbot", "formbot", "concertbot")
CLIENTS, TURNS, WINDOW = 16, 150, 20
RULED = {"moodbot": "/bot_challenge", "formbot": "/greet", "concertbot": "/greet"}


@dataclass
class Server:
    """A process that answers `POST /webhooks/rest/webhook` at `port`."""

    process: subprocess.Popen[bytes]
    port: int
    start_s: float

    def memory_mb(self) -> float:
        return _status(self.process.pid, "VmHWM") / 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def _status(pid: int, key: str) -> int:
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(row for row in rows if row.startswith(key)).split()[1])


def start(command: Sequence[str], port: int, folder: Path, environment: dict[str, str], ready: str) -> Server:
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while time.perf_counter() - began < 300:
        if process.poll() is not None:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", ready)
            if connection.getresponse().status == 200:
                return Server(process, port, time.perf_counter() - began)
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{' '.join(command)} did not come up")


class Client:
    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def say(self, sender: str, text: str) -> float:
        """Milliseconds from sending to having the whole reply."""
        body = json.dumps({"sender": sender, "message": text})
        began = time.perf_counter()
        self._connection.request("POST", "/webhooks/rest/webhook", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"HTTP {answer.status} to {text!r}")
        return (time.perf_counter() - began) * 1000


@dataclass(frozen=True)
class Figures:
    """Of one server with one project. `ruled` and `lost` are milliseconds of the first and of the last turns."""

    train_s: float
    train_cpu_s: float
    start_s: float
    memory_mb: float
    p50: float
    p95: float
    alone: float
    crowd: float
    cpu_ms: float
    ruled: tuple[float, float]
    lost: tuple[float, float]

    def row(self) -> str:
        numbers = (self.train_s, self.train_cpu_s, self.start_s, self.memory_mb, self.p50, self.p95, self.alone,
                   self.crowd, self.cpu_ms)  # fmt: skip
        pairs = (f"{first:.1f}, {last:.1f}" for first, last in (self.ruled, self.lost))
        return " | ".join([*(f"{number:.1f}" for number in numbers), *pairs])


def ratios(rasa: Figures, ours: Figures) -> Iterator[tuple[str, float, float]]:
    """(what, how many times better, what was promised)."""
    yield "16 clients, messages/s", ours.crowd / rasa.crowd, 8
    yield "one at a time, messages/s", ours.alone / rasa.alone, 8
    yield "latency p50", rasa.p50 / ours.p50, 4
    yield "latency p95", rasa.p95 / ours.p95, 4
    yield "CPU for a message", rasa.cpu_ms / ours.cpu_ms, 8
    yield "memory", rasa.memory_mb / ours.memory_mb, 3
    yield "start", rasa.start_s / ours.start_s, 10
    if rasa.train_s:
        yield "training, seconds", rasa.train_s / ours.train_s, 10
        yield "training, CPU seconds", rasa.train_cpu_s / ours.train_cpu_s, 10
    for what, theirs, own in (("a rule", rasa.ruled, ours.ruled), ("the fallback", rasa.lost, ours.lost)):
        yield f"turns 131-150, {what}", theirs[1] / own[1], 4
        yield f"our turns 1-20 to 131-150, {what}", own[0] / own[1], 0.8


def measure(
    name: str, server: Server, texts: Sequence[str], trained: tuple[float, float], *, messages: int, seconds: float
) -> Figures:
    told = cycle(texts)
    client = Client(server.port)
    for number in range(20):
        client.say(f"warm{number}", next(told))
    alone = [client.say(f"one{number}", next(told)) for number in range(messages)]
    before = server.cpu_s()
    rate, count = crowd(server.port, texts, seconds)
    cpu = 1000 * (server.cpu_s() - before) / count
    client = Client(server.port)  # the first has been idle for longer than a server keeps a connection
    ruled = windows(client, "ruled", RULED[name])
    lost = windows(client, "lost", "/this_is_no_intent")
    p50, p95 = statistics.median(alone), statistics.quantiles(alone, n=20)[-1]
    each = 1000 / statistics.mean(alone)
    return Figures(*trained, server.start_s, server.memory_mb(), p50, p95, each, rate, cpu, ruled, lost)


def crowd(port: int, texts: Sequence[str], seconds: float) -> tuple[float, int]:
    """(messages a second, messages) of `CLIENTS` connections that each wait for their reply."""
    deadline = time.perf_counter() + seconds
    counts = [0] * CLIENTS

    def run(number: int) -> None:
        client, told = Client(port), cycle(texts[number % len(texts) :] or texts)
        while time.perf_counter() < deadline:
            client.say(f"many{number}-{counts[number]}", next(told))
            counts[number] += 1

    began = time.perf_counter()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began), sum(counts)


def windows(client: Client, sender: str, text: str) -> tuple[float, float]:
    """Median milliseconds of the first and of the last turns of one conversation."""
    took = [client.say(sender, text) for _ in range(TURNS)]
    return statistics.median(took[:WINDOW]), statistics.median(took[-WINDOW:])


def examples(name: str) -> list[str]:
    """Examples of each intent in turn, so that no two in a row mean the same."""
    by_intent: dict[str, list[str]] = {}
    for example in load_domain(PROJECTS / name).nlu.examples:
        by_intent.setdefault(example.intent, []).append(example.text)
    longest = max(map(len, by_intent.values()))
    return [texts[at] for at in range(longest) for texts in by_intent.values() if at < len(texts)]


def timed(command: Sequence[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds, and seconds of processor time, that a command took."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def deskhand(name: str, data: Path, actions: str, port: int) -> tuple[tuple[float, float], Server]:
    """What training took, and the server."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DESKHAND_")}
    environment |= {"DESKHAND_DATA_DIR": str(data), "DESKHAND_CONFIG_DIR": str(PROJECTS / name)}
    environment |= {"DESKHAND_ACTIONS_URL": actions, "DESKHAND_PORT": str(port), "DESKHAND_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "bot.cli"]
    trained = timed([*command, "train"], ROOT, environment)
    bundles = Bundles(data / "bundles")
    bundles.promote(bundles.ids()[-1])
    return trained, start([*command, "serve"], port, ROOT, environment, "/health/ready")


def rasa(command: Path, name: str, trained: Path | None, work: Path, port: int) -> tuple[tuple[float, float], Server]:
    """What training took (nothing when it was trained before), and the server."""
    environment = {**os.environ, "RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3"}
    took = (0.0, 0.0)
    folder = trained.absolute() / name if trained else work / "rasa" / name
    if trained is None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(PROJECTS / name, folder, copy_function=shutil.copyfile)
        took = timed([str(command), "train"], folder, environment)
    run = [str(command), "run", "-i", "127.0.0.1", "-p", str(port), "--enable-api"]
    return took, start(run, port, folder, environment, "/status")


@contextmanager
def action_server(address: str) -> Iterator[None]:
    """The projects' actions at the address, unless somebody answers there already."""
    host, port = urlsplit(address).hostname or "localhost", urlsplit(address).port or 5055
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            yield
            return
    command = [sys.executable, "-m", "rasa_sdk", "--actions", "actions_pkg", "--port", str(port)]
    server = start(command, port, ROOT / "tests", dict(os.environ), "/health")
    try:
        yield
    finally:
        server.stop()


def rows(given: argparse.Namespace) -> Iterator[str]:
    promised: list[str] = []
    for name in given.projects:
        texts = examples(name)
        limits = {"messages": given.messages, "seconds": given.seconds}
        # The encoder is exported once, whatever is trained: the second project on finds it in the same place.
        trained, server = deskhand(name, given.work, given.actions, given.port)
        try:
            ours = measure(name, server, texts, trained, **limits)
            yield f"| {name} | Deskhand | {ours.row()} |"
        finally:
            server.stop()
        if given.rasa:
            trained, server = rasa(given.rasa.absolute(), name, given.rasa_trained, given.work, given.port)
            try:
                theirs = measure(name, server, texts, trained, **limits)
                yield f"| {name} | Rasa | {theirs.row()} |"
            finally:
                server.stop()
            promised += [
                f"| {name} | {what} | {times:.1f} | {wanted:g} | {'yes' if times >= wanted else 'no'} |"
                for what, times, wanted in ratios(theirs, ours)
            ]
    if promised:
        yield "\n| project | | times better | promised | kept |\n|---|---|---:|---:|---|"
        yield from promised


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--actions", default="http://localhost:5055/webhook")
    parser.add_argument("--rasa", type=Path, help="the command of an environment with Rasa 3.6")
    parser.add_argument("--rasa-trained", type=Path, help="folder with a trained copy of each project")
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "deskhand-bench-dialogue")
    given = parser.parse_args()
    print(f"load average at the start: {os.getloadavg()[0]:.1f}\n")
    print("| project | server | trained in, s | CPU s | start, s | peak MB | p50 ms | p95 ms | messages/s |"
          " 16 clients | CPU ms | turns 1-20, 131-150: a rule, ms | the fallback, ms |")  # fmt: skip
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    with action_server(given.actions):
        for row in rows(given):
            print(row, flush=True)


if __name__ == "__main__":
    main()
