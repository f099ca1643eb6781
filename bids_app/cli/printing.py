"""Tables and sentences on the terminal."""

import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 240  # where nobody sees the width, lines are not broken


def show(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: lines and colours on a terminal, plain columns elsewhere."""
    console = _console()
    table = Table(title=title, title_justify="left", box=box.SIMPLE if console.is_terminal else None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table, markup=False)
    console.print()


def say(text: str) -> None:
    """Print a sentence."""
    _console().print(text, markup=False, highlight=False)


def _console() -> Console:
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(file=sys.stdout, width=width, markup=False, highlight=False)
