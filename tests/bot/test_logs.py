from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from bot.logs import configure


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def fail(secret: str) -> None:
    raise ValueError("the engine broke")


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_failure_is_logged_with_its_place_but_without_what_the_customer_wrote(
    capsys: pytest.CaptureFixture[str], style: Literal["text", "json"]
) -> None:
    configure("info", style)
    try:
        fail(" ".join(["4111"] * 4))
    except ValueError as error:
        structlog.get_logger().error("the turn failed", exc_info=error)
    written = capsys.readouterr().err
    assert "the engine broke" in written
    assert "in fail" in written
    assert "4111 4111" not in written


def test_json_lines_carry_the_trace_and_those_of_libraries_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    with structlog.contextvars.bound_contextvars(trace="t1"):
        structlog.get_logger().info("ours", bundle="b")
        logging.getLogger("uvicorn").warning("theirs")
        structlog.get_logger().debug("too detailed")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["bundle"], ours["trace"], ours["level"]) == ("ours", "b", "t1", "info")
    assert (theirs["event"], theirs["trace"], theirs["level"]) == ("theirs", "t1", "warning")
