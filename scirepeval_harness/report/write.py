"""A report as a folder of files."""

from __future__ import annotations

import re
from pathlib import Path

from scirepeval_harness.atomic import write_bytes, write_text
from scirepeval_harness.leaderboard.render import csv_text
from scirepeval_harness.records.layout import slug
from scirepeval_harness.records.signature import digest
from scirepeval_harness.report.content import Report
from scirepeval_harness.report.html import report_html
from scirepeval_harness.report.latex import leaderboard_latex
from scirepeval_harness.report.markdown import report_markdown
from scirepeval_harness.report.plots.draw import draw_plots
from scirepeval_harness.report.values import report_json

PLOTS = "plots"
OWN_PLOT = re.compile(r"(averages|heatmap|speed|deltas-\d+)\.(svg|png)")


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every file of the report below ``folder``; returns their paths, sorted.

    The same report gives the same bytes. Plots of an earlier report in the folder that this one
    does not have are removed, other files left alone.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    plots = draw_plots(report)
    contents: dict[str, str | bytes] = {
        "report.md": report_markdown(report, plots),
        "report.html": report_html(report, plots),
        "leaderboard.csv": csv_text(report.rows, report.suites),
        "leaderboard.tex": leaderboard_latex(report),
        "leaderboard.json": report_json(report),
    }
    for plot in plots.all():
        contents[f"{PLOTS}/{plot.name}.svg"] = plot.svg
        contents[f"{PLOTS}/{plot.name}.png"] = plot.png
    for name, content in contents.items():
        if isinstance(content, bytes):
            write_bytes(folder / name, content)
        else:
            write_text(folder / name, content)
    for path in (folder / PLOTS).glob("*"):
        if OWN_PLOT.fullmatch(path.name) and f"{PLOTS}/{path.name}" not in contents:
            path.unlink()
    return tuple(sorted(folder / name for name in contents))


def default_folder(report: Report) -> Path:
    """Below ``results/reports``: named after the suites and what the report shows."""
    shown = [entry.signature for entry in report.executions]
    against = [comparison.base for comparison in report.comparisons[:1]]
    published = sum(row.published for row in report.rows)
    mark = digest([shown, list(report.results), against, published])
    names = "+".join(suite.name for suite in report.suites)
    return Path("results") / "reports" / slug(f"{names}-{mark}")
