"""From results, suites and comparisons to what a report says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scirepeval_harness.comparison.compare import by_format
from scirepeval_harness.comparison.records import Comparison
from scirepeval_harness.errors import UsageError
from scirepeval_harness.files import write_bytes, write_text
from scirepeval_harness.report import provenance as of_run
from scirepeval_harness.report.charts import draw_plots
from scirepeval_harness.report.content import (
    FormatLine,
    NumberLine,
    Reading,
    Report,
    Score,
    ScoreLine,
    System,
    report_json,
)
from scirepeval_harness.report.html import report_html
from scirepeval_harness.report.latex import leaderboard_latex
from scirepeval_harness.report.leaderboard import csv_text
from scirepeval_harness.report.pages import report_markdown
from scirepeval_harness.results.folder import Result, slug
from scirepeval_harness.results.leaderboard import Row, TaskScores, measured_row, task_numbers
from scirepeval_harness.results.published import PublishedScore, published_rows, task_scores
from scirepeval_harness.results.record import digest
from scirepeval_harness.tasks.spec import Readings, SuiteSpec, TaskSpec

_Scores = dict[str, tuple[Score, str | None]]
"""Score and field by score key."""


def build_report(
    results: Sequence[Result],
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    *,
    published: Sequence[PublishedScore] = (),
    model_titles: Mapping[str, str] | None = None,
    comparisons: Sequence[Comparison] = (),
) -> Report:
    """The content of a report.

    Args:
        tasks: all registered tasks, by name.
        published: published numbers whose rows are to be shown; none without.
        model_titles: our title of each registered model, by its name.
        comparisons: of results with the baseline, in the order in which they are shown.

    Raises:
        UsageError: suites that cannot stand in one table.
        StorageError: draws that cannot be read.
    """
    check_suites(suites)
    suites = [_marked(suite, results) for suite in suites]
    titles = unique_titles(results)
    measured = [
        replace(measured_row(result, suites, tasks, intervals=True), title=title)
        for title, result in zip(titles, results, strict=True)
    ]
    rows, systems, of_published = _published(published, suites, model_titles or {})
    return Report(
        suites=tuple(suites),
        rows=(*measured, *rows),
        systems=(*(System(title) for title in titles), *systems),
        scores=tuple(_score_lines(results, of_published, suites, tasks)),
        results=titles,
        numbers=tuple(_number_lines(results, suites, tasks)),
        formats=_format_lines(results, suites, tasks),
        readings=tuple(_readings(suites)),
        comparisons=tuple(comparisons),
        gaps=tuple(
            gap for t, r in zip(titles, results, strict=True) for gap in of_run.execution_gaps(t, r)
        ),
        warnings=tuple(_warnings(titles, results, tasks)),
        executions=tuple(of_run.execution(t, r) for t, r in zip(titles, results, strict=True)),
    )


def _marked(suite: SuiteSpec, results: Sequence[Result]) -> SuiteSpec:
    """The suite, marked as synthetic where any of its scores comes from made data."""
    names = set(suite.task_names())
    data = [r.data for result in results for name, r in result.tasks.items() if name in names]
    made = any(own is not None and own.synthetic for own in data)
    return suite.model_copy(update={"synthetic": suite.synthetic or made})


def check_suites(suites: Sequence[SuiteSpec]) -> None:
    """Raise UsageError for suites whose columns cannot stand in one table."""
    task_sets = sorted({suite.task_set for suite in suites})
    if len(task_sets) > 1:
        raise UsageError(
            f"task sets {', '.join(task_sets)} do not compare", fix="Choose one with --suite"
        )
    names = [column.name for suite in suites for column in suite.columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"two suites have a column {twice[0]!r}", fix="Choose one with --suite")


def unique_titles(results: Sequence[Result]) -> tuple[str, ...]:
    """A title for each result: the model's, with the folder's name or a number where it repeats."""
    own = [result.run.model.title for result in results]
    named = [
        f"{title} [{result.folder.name}]" if own.count(title) > 1 else title
        for title, result in zip(own, results, strict=True)
    ]
    return tuple(
        f"{title} ({named[: number + 1].count(title)})" if named.count(title) > 1 else title
        for number, title in enumerate(named)
    )


def _published(
    scores: Sequence[PublishedScore], suites: Sequence[SuiteSpec], titles: Mapping[str, str]
) -> tuple[tuple[Row, ...], list[System], list[TaskScores]]:
    """Published rows, and those of them that have scores of the suites' tasks."""
    task_sets = {suite.task_set for suite in suites}
    own = [score for score in scores if score.task_set in task_sets]
    rows = tuple(row for name in sorted(task_sets) for row in published_rows(own, name, titles))
    names = {name for suite in suites for name in suite.task_names()}
    systems: list[System] = []
    found: list[TaskScores] = []
    printed = dict.fromkeys(score.title for score in own if score.level == "column")
    for row, title in zip(rows, printed, strict=True):
        of_tasks = {n: keys for n, keys in task_scores(own, title).items() if n in names}
        if of_tasks:
            used = [s for s in own if s.title == title and s.level == "task" and s.name in names]
            sources = dict.fromkeys(f"scores of tasks: {s.kind}, {s.source}" for s in used)
            systems.append(System(row.title, published=True, notes=tuple(sources)))
            found.append(of_tasks)
    return rows, systems, found


