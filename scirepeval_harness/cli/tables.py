"""Tables on the terminal: rich where a person reads, plain aligned text where a program does."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import typer

GAP = "  "


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows under a header; cells are taken as plain text, never as markup."""
    lines = [[_one_line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(title) if title else None)
        for number, name in enumerate(header):
            # The first column is what gets typed into the next command: never cut or wrap it.
            table.add_column(Text(name), no_wrap=number == 0, overflow="fold")
        for line in lines:
            table.add_row(*(Text(cell) for cell in line))
        Console().print(table)
        return
    typer.echo("\n".join(aligned([list(header), *lines])))


def show_fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, values aligned."""
    typer.echo("\n".join(aligned([[name, _one_line(value)] for name, value in pairs])))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose columns start at the same place, without spaces at the end."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _one_line(text: str) -> str:
    """Control characters out, so that a name cannot move the cursor or break the table."""
    return "".join(char if char.isprintable() else " " for char in text)
