"""The files of a report: markdown, one page that needs no network, JSON, and the leaderboard's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from scirepeval_harness.files import write_bytes
from scirepeval_harness.reporting import comparison as differences
from scirepeval_harness.reporting import items, provenance
from scirepeval_harness.reporting import leaderboard as scores
from scirepeval_harness.reporting.charts import Plots, draw_plots
from scirepeval_harness.reporting.content import Execution, Report
from scirepeval_harness.reporting.style import Plot, inline_svg
from scirepeval_harness.reporting.table import escape_markdown, one_line, shown, templates
from scirepeval_harness.results.folder import slug
from scirepeval_harness.results.leaderboard import Mean, columns_of
from scirepeval_harness.results.record import digest

WHOLE = "Every task of every model was scored on all of its documents and queries."
NO_WARNINGS = "No task warned of anything."
INTERVALS = (
    "Brackets hold 95% bootstrap intervals over a task's queries or rows; for a mean, every task "
    "is resampled by itself. Bold: best of a row or column, among whole numbers."
)
ITEMS = (
    "The worst and the best of each model, and where it is furthest behind the first and ahead of "
    "it. A query has its metric; a row the agreement of its classes (shared over all named, x 100) "
    "or its error, and below it what was predicted. The command items shows one with its "
    "candidates."
)
SIGNATURES = (
    "All that moves a score. Two scores whose signatures differ in the parts of the model only "
    "(model, vec, dtype, len) may be compared."
)
LABEL = "tab:leaderboard"
PLOTS = "plots"
OWN_PLOT = re.compile(r"(averages|heatmap|speed|deltas-\d+)\.(svg|png)")
LONGEST_WARNING = 500
SUITE_KEYS = {"name", "title", "version", "task_set", "synthetic", "readings"}
LINE_KEYS = ("suite", "task", "title", "format", "group", "key", "field")


def report_markdown(report: Report, plots: Plots) -> str:
    """The whole report."""
    blocks = [
        [f"# {escape_markdown(f'Report: {report.name}')}"],
        *([[f"**{scores.SYNTHETIC}**"]] if report.synthetic else []),
        ["## Leaderboard"],
        scores.leaderboard_of(report, intervals=False).to_markdown().splitlines(),
        *_scores(report, plots),
        *(block for part in _deltas(report, plots) for block in part),
        *_provenance(report, plots),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if any(block)) + "\n"


def _scores(report: Report, plots: Plots) -> list[list[str]]:
    mark = _mark(report)
    fields = scores.field_table(report)
    title = "### By field of study"
    return [
        ["## Averages with intervals"],
        [mark + INTERVALS],
        scores.leaderboard_of(report, intervals=True).markdown_lines(),
        _picture(plots.averages),
        ["## By format"],
        [f"{mark}Means over the tasks of a format, as they enter the averages."],
        scores.format_table(report).markdown_lines(),
        ["## By task"],
        [mark.rstrip()],
        scores.task_table(report).markdown_lines(),
        _picture(plots.heatmap),
        *([[title], [mark.rstrip()], fields.markdown_lines()] if fields else []),
    ]


def _deltas(report: Report, plots: Plots) -> Iterator[list[list[str]]]:
    if report.comparisons:
        yield [[f"## {escape_markdown(f'Against {shown(report.comparisons[0].base)}')}"]]
    for comparison, plot in zip(report.comparisons, plots.deltas, strict=True):
        yield [
            [f"### {escape_markdown(shown(comparison.other))}"],
            [_mark(report) + differences.comparison_markdown(comparison).strip()],
            _picture(plot),
        ]


def _provenance(report: Report, plots: Plots) -> list[list[str]]:
    gaps = provenance.gap_table(report)
    where = provenance.environments(report)
    warned = [f"- {escape_markdown(text)}" for text in _warnings(report)]
    return [
        ["## Coverage and warnings"],
        gaps.markdown_lines() if gaps else [WHOLE],
        warned or [NO_WARNINGS],
        ["## Readings of the protocol"],
        provenance.reading_table(report).markdown_lines(),
        ["## What ran where, and how long"],
        provenance.time_table(report).markdown_lines(),
        [f"- {escape_markdown(names)}: {escape_markdown(text)}" for names, text in where],
        _picture(plots.speed),
        ["## Reproduce"],
        _fenced(provenance.commands(report)),
        ["## Signatures"],
        [SIGNATURES],
        provenance.signature_table(report).markdown_lines(),
    ]


def _mark(report: Report) -> str:
    return f"{scores.SYNTHETIC} " if report.synthetic else ""


def _picture(plot: Plot | None) -> list[str]:
    if plot is None:
        return []
    return [f"![{escape_markdown(f'{plot.title}. {plot.text}')}](plots/{plot.name}.svg)"]


def _fenced(lines: list[str]) -> list[str]:
    """A code block whose fence is longer than any in it."""
    # A command holds names of files, and those may hold backticks.
    ticks = max([len(run) for line in lines for run in re.findall("`+", line)] or [0])
    fence = "`" * max(3, ticks + 1)
    return [f"{fence}sh", *lines, fence]


def report_html(report: Report, plots: Plots) -> str:
    """The page: styles, script and pictures inline, every name escaped.

    Its content policy lets run nothing but its own script, and load nothing at all.
    """
    from markupsafe import Markup

    script = _packaged("sort.js")
    texts = {"whole": WHOLE, "no_warnings": NO_WARNINGS}
    page = templates().get_template("report.html.j2").render(
        report=report, scores=scores, provenance=provenance, differences=differences, shown=shown,
        plots=plots, warnings=_warnings(report),
        texts={**texts, "intervals": INTERVALS, "signatures": SIGNATURES, "of_items": ITEMS},
        items=items,
        # The package's own files and drawings, in which nobody's name stands unescaped.
        picture=lambda plot: Markup(inline_svg(plot)),
        style=Markup(_packaged("style.css")),
        script=Markup(script),
        # The browser runs a script only when its hash is that of the page's policy.
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )  # fmt: skip
    return page if page.endswith("\n") else page + "\n"


def _packaged(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _warnings(report: Report) -> list[str]:
    return [one_line(text)[:LONGEST_WARNING] for text in report.warnings]


def report_values(report: Report) -> dict[str, Any]:
    """Leaderboard, scores, comparisons and provenance, at full precision and JSON-ready."""
    return {
        "synthetic": report.synthetic,
        "suites": [suite.model_dump(mode="json", include=SUITE_KEYS) for suite in report.suites],
        "columns": columns_of(report.suites),
        "leaderboard": [
            {
                "model": row.title,
                "published": row.published,
                "notes": list(row.notes),
                "cells": {name: _mean(mean) for name, mean in row.means.items()},
            }
            for row in report.rows
        ],
        "formats": {
            name: {row.title: _mean(row.means[name]) for row in report.formats}
            for name in (report.formats[0].means if report.formats else ())
        },
        "tasks": [
            {
                **{name: getattr(line, name) for name in LINE_KEYS},
                "scores": {
                    system.title + (" (published)" if system.published else ""): {
                        "value": score.value,
                        "interval": score.interval,
                        "items": score.items,
                        "partial": partial,
                    }
                    for system, score, partial in zip(
                        report.systems, line.scores, line.partial, strict=True
                    )
                    if score is not None
                },
            }
            for line in report.scores
        ],
        "comparisons": [differences.comparison_values(entry) for entry in report.comparisons],
        "warnings": list(report.warnings),
        "runs": [_execution(entry) for entry in report.executions],
    }


def report_json(report: Report) -> str:
    """The values as JSON. Only ASCII: a name may hold half of a surrogate pair, or characters that
    turn the direction of writing."""
    return json.dumps(report_values(report), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _mean(mean: Mean) -> dict[str, Any]:
    return {
        "value": mean.value,
        "interval": mean.interval,
        "numbers": mean.have,
        "numbers_needed": mean.need,
    }


def _execution(entry: Execution) -> dict[str, Any]:
    values = asdict(entry)
    return {
        **values,
        "model": values.pop("system"),
        "seconds": {**entry.seconds, "total": values.pop("total_seconds")},
        "documents_per_second": entry.documents_per_second,
    }


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every file of the report below ``folder``; returns their paths, sorted.

    The same report gives the same bytes. Plots of an earlier report in the folder that this one
    does not have are removed, other files left alone.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    # Everything is made before anything is written: what fails leaves an earlier report whole.
    plots = draw_plots(report)
    board = scores.Leaderboard(report.rows, report.suites)
    contents: dict[str, str | bytes] = {
        "report.md": report_markdown(report, plots),
        "report.html": report_html(report, plots),
        "leaderboard.csv": board.to_csv(),
        # Not the board's own: this one has notes on the systems' scores too.
        "leaderboard.tex": scores.leaderboard_of(report, intervals=False).to_latex(LABEL),
        "leaderboard.json": report_json(report),
    }
    for plot in plots.all():
        contents[f"{PLOTS}/{plot.name}.svg"] = plot.svg
        contents[f"{PLOTS}/{plot.name}.png"] = plot.png
    for name, content in contents.items():
        write_bytes(folder / name, content if isinstance(content, bytes) else content.encode())
    # Only names that a report gives: anything else in the folder is somebody's.
    for path in (folder / PLOTS).glob("*"):
        if OWN_PLOT.fullmatch(path.name) and f"{PLOTS}/{path.name}" not in contents:
            path.unlink()
    return tuple(sorted(folder / name for name in contents))


def default_folder(report: Report) -> Path:
    """Below ``results/reports``: named after the suites and what the report shows."""
    signatures = [entry.signature for entry in report.executions]
    against = [comparison.base for comparison in report.comparisons[:1]]
    published = sum(row.published for row in report.rows)
    # Of the scores' signatures, not of times: the same report of the same runs goes to one place.
    mark = digest([signatures, list(report.results), against, published])
    names = "+".join(suite.name for suite in report.suites)
    return Path("results") / "reports" / slug(f"{names}-{mark}")