def _score_lines(
    results: Sequence[Result],
    published: Sequence[TaskScores],
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
) -> Iterator[ScoreLine]:
    for suite in suites:
        for name in suite.task_names():
            measured = [_scores(result, name) for result in results]
            printed: list[_Scores] = [
                {key: (Score(value), None) for key, value in scores.get(name, {}).items()}
                for scores in published
            ]
            systems = [*measured, *printed]
            # Keys of published scores only are left out: nothing was measured beside them.
            fields = {key: field for scores in measured for key, (_, field) in scores.items()}
            for key, field in fields.items():
                yield ScoreLine(
                    suite=suite.name,
                    task=name,
                    title=tasks[name].title,
                    format=tasks[name].format.value,
                    group=_column(suite, tasks[name], key),
                    key=key,
                    field=field,
                    scores=tuple(s[key][0] if key in s else None for s in systems),
                )


def _column(suite: SuiteSpec, task: TaskSpec, key: str) -> str | None:
    """The column that a score of the task enters; None where it enters none."""
    metric = key.partition("@")[0].partition("[")[0]
    for column in suite.columns:
        if task.name in column.tasks and column.metric in (None, metric):
            return column.name
    return None


def _scores(result: Result, task: str) -> _Scores:
    record = result.tasks.get(task)
    if record is None or record.status != "ok":
        return {}
    partial = record.coverage is not None and not record.coverage.complete
    return {
        score.key: (Score(score.value, score.interval, score.items, partial), score.field)
        for score in record.scores
    }


def _number_lines(
    results: Sequence[Result], suites: Sequence[SuiteSpec], tasks: Mapping[str, TaskSpec]
) -> Iterator[NumberLine]:
    for suite in suites:
        for name in suite.task_names():
            found = [
                task_numbers(
                    tasks[name],
                    {key: score.value for key, (score, _) in _scores(result, name).items()},
                    suite.readings,
                )
                for result in results
            ]
            for metric in dict.fromkeys(metric for numbers in found for metric in numbers):
                column = _column(suite, tasks[name], metric)
                if column is None:
                    continue
                values = [numbers.get(metric) for numbers in found]
                yield NumberLine(
                    title=tasks[name].title,
                    group=column,
                    metric=metric,
                    values=tuple(None if value is None else float(value) for value in values),
                )


def _format_lines(
    results: Sequence[Result], suites: Sequence[SuiteSpec], tasks: Mapping[str, TaskSpec]
) -> tuple[FormatLine, ...]:
    own = by_format(suites, tasks)
    rows = [measured_row(result, [own], tasks, intervals=True) for result in results]
    return tuple(
        FormatLine(column.name, tuple(row.cells[column.name] for row in rows))
        for column in own.columns
    )


def _readings(suites: Sequence[SuiteSpec]) -> Iterator[Reading]:
    default = Readings()
    for suite in suites:
        for name, value in suite.readings:
            constant = name == "author_disambiguation_constant"
            if constant and suite.readings.author_disambiguation != "constant":
                continue
            yield Reading(suite.title, name, str(value), value == getattr(default, name))


def _warnings(
    titles: Sequence[str], results: Sequence[Result], tasks: Mapping[str, TaskSpec]
) -> Iterator[str]:
    for title, result in zip(titles, results, strict=True):
        yield from of_run.warnings(title, result)
        for name, record in result.tasks.items():
            if name in tasks and record.version != tasks[name].version:
                yield (
                    f"{title}, {name}: scored under version {record.version} of the task, "
                    f"which is at version {tasks[name].version}"
                )


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
