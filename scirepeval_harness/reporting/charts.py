"""The plots of a report: averages, tasks by models, differences, speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from scirepeval_harness.comparison.records import Comparison, Difference
from scirepeval_harness.reporting import style
from scirepeval_harness.reporting.content import NumberLine, Report
from scirepeval_harness.reporting.leaderboard import DIGITS
from scirepeval_harness.reporting.style import Plot
from scirepeval_harness.reporting.table import number, shown
from scirepeval_harness.results.leaderboard import Row, columns_of

AVERAGES = "Averages with 95% intervals"
AVERAGES_TEXT = (
    "One panel an average: dots are means, lines their 95% bootstrap intervals. Hollow diamonds "
    "are published, hollow circles stand for some of the numbers only."
)
PANEL_ROW, PANEL_HEAD = 0.27, 0.62
HEATMAP = "Tasks by models"
HEATMAP_TEXT = (
    "Each row is a number that enters the averages, each column a model. Blue is above the mean "
    "of the row's models, orange below; the stronger, the farther, up to {largest:.1f} points."
)
HEATMAP_ALONE = "Each row is a number that enters the averages; the stronger the blue, the higher."
TINT_ROW, TINT_COLUMN = 0.28, 0.95
STRONGEST = 0.6
"""Opacity of the strongest tint: text stays readable on it, on light and on dark ground."""
DELTAS_TEXT = (
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
DELTA_ROW = 0.26
SPEED = "Documents per second"
SPEED_TEXT = (
    "Documents encoded in a second of the encoding phase, which includes loading the model. "
    "Only runs on the same machine compare."
)
SPEED_ROW = 0.34


@dataclass(frozen=True)
class Plots:
    """The plots of a report; ``deltas`` has one a comparison, None where there is nothing."""

    averages: Plot | None
    heatmap: Plot | None
    deltas: tuple[Plot | None, ...]
    speed: Plot | None

    def all(self) -> tuple[Plot, ...]:
        """Those that there are."""
        return tuple(filter(None, (self.averages, self.heatmap, *self.deltas, self.speed)))


def draw_plots(report: Report) -> Plots:
    """Draw every plot of which the report has data."""
    return Plots(
        averages=averages_plot(report),
        heatmap=heatmap_plot(report),
        deltas=tuple(
            deltas_plot(comparison, place, report.synthetic)
            for place, comparison in enumerate(report.comparisons, 1)
        ),
        speed=speed_plot(report),
    )


def averages_plot(report: Report) -> Plot | None:
    """The plot, or None where no row has an average."""
    names = columns_of(report.suites)
    columns = [name for name in names if any(_has(row, name) for row in report.rows)]
    if not columns:
        return None
    return style.make_plot(
        "averages", AVERAGES, AVERAGES_TEXT, lambda: _draw_averages(report, columns)
    )


def _draw_averages(report: Report, columns: list[str]) -> Figure:
    counts = [sum(_has(row, name) for row in report.rows) for name in columns]
    figure = style.new_figure(style.WIDTH, sum(counts) * PANEL_ROW + (len(counts) - 1) * PANEL_HEAD)
    # Matplotlib takes the space between panels in heights of an average panel.
    gap = PANEL_HEAD / (PANEL_ROW * sum(counts) / len(counts))
    sizes = {"height_ratios": [count * PANEL_ROW for count in counts], "hspace": gap}
    panels = figure.subplots(len(columns), 1, squeeze=False, gridspec_kw=sizes)
    for name, axes in zip(columns, panels[:, 0], strict=True):
        _panel(axes, report, name)
    return figure


def _has(row: Row, name: str) -> bool:
    mean = row.means.get(name)
    return mean is not None and mean.value is not None


def _panel(axes: Axes, report: Report, name: str) -> None:
    rows = [row for row in report.rows if _has(row, name)]
    names = []
    for place, row in enumerate(rows):
        mean = row.means[name]
        value = mean.value or 0.0
        hollow = row.published or mean.partial
        colour = style.MUTED if row.published else style.BETTER
        mark = "D" if row.published else "o"
        _point(axes, place, value, mean.interval, mark, colour, hollow=hollow)
        part = f" ({mean.have} of {mean.need})" if mean.partial else ""
        _beside(axes, place, f"{value:.{DIGITS}f}{part}")
        names.append(style.label(row.title) + (" (published)" if row.published else ""))
    axes.set_yticks(range(len(rows)), names)
    # Downwards, in the order of the table.
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.08)
    axes.set_title(style.marked(style.label(name), report.synthetic))
    style.vertical_grid(axes)


def _point(
    axes: Axes,
    place: int,
    value: float,
    interval: tuple[float, float] | None,
    mark: str,
    colour: str,
    *,
    hollow: bool,
) -> None:
    """A value with its interval on the ``place``-th line of a plot."""
    if interval is not None:
        axes.plot(interval, [place, place], color=colour, linewidth=1.8)
    # Hollow marks are filled with paper: no colour at all would show the interval's line in them.
    axes.plot(
        [value], [place], marker=mark, markersize=6, linestyle="none", markeredgewidth=1.4,
        markeredgecolor=colour, markerfacecolor=style.PAPER if hollow else colour,
    )  # fmt: skip


def _beside(axes: Axes, place: float, text: str, colour: str = style.INK) -> None:
    """A text to the right of the plot, in line with what stands at ``place``."""
    axes.annotate(
        text, (1.0, place), xycoords=("axes fraction", "data"), xytext=(6, 0),
        textcoords="offset points", va="center", color=colour,
    )  # fmt: skip


def heatmap_plot(report: Report) -> Plot | None:
    """The plot, or None where no task has a number."""
    lines = [line for line in report.numbers if any(v is not None for v in line.values)]
    if not lines:
        return None
    alone = len(report.results) == 1
    # One scale for all rows: a point is as strong in a hard task as in an easy one.
    largest = max([abs(tint) for line in lines for tint in _offsets(line) if tint] or [1.0])
    text = HEATMAP_ALONE if alone else HEATMAP_TEXT.format(largest=largest)
    return style.make_plot("heatmap", HEATMAP, text, lambda: _draw_heatmap(report, lines, largest))


def _offsets(line: NumberLine) -> list[float | None]:
    """How far each value is from the mean of the row's values, in points."""
    present = [value for value in line.values if value is not None]
    mean = fmean(present) if len(present) > 1 else None
    return [None if v is None or mean is None else v - mean for v in line.values]


