"""Real rasa-sdk servers with the actions of tests/actions_pkg: that of this environment, and that of Rasa 3.6, which
needs CPython 3.10 and an environment of its own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parents[2]
OLD = "3.6.2"
HOME = Path.home() / ".cache" / "deskhand" / f"rasa-sdk-{OLD}"


@contextmanager
def sdk_server(python: str | Path = sys.executable) -> Iterator[str]:
    """The address of a server that runs as long as the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(python), "-m", "rasa_sdk", "--actions", "actions_pkg", "--port", str(port)]
    process = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_ready(process, f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/webhook"
    finally:
        process.terminate()
        process.wait(10)


def _until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            pass
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"the action server ended with {process.wait(0.1)}; run it by hand to see why")
    raise AssertionError("the action server does not start")


def old_python() -> Path:
    """The interpreter of an environment with rasa-sdk 3.6, made on first use. LookupError when it cannot be had."""
    python = HOME / "bin" / "python"
    if _runs(python, "import rasa_sdk"):
        return python
    base = next(
        (found for found in _pythons() if _runs(found, "import sys; assert sys.version_info[:2] == (3, 10)")), ""
    )
    if not base:
        raise LookupError("no CPython 3.10 here, which rasa-sdk 3.6 needs")
    HOME.parent.mkdir(parents=True, exist_ok=True)
    for command in ([base, "-m", "venv", "--clear", HOME], [python, "-m", "pip", "install", "-q", f"rasa-sdk=={OLD}"]):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LookupError(f"rasa-sdk {OLD} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return python


def _pythons() -> Iterator[str | Path]:
    if found := shutil.which("python3.10"):
        yield found
    yield from sorted((Path.home() / ".pyenv" / "versions").glob("3.10*/bin/python3"))


def _runs(python: str | Path, code: str) -> bool:
    try:
        return subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
