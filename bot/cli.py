"""The command line, put together: parse, call one function, print. Errors become one line and an exit code.

Exit codes: 0 done, 1 the work failed, 2 bad input or usage.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from bot.commands import (
    bundles,
    chat,
    check,
    demo,
    evaluate,
    groups,
    keys,
    knowledge,
    mcp,
    migrate,
    serve,
    sites,
    test,
    train,
    transcripts,
    webhooks,
)
from retrieval.errors import BadInput, DeskhandError, NotFound

app = typer.Typer(
    help="Deskhand learns to answer customers from the conversations a support team has already had.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for single in (serve, chat, check, test, train, migrate, demo, mcp):
    app.add_typer(single.app)
for group in (transcripts, bundles, groups, evaluate, knowledge, sites, keys, webhooks):
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2])


def main() -> None:
    """The `deskhand` script."""
    try:
        app()
    except DeskhandError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, BadInput | NotFound) else 1)
    except OSError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