def _draw_heatmap(report: Report, lines: Sequence[NumberLine], largest: float) -> Figure:
    count = len(report.results)
    figure = style.new_figure(count * TINT_COLUMN, len(lines) * TINT_ROW)
    axes = figure.subplots()
    for place, line in enumerate(lines):
        for column, (value, offset) in enumerate(zip(line.values, _offsets(line), strict=True)):
            # One model has no others to be above: its tints are of the scores themselves.
            strength = (value or 0.0) / 100 if count == 1 else (offset or 0.0) / (largest or 1.0)
            _tint(axes, place, column, value, strength)
    _heatmap_names(axes, report, lines)
    return figure


def _tint(axes: Axes, place: int, column: int, value: float | None, strength: float) -> None:
    if value is not None:
        axes.add_patch(
            Rectangle(
                (column - 0.48, place - 0.46), 0.96, 0.92, linewidth=0.0,
                facecolor=style.BETTER if strength >= 0 else style.WORSE,
                alpha=STRONGEST * min(abs(strength), 1.0),
            )
        )  # fmt: skip
    axes.text(
        column, place, "-" if value is None else f"{value:.1f}", ha="center", va="center",
        color=style.MUTED if value is None else style.INK,
    )  # fmt: skip


def _heatmap_names(axes: Axes, report: Report, lines: Sequence[NumberLine]) -> None:
    # Names of several models are wider than their columns.
    steep = len(report.results) > 1
    axes.set_xlim(-0.5, len(report.results) - 0.5)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(report.results)), [style.label(name, 26) for name in report.results])
    for text in axes.get_xticklabels():
        text.set(
            color=style.INK, rotation=35 if steep else 0, rotation_mode="anchor",
            ha="left" if steep else "center",
        )  # fmt: skip
    names = [f"{style.label(line.title)} · {style.label(line.metric, 18)}" for line in lines]
    axes.set_yticks(range(len(lines)), names)
    axes.tick_params(axis="both", length=0)
    axes.spines[["top", "bottom"]].set_visible(False)
    groups = [line.group for line in lines]
    for place, group in enumerate(groups):
        if place == 0 or group != groups[place - 1]:
            if place:
                axes.axhline(place - 0.5, color=style.MUTED, linewidth=0.8)
            _beside(axes, place, style.label(group or "", 24), style.MUTED)
    if report.synthetic:
        axes.annotate(
            style.SYNTHETIC, (0.0, 0.0), xycoords="axes fraction", xytext=(0, -6),
            textcoords="offset points", va="top", color=style.MUTED,
        )  # fmt: skip


