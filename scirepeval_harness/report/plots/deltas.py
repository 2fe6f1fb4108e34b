"""Differences of one system from the baseline, with 95% intervals of the paired difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scirepeval_harness.comparison.records import Comparison, Difference
from scirepeval_harness.report import style
from scirepeval_harness.report.comparison import number, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


TEXT = (
    "Points are differences of scores in percentage points, lines their 95% intervals. "
    "Triangles up: better, triangles down: worse (paired permutation test, Holm-corrected, 5%); "
    "circles: no difference found; hollow circles: not tested."
)
MARKS = {
    "better": ("^", style.BETTER),
    "worse": ("v", style.WORSE),
    "same": ("o", style.MUTED),
    "unknown": ("o", style.MUTED),
}
ROW = 0.26


def deltas_plot(comparison: Comparison, place: int, synthetic: bool) -> style.Plot | None:
    """The plot of the ``place``-th comparison, or None where nothing was compared."""
    if not comparison.tasks:
        return None
    title = f"{shown(comparison.other)} minus {shown(comparison.base)}"
    against = f"{style.label(comparison.other)} minus {style.label(comparison.base)}"
    return style.make_plot(
        f"deltas-{place}", title, TEXT, lambda: _draw(comparison, against, synthetic)
    )


def _draw(comparison: Comparison, title: str, synthetic: bool) -> Figure:
    figure = style.new_figure(style.WIDTH, len(comparison.tasks) * ROW)
    axes = figure.subplots()
    axes.axvline(0.0, color=style.INK, linewidth=1.0, zorder=1.5)
    for place, entry in enumerate(comparison.tasks):
        _row(axes, place, entry)
    names = [f"{style.label(entry.title)} · {style.label(entry.key)}" for entry in comparison.tasks]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.06)
    axes.set_xlabel("difference in points")
    axes.set_title(style.marked(title, synthetic), x=0.0)
    style.vertical_grid(axes)
    return figure


def _row(axes: Axes, place: int, entry: Difference) -> None:
    mark, colour = MARKS[entry.verdict]
    if entry.interval is not None:
        axes.plot(entry.interval, [place, place], color=colour, linewidth=1.8)
    axes.plot(
        [entry.difference], [place], marker=mark, markersize=6, linestyle="none",
        markeredgewidth=1.4, markeredgecolor=colour,
        markerfacecolor=style.PAPER if entry.verdict == "unknown" else colour,
    )  # fmt: skip
    axes.annotate(
        number(entry.difference, True), (1.0, place), xycoords=("axes fraction", "data"),
        xytext=(6, 0), textcoords="offset points", va="center", color=style.INK,
    )  # fmt: skip
