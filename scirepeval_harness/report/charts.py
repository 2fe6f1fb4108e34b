"""All plots of a report."""

from __future__ import annotations

from dataclasses import dataclass

from scirepeval_harness.report.content import Report
from scirepeval_harness.report.plots.averages import averages_plot
from scirepeval_harness.report.plots.deltas import deltas_plot
from scirepeval_harness.report.plots.heatmap import heatmap_plot
from scirepeval_harness.report.plots.speed import speed_plot
from scirepeval_harness.report.style import Plot


@dataclass(frozen=True)
class Plots:
    """The plots of a report; ``deltas`` has one a comparison, None where there is nothing."""

    averages: Plot | None
    heatmap: Plot | None
    deltas: tuple[Plot | None, ...]
    speed: Plot | None

    def all(self) -> tuple[Plot, ...]:
        """Those that there are."""
        found = (self.averages, self.heatmap, *self.deltas, self.speed)
        return tuple(plot for plot in found if plot is not None)


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
