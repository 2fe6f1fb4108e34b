"""Documents encoded per second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scirepeval_harness.report import style
from scirepeval_harness.report.comparison import shown
from scirepeval_harness.report.content import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


TITLE = "Documents per second"
TEXT = (
    "Documents encoded in a second of the encoding phase, which includes loading the model. "
    "Only runs on the same machine compare."
)
ROW = 0.34


def speed_plot(report: Report) -> style.Plot | None:
    """The plot, or None where every vector came from the store."""
    rates = [
        (entry.system, rate)
        for entry in report.executions
        if (rate := entry.documents_per_second) is not None
    ]
    if not rates:
        return None
    left_out = [shown(e.system) for e in report.executions if e.documents_per_second is None]
    text = TEXT + (f" Encoded nothing: {', '.join(left_out)}." if left_out else "")
    return style.make_plot("speed", TITLE, text, lambda: _draw(rates))


def _draw(rates: list[tuple[str, float]]) -> Figure:
    figure = style.new_figure(style.WIDTH, len(rates) * ROW)
    axes = figure.subplots()
    axes.barh(range(len(rates)), [rate for _, rate in rates], height=0.6, color=style.BETTER)
    for place, (_, rate) in enumerate(rates):
        axes.annotate(
            f"{rate:,.1f}" if rate < 100 else f"{rate:,.0f}", (rate, place), xytext=(5, 0),
            textcoords="offset points", va="center", color=style.INK,
        )  # fmt: skip
    axes.set_yticks(range(len(rates)), [style.label(name) for name, _ in rates])
    axes.set_ylim(len(rates) - 0.5, -0.5)
    axes.set_xlim(0, max(rate for _, rate in rates) * 1.15)
    axes.set_title(TITLE)
    style.vertical_grid(axes)
    return figure
