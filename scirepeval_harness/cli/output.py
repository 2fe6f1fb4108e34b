"""What commands print: tables where a person reads, plain aligned text where a program does."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import typer

from scirepeval_harness.progress import harmless, printable
from scirepeval_harness.reporting.table import Table, aligned, text_table

LOG_JSON = "scirepeval_harness.log_json"
"""In a command's context: whether standard error holds JSON alone."""


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print lines. All that commands print goes this way: names in it are anybody's."""
    typer.echo(harmless(text), err=err, nl=nl)


def show(table: Table, *, titled: bool = False) -> None:
    """Print a table, its notes below; cells are taken as plain text, never as markup.

    Its caption is shown to a person alone, and only where it is ``titled``.
    """
    if not sys.stdout.isatty():
        say(table.to_text())
        return
    if titled and table.caption:
        say(f"{printable(table.caption)}\n")
    say(table.to_terminal(shutil.get_terminal_size().columns))


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    spare: Sequence[str] = (),
    legend: Mapping[str, str] | None = None,
) -> None:
    """Print rows of plain text under a header; a narrow terminal does without ``spare`` columns.

    Below stands what the columns of the ``legend`` are, for a person alone.
    """
    show(text_table(header, rows, spare=spare, legend=legend))


def show_parts(parts: Iterable[str | Table]) -> None:
    """Print lines and tables, an empty line between two; a terminal gets lines that it can show
    whole."""
    for place, part in enumerate(parts):
        if place:
            say("")
        if isinstance(part, Table):
            show(part)
        else:
            say_whole(part)


def say_whole(text: str) -> None:
    """Print lines, broken between words where a terminal is too narrow for them."""
    if not sys.stdout.isatty():
        say(text)
        return
    width = shutil.get_terminal_size().columns
    for line in text.splitlines():
        kept = textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
        say("\n".join(kept or [""]))


def print_fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, values aligned."""
    rows = [[name, printable(value)] for name, value in pairs]
    if not sys.stdout.isatty():
        say("\n".join(aligned(rows)))
        return
    indent = max(len(name) for name, _ in rows) + 2
    width = shutil.get_terminal_size().columns - indent
    for name, value in rows:
        lines = textwrap.wrap(
            value, max(width, 20), break_on_hyphens=False, break_long_words=False
        ) or [""]
        say(name.ljust(indent) + f"\n{' ' * indent}".join(lines))


def print_json(value: object, *, sort_keys: bool = False) -> None:
    """Print a JSON-ready value; what a terminal would obey is written as an escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=sort_keys)
    say(
        "".join(
            char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text
        )
    )