def deltas_plot(comparison: Comparison, place: int, synthetic: bool) -> Plot | None:
    """The plot of the ``place``-th comparison, or None where nothing was compared."""
    if not comparison.tasks:
        return None
    title = f"{shown(comparison.other)} minus {shown(comparison.base)}"
    # Once for the page, once for the drawing, which has less room.
    against = f"{style.label(comparison.other)} minus {style.label(comparison.base)}"
    return style.make_plot(
        f"deltas-{place}", title, DELTAS_TEXT, lambda: _draw_deltas(comparison, against, synthetic)
    )


def _draw_deltas(comparison: Comparison, title: str, synthetic: bool) -> Figure:
    figure = style.new_figure(style.WIDTH, len(comparison.tasks) * DELTA_ROW)
    axes = figure.subplots()
    axes.axvline(0.0, color=style.INK, linewidth=1.0, zorder=1.5)
    for place, entry in enumerate(comparison.tasks):
        _delta(axes, place, entry)
    names = [f"{style.label(entry.title)} · {style.label(entry.key)}" for entry in comparison.tasks]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.06)
    axes.set_xlabel("difference in points")
    axes.set_title(style.marked(title, synthetic), x=0.0)
    style.vertical_grid(axes)
    return figure


def _delta(axes: Axes, place: int, entry: Difference) -> None:
    mark, colour = MARKS[entry.verdict]
    hollow = entry.verdict == "unknown"
    _point(axes, place, entry.difference, entry.interval, mark, colour, hollow=hollow)
    _beside(axes, place, number(entry.difference, True))


def speed_plot(report: Report) -> Plot | None:
    """The plot, or None where every vector came from the store."""
    rates = [
        (entry.system, rate)
        for entry in report.executions
        if (rate := entry.documents_per_second) is not None
    ]
    if not rates:
        return None
    left_out = [shown(e.system) for e in report.executions if e.documents_per_second is None]
    text = SPEED_TEXT + (f" Encoded nothing: {', '.join(left_out)}." if left_out else "")
    return style.make_plot("speed", SPEED, text, lambda: _draw_speed(rates))


def _draw_speed(rates: list[tuple[str, float]]) -> Figure:
    figure = style.new_figure(style.WIDTH, len(rates) * SPEED_ROW)
    axes = figure.subplots()
    axes.barh(range(len(rates)), [rate for _, rate in rates], height=0.6, color=style.BETTER)
    for place, (_, rate) in enumerate(rates):
        axes.annotate(
            f"{rate:,.1f}" if rate < 100 else f"{rate:,.0f}", (rate, place), xytext=(5, 0),
            textcoords="offset points", va="center", color=style.INK,
        )  # fmt: skip
    axes.set_yticks(range(len(rates)), [style.label(name) for name, _ in rates])
    axes.set_ylim(len(rates) - 0.5, -0.5)
    # Room at the right of the longest bar for its number.
    axes.set_xlim(0, max(rate for _, rate in rates) * 1.15)
    axes.set_title(SPEED)
    style.vertical_grid(axes)
    return figure
