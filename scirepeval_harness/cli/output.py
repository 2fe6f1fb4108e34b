"""What commands print: tables where a person reads, plain aligned text where a program does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Protocol

import typer

from scirepeval_harness.progress import harmless, printable
from scirepeval_harness.reporting.table import Table, aligned, text_table


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print lines. All that commands print goes this way: names in it are anybody's."""
    typer.echo(harmless(text), err=err, nl=nl)


class View(Protocol):
    """What consists of lines and tables."""

    def parts(self) -> Iterable[str | Table]: ...


def show(table: Table, *, titled: bool = False) -> None:
    """Print a table, its notes below; cells are taken as plain text, never as markup.

    Its caption is shown to a person alone, and only where it is ``titled``.
    """
    if not sys.stdout.isatty():
        say(table.to_text())
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
        say(printable(note))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of plain text under a header."""
    show(text_table(header, rows))


def show_view(view: View) -> None:
    """Print the parts of a comparison or verdict, an empty line between two."""
    for place, part in enumerate(view.parts()):
        if place:
            say("")
        if isinstance(part, Table):
            show(part)
        else:
            say(part)


def print_fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, values aligned."""
    say("\n".join(aligned([[name, printable(value)] for name, value in pairs])))


def print_json(value: object, *, sort_keys: bool = False) -> None:
    """Print a JSON-ready value; what a terminal would obey is written as an escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=sort_keys)
    typer.echo(
        "".join(
            char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text
        )
    )
