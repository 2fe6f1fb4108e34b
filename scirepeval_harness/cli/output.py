"""What commands print: tables where a person reads, plain aligned text where a program does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Protocol

import typer

from scirepeval_harness.reporting.table import Table, aligned, printable, text_table


class View(Protocol):
    """What consists of lines and tables."""

    def parts(self) -> Iterable[str | Table]: ...


def show(table: Table, *, titled: bool = False) -> None:
    """Print a table, its notes below; cells are taken as plain text, never as markup.

    Its caption is shown to a person alone, and only where it is ``titled``.
    """
    if not sys.stdout.isatty():
        typer.echo(table.to_text())
        return
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(title=Text(printable(table.caption)) if titled else None)
    for number, name in enumerate(table.header):
        # The first column is what gets typed into the next command: never cut or wrap it.
        grid.add_column(Text(printable(name)), no_wrap=number == 0, overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(cell.plain) for cell in row))
    Console().print(grid)
    for note in table.notes:
        typer.echo(printable(note))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of plain text under a header."""
    show(text_table(header, rows))


def show_view(view: View) -> None:
    """Print the parts of a comparison or verdict, an empty line between two."""
    for place, part in enumerate(view.parts()):
        if place:
            typer.echo("")
        if isinstance(part, Table):
            show(part)
        else:
            typer.echo(part)


def print_fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, values aligned."""
    typer.echo("\n".join(aligned([[name, printable(value)] for name, value in pairs])))


def print_json(value: object, *, sort_keys: bool = False) -> None:
    """Print a JSON-ready value."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=sort_keys))
