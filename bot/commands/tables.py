"""Tables on the standard output: as wide as the terminal, or as they need to be for a file or another program."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

PIPED = 240


def print_table(table: Table) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED
    console.print(table, markup=False)
