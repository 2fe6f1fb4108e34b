"""Tasks by models: the numbers that enter the averages, tinted by how far from the row's mean."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from scirepeval_harness.report import style
from scirepeval_harness.report.content import NumberLine, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


TITLE = "Tasks by models"
TEXT = (
    "Each row is a number that enters the averages, each column a model. Blue is above the mean "
    "of the row's models, orange below; the stronger, the farther, up to {largest:.1f} points."
)
ALONE = "Each row is a number that enters the averages; the stronger the blue, the higher."
ROW, COLUMN = 0.28, 0.95
STRONGEST = 0.6
"""Opacity of the strongest tint: text stays readable on it, on light and on dark ground."""


def heatmap_plot(report: Report) -> style.Plot | None:
    """The plot, or None where no task has a number."""
    lines = [line for line in report.numbers if any(v is not None for v in line.values)]
    if not lines:
        return None
    alone = len(report.results) == 1
    largest = max([abs(tint) for line in lines for tint in _offsets(line) if tint] or [1.0])
    text = ALONE if alone else TEXT.format(largest=largest)
    return style.make_plot("heatmap", TITLE, text, lambda: _draw(report, lines, largest))


def _offsets(line: NumberLine) -> list[float | None]:
    """How far each value is from the mean of the row's values, in points."""
    present = [value for value in line.values if value is not None]
    mean = fmean(present) if len(present) > 1 else None
    return [None if v is None or mean is None else v - mean for v in line.values]


def _draw(report: Report, lines: Sequence[NumberLine], largest: float) -> Figure:
    count = len(report.results)
    figure = style.new_figure(count * COLUMN, len(lines) * ROW)
    axes = figure.subplots()
    for place, line in enumerate(lines):
        for column, (value, offset) in enumerate(zip(line.values, _offsets(line), strict=True)):
            strength = (value or 0.0) / 100 if count == 1 else (offset or 0.0) / (largest or 1.0)
            _cell(axes, place, column, value, strength)
    _names(axes, report, lines)
    return figure


def _cell(axes: Axes, place: int, column: int, value: float | None, strength: float) -> None:
    from matplotlib.patches import Rectangle

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


def _names(axes: Axes, report: Report, lines: Sequence[NumberLine]) -> None:
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
            axes.annotate(
                style.label(group or "", 24), (1.0, place), xycoords=("axes fraction", "data"),
                xytext=(6, 0), textcoords="offset points", va="center", color=style.MUTED,
            )  # fmt: skip
    if report.synthetic:
        axes.annotate(
            style.SYNTHETIC, (0.0, 0.0), xycoords="axes fraction", xytext=(0, -6),
            textcoords="offset points", va="top", color=style.MUTED,
        )  # fmt: skip
