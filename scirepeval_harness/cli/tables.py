"""Tables on the terminal: rich where a person reads, plain aligned text where a program does."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import typer

from scirepeval_harness.report.table import Table, aligned, printable, text_table


def print_table(table: Table) -> None:
    """Print a table and its notes; cells are taken as plain text, never as markup."""
    if not sys.stdout.isatty():
        typer.echo(table.to_text())
        return
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    view = RichTable(title=Text(table.caption) if table.caption else None)
    for place, name in enumerate(table.header):
        # The first column is what gets typed into the next command: never cut or wrap it.
        view.add_column(Text(name), no_wrap=place == 0, overflow="fold")
    for row in table.rows:
        view.add_row(*(Text(cell.plain) for cell in row))
    Console().print(view)
    for note in table.notes:
        typer.echo(printable(note))


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows of text under a header; the title is shown to a person only."""
    print_table(text_table(header, rows, caption=title))


def show_fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, values aligned."""
    typer.echo("\n".join(aligned([[name, printable(value)] for name, value in pairs])))
