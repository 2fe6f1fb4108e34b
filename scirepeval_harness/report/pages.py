"""The report as markdown, and the folder's pictures in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scirepeval_harness.report import comparison as render
from scirepeval_harness.report import provenance as circumstances
from scirepeval_harness.report import table as tables
from scirepeval_harness.report.charts import Plots
from scirepeval_harness.report.content import Report
from scirepeval_harness.report.leaderboard import caption, escape
from scirepeval_harness.report.style import Plot
from scirepeval_harness.report.table import Field, Table

WHOLE = "Every task of every model was scored on all of its documents and queries."
NO_WARNINGS = "No task warned of anything."
INTERVALS = (
    "Brackets hold 95% bootstrap intervals over a task's queries or rows; for a mean, every task "
    "is resampled by itself. Bold: best of a row or column, among whole numbers."
)
SIGNATURES = (
    "All that moves a score. Two scores whose signatures differ in the parts of the model only "
    "(model, vec, dtype, len) may be compared."
)


def report_markdown(report: Report, plots: Plots) -> str:
    """The whole report."""
    blocks = [
        [f"# {escape(f'Report: {report.name}')}"],
        *([[f"**{tables.SYNTHETIC}**"]] if report.synthetic else []),
        ["## Leaderboard"],
        [f"{escape(caption(report.suites))}."],
        table_lines(tables.leaderboard(report, intervals=False)),
        [f"- {escape(note)}" for note in tables.row_notes(report)],
        *_scores(report, plots),
        *(block for part in _deltas(report, plots) for block in part),
        *_circumstances(report, plots),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if any(block)) + "\n"


def _scores(report: Report, plots: Plots) -> list[list[str]]:
    mark = _mark(report)
    by_field = tables.fields(report)
    return [
        ["## Averages with intervals"],
        [mark + INTERVALS],
        table_lines(tables.leaderboard(report, intervals=True)),
        _picture(plots.averages),
        ["## By format"],
        [f"{mark}Means over the tasks of a format, as they enter the averages."],
        table_lines(tables.formats(report)),
        ["## By task"],
        [mark.rstrip()],
        table_lines(tables.tasks(report)),
        _picture(plots.heatmap),
        *([["### By field of study"], [mark.rstrip()], table_lines(by_field)] if by_field else []),
    ]


def _deltas(report: Report, plots: Plots) -> Iterator[list[list[str]]]:
    if report.comparisons:
        yield [[f"## {escape(f'Against {render.shown(report.comparisons[0].base)}')}"]]
    for comparison, plot in zip(report.comparisons, plots.deltas, strict=True):
        yield [
            [f"### {escape(render.shown(comparison.other))}"],
            [_mark(report) + render.markdown(comparison).strip()],
            _picture(plot),
        ]


def _circumstances(report: Report, plots: Plots) -> list[list[str]]:
    gaps = circumstances.gaps(report)
    where = circumstances.environments(report)
    warned = [f"- {escape(render.one_line(text)[:500])}" for text in report.warnings]
    return [
        ["## Coverage and warnings"],
        table_lines(gaps) if gaps else [WHOLE],
        warned or [NO_WARNINGS],
        ["## Readings of the protocol"],
        table_lines(circumstances.readings(report)),
        ["## What ran where, and how long"],
        table_lines(circumstances.times(report)),
        [f"- {escape(names)}: {escape(text)}" for names, text in where],
        _picture(plots.speed),
        ["## Reproduce"],
        _fenced(circumstances.commands(report)),
        ["## Signatures"],
        [SIGNATURES],
        table_lines(circumstances.signatures(report)),
    ]


def table_lines(table: Table) -> list[str]:
    """A table's lines, every cell escaped, the best in bold."""
    rule = "|" + "---|" * table.left + "---:|" * (len(table.header) - table.left)
    rows = ["| " + " | ".join(_text(field) for field in row) + " |" for row in table.rows]
    return ["| " + " | ".join(map(escape, table.header)) + " |", rule, *rows]


def _text(field: Field) -> str:
    text = escape(field.text)
    parts = [f"**{text}**" if field.best else text, escape(field.small), escape(field.part)]
    return " ".join(part for part in parts if part)


def _mark(report: Report) -> str:
    return f"{tables.SYNTHETIC} " if report.synthetic else ""


def _picture(plot: Plot | None) -> list[str]:
    if plot is None:
        return []
    return [f"![{escape(f'{plot.title}. {plot.text}')}](plots/{plot.name}.svg)"]


def _fenced(lines: list[str]) -> list[str]:
    """A code block whose fence is longer than any in it."""
    ticks = max([len(found) for line in lines for found in re.findall("`+", line)] or [0])
    fence = "`" * max(3, ticks + 1)
    return [f"{fence}sh", *lines, fence]
