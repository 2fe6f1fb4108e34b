"""The leaderboard as markdown, CSV and plain cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from scirepeval_harness.results.leaderboard import Cell, Row
from scirepeval_harness.tasks.spec import Readings, SuiteSpec

DIGITS = 1
CSV_PARTS = ("", " numbers", " low", " high")
SPECIAL = {
    "\\": "\\\\",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "|": "\\|",
    "`": "\\`",
    "*": "\\*",
    "_": "\\_",
    "[": "\\[",
    "]": "\\]",
    "~": "\\~",
}


def columns_of(suites: Sequence[SuiteSpec]) -> list[str]:
    """The columns of all suites, in order."""
    return [column.name for suite in suites for column in suite.columns]


def caption(suites: Sequence[SuiteSpec]) -> str:
    """What the table is about: a synthetic suite says so, and other readings than the default."""
    names = ", ".join(suite.title for suite in suites)
    if any(suite.synthetic for suite in suites):
        names += ": synthetic data, these scores say nothing about real papers"
    return "; ".join([names, *readings(suites)])


def readings(suites: Sequence[SuiteSpec]) -> list[str]:
    """The readings of the protocol's open points that differ from the default, as short texts."""
    default = Readings()
    found = {
        f"{name.replace('_', ' ')}: {str(value).replace('_', ' ')}": None
        for suite in suites
        for name, value in suite.readings
        if value != getattr(default, name)
    }
    return list(found)


def cell_text(cell: Cell | None) -> str:
    """``71.2``, ``71.2 [70.5, 71.9]`` with its interval, ``71.2 (12 of 27)`` where numbers are
    missing, a hyphen where all are."""
    if cell is None or cell.value is None:
        return "-"
    text = f"{cell.value:.{DIGITS}f}"
    if cell.interval is not None:
        low, high = cell.interval
        text += f" [{low:.{DIGITS}f}, {high:.{DIGITS}f}]"
    return f"{text} ({cell.have} of {cell.need})" if cell.partial else text


def table(rows: Sequence[Row], columns: Sequence[str]) -> list[list[str]]:
    """Header and rows as plain text."""
    header = ["Model", *columns]
    return [
        header,
        *([_title(row), *(cell_text(row.cells.get(c)) for c in columns)] for row in rows),
    ]


def markdown(rows: Sequence[Row], suites: Sequence[SuiteSpec]) -> str:
    """A markdown table with the caption above, the best whole number of each column in bold."""
    columns = columns_of(suites)
    best = {name: _best(rows, name) for name in columns}
    lines = [
        f"{escape(caption(suites))}.",
        "",
        "| Model | " + " | ".join(escape(name) for name in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for row in rows:
        cells = []
        for name in columns:
            text = cell_text(row.cells.get(name))
            cells.append(f"**{text}**" if text == best[name] else text)
        lines.append(f"| {escape(_title(row))} | " + " | ".join(cells) + " |")
    notes = [f"- {escape(row.title)}: {escape(note)}" for row in rows for note in row.notes]
    partial = any(cell.partial and cell.have for row in rows for cell in row.cells.values())
    if partial:
        notes.insert(
            0, "- (x of y): the mean of the x numbers that are there, of y; not comparable."
        )
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def csv_text(rows: Sequence[Row], suites: Sequence[SuiteSpec]) -> str:
    """The same as CSV at full precision, with the counts of numbers and the ends of the
    interval in columns of their own."""
    columns = columns_of(suites)
    synthetic = any(suite.synthetic for suite in suites)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            *("model", "published", "synthetic"),
            *(f"{name}{part}" for name in columns for part in CSV_PARTS),
            "notes",
        ]
    )
    for row in rows:
        values: list[str] = []
        for name in columns:
            cell = row.cells.get(name)
            shown = cell is not None and cell.value is not None
            values.append(repr(cell.value) if cell and shown else "")
            values.append(f"{cell.have} of {cell.need}" if cell else "")
            values += map(repr, cell.interval) if cell and cell.interval else ("", "")
        marks = ["yes" if mark else "no" for mark in (row.published, synthetic)]
        writer.writerow([_harmless(row.title), *marks, *values, _harmless("; ".join(row.notes))])
    return out.getvalue()


def escape(text: str) -> str:
    """Text that markdown and HTML show as it is, on one line."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return "".join(SPECIAL.get(char, char) for char in shown)


def _title(row: Row) -> str:
    return f"{row.title} (published)" if row.published else row.title


def _best(rows: Sequence[Row], column: str) -> str | None:
    cells = [row.cells[column] for row in rows if column in row.cells]
    whole = [cell for cell in cells if cell.value is not None and not cell.partial]
    if len(whole) < 2:
        return None
    return cell_text(max(whole, key=lambda cell: cell.value or 0.0))


def _harmless(text: str) -> str:
    """A spreadsheet takes a cell that starts with one of these for a formula."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return f"'{plain}" if plain[:1] in ("=", "+", "-", "@") else plain
