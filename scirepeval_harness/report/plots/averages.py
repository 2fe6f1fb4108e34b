"""The averages of every row, with 95% intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scirepeval_harness.report import style
from scirepeval_harness.report.content import Report
from scirepeval_harness.report.leaderboard import DIGITS, columns_of
from scirepeval_harness.results.leaderboard import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


TITLE = "Averages with 95% intervals"
TEXT = (
    "One panel an average: dots are means, lines their 95% bootstrap intervals. Hollow diamonds "
    "are published, hollow circles stand for some of the numbers only."
)
ROW, HEAD = 0.27, 0.62


def averages_plot(report: Report) -> style.Plot | None:
    """The plot, or None where no row has an average."""
    columns = [
        name
        for name in columns_of(report.suites)
        if any((cell := row.cells.get(name)) and cell.value is not None for row in report.rows)
    ]
    if not columns:
        return None
    return style.make_plot("averages", TITLE, TEXT, lambda: _draw(report, columns))


def _draw(report: Report, columns: list[str]) -> Figure:
    counts = [sum(_shown(row, name) for row in report.rows) for name in columns]
    figure = style.new_figure(style.WIDTH, sum(counts) * ROW + (len(counts) - 1) * HEAD)
    panels = figure.subplots(
        len(columns), 1, squeeze=False,
        gridspec_kw={"height_ratios": [count * ROW for count in counts], "hspace": _gap(counts)},
    )  # fmt: skip
    for name, axes in zip(columns, panels[:, 0], strict=True):
        _panel(axes, report, name)
    return figure


def _gap(counts: list[int]) -> float:
    """The space between panels, which matplotlib takes in heights of an average panel."""
    return HEAD / (ROW * sum(counts) / len(counts))


def _shown(row: Row, name: str) -> bool:
    cell = row.cells.get(name)
    return cell is not None and cell.value is not None


def _panel(axes: Axes, report: Report, name: str) -> None:
    rows = [row for row in report.rows if _shown(row, name)]
    names = []
    for place, row in enumerate(rows):
        cell = row.cells[name]
        value = cell.value or 0.0
        hollow = row.published or cell.partial
        colour = style.MUTED if row.published else style.BETTER
        if cell.interval is not None:
            axes.plot(cell.interval, [place, place], color=colour, linewidth=1.8)
        axes.plot(
            [value], [place], marker="D" if row.published else "o", markersize=6, linestyle="none",
            markerfacecolor=style.PAPER if hollow else colour, markeredgecolor=colour,
            markeredgewidth=1.4,
        )  # fmt: skip
        part = f" ({cell.have} of {cell.need})" if cell.partial else ""
        axes.annotate(
            f"{value:.{DIGITS}f}{part}", (1.0, place), xycoords=("axes fraction", "data"),
            xytext=(6, 0), textcoords="offset points", va="center", color=style.INK,
        )  # fmt: skip
        names.append(style.label(row.title) + (" (published)" if row.published else ""))
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.08)
    axes.set_title(style.marked(style.label(name), report.synthetic))
    style.vertical_grid(axes)
