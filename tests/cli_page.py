"""Writes docs/cli.md, the page of all commands: `make docs`. A test compares it with what the command line says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

HEAD = """# Commands

Made by `make docs` from the command line itself. Exit codes: 0 done, 1 the work failed, 2 bad input or usage. Errors go
to the standard error as one line: what, which value, and the cure.
"""


def page() -> str:
    from bot.cli import app

    return "\n".join([HEAD, *lines(typer.main.get_command(app), "deskhand")])


def lines(command: Any, name: str) -> Iterator[str]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        yield from describe(command, name)
    for child, sub in sorted(children.items()):
        if not sub.hidden:
            yield from lines(sub, f"{name} {child}")


def describe(command: Any, name: str) -> Iterator[str]:
    shown = [option for option in command.params if option.name != "help"]
    arguments = [argument(option) for option in shown if option.param_type_name == "argument"]
    yield f"## {' '.join([name, *arguments])}\n"
    yield " ".join((command.help or "").split()) + "\n"
    rows = [row(option) for option in shown]
    if rows:
        yield "| | default | |\n|---|---|---|"
        yield from rows
        yield ""


def argument(option: Any) -> str:
    name = option.name.upper() + ("..." if option.nargs == -1 else "")
    return name if option.required else f"[{name}]"


def row(option: Any) -> str:
    named = option.param_type_name == "option"
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts]) if named else option.name.upper()
    default = "" if option.default in (None, False, "", ()) or option.required else f"`{option.default}`"
    return f"| {names} | {default} | {' '.join((option.help or '').split())} |".replace("|  |", "| |")


if __name__ == "__main__":
    sys.stdout.write(page())
