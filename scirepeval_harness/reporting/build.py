"""Gathering what a report says, from results, suites, published numbers and comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import starmap

from scirepeval_harness.comparison.compare import by_format
from scirepeval_harness.comparison.records import Comparison
from scirepeval_harness.errors import UsageError
from scirepeval_harness.reporting import provenance
from scirepeval_harness.reporting.content import NumberLine, Reading, Report, ScoreLine
from scirepeval_harness.reporting.items import Read, item_groups
from scirepeval_harness.results import leaderboard
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.record import ScoreRecord, shortfall
from scirepeval_harness.task.spec import Readings, SuiteSpec, TaskSpec


def build_report(
    results: Sequence[Result],
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    *,
    published: Sequence[leaderboard.PublishedScore] = (),
    model_titles: Mapping[str, str] | None = None,
    comparisons: Sequence[Comparison] = (),
    items: int = 0,
    read: Read | None = None,
) -> Report:
    """The content of a report.

    Args:
        tasks: all registered tasks, by name.
        published: published numbers whose rows are to be shown; none without.
        model_titles: our title of each registered model, by its name.
        comparisons: of results with the baseline, in the order in which they are shown.
        items: how many of the worst and best items of each task are shown.
        read: gives the texts of a task's items; None shows none.

    Raises:
        UsageError: suites that cannot stand in one table.
        StorageError: items or draws that cannot be read.
    """
    check_suites(suites)
    suites = [_marked(suite, results) for suite in suites]

    def measured_rows(suites: Sequence[SuiteSpec]) -> tuple[leaderboard.Row, ...]:
        return tuple(
            replace(leaderboard.measured_row(result, suites, tasks, intervals=True), title=title)
            for title, result in named
        )

    named = tuple(zip(unique_titles(results), results, strict=True))
    measured = measured_rows(suites)
    rows, systems, of_published = _published(published, suites, model_titles or {})
    return Report(
        suites=tuple(suites),
        rows=(*measured, *rows),
        # Each of their scores says by itself whether it is partial.
        systems=(*(replace(row, partial=False, notes=()) for row in measured), *systems),
        scores=tuple(_score_lines(results, of_published, suites, tasks)),
        numbers=tuple(_number_lines(results, suites, tasks)),
        formats=measured_rows([by_format(suites, tasks)]),
        readings=tuple(_readings(suites)),
        comparisons=tuple(comparisons),
        gaps=tuple(gap for entry in named for gap in provenance.execution_gaps(*entry)),
        warnings=tuple(text for entry in named for text in provenance.warnings(*entry)),
        executions=tuple(starmap(provenance.execution, named)),
        items=tuple(item_groups(named, suites, tasks, comparisons, items, read)) if items else (),
    )


def _marked(suite: SuiteSpec, results: Sequence[Result]) -> SuiteSpec:
    """The suite, marked as synthetic where any of its scores comes from made data."""
    names = set(suite.task_names())
    records = (r for result in results for name, r in result.tasks.items() if name in names)
    made = any(record.data is not None and record.data.synthetic for record in records)
    return suite.model_copy(update={"synthetic": suite.synthetic or made})


def check_suites(suites: Sequence[SuiteSpec]) -> None:
    """Raise UsageError for suites whose columns cannot stand in one table."""
    task_sets = sorted({suite.task_set for suite in suites})
    # Two versions of the task list share names of columns and tasks, not the numbers.
    if len(task_sets) > 1:
        raise UsageError(
            f"task sets {', '.join(task_sets)} do not compare", fix="Choose one with --suite"
        )
    names = leaderboard.columns_of(suites)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"two suites have a column {twice[0]!r}", fix="Choose one with --suite")


def unique_titles(results: Sequence[Result]) -> tuple[str, ...]:
    """A title for each result: the model's, with the folder's name or a number where it repeats."""
    titles = [result.run.model.title for result in results]
    named = [
        f"{title} [{result.folder.name}]" if titles.count(title) > 1 else title
        for title, result in zip(titles, results, strict=True)
    ]
    # Two folders may share a name too.
    return tuple(
        f"{title} ({named[: number + 1].count(title)})" if named.count(title) > 1 else title
        for number, title in enumerate(named)
    )


def _published(
    scores: Sequence[leaderboard.PublishedScore],
    suites: Sequence[SuiteSpec],
    titles: Mapping[str, str],
) -> tuple[tuple[leaderboard.Row, ...], list[leaderboard.Row], list[leaderboard.TaskScores]]:
    """Published rows; those of them that have scores of the suites' tasks, and these scores."""
    task_sets = {suite.task_set for suite in suites}
    scores = [score for score in scores if score.task_set in task_sets]
    rows = tuple(
        row
        for name in sorted(task_sets)
        for row in leaderboard.published_rows(scores, name, titles)
    )
    names = {name for suite in suites for name in suite.task_names()}
    systems: list[leaderboard.Row] = []
    by_system: list[leaderboard.TaskScores] = []
    printed = dict.fromkeys(score.title for score in scores if score.level == "column")
    for row, title in zip(rows, printed, strict=True):
        used = [s for s in scores if s.title == title and s.level == "task" and s.name in names]
        if used:
            sources = dict.fromkeys(f"scores of tasks: {s.kind}, {s.source}" for s in used)
            systems.append(replace(row, notes=tuple(sources)))
            by_system.append(leaderboard.task_scores(used, title))
    return rows, systems, by_system


def _score_lines(
    results: Sequence[Result],
    published: Sequence[leaderboard.TaskScores],
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
) -> Iterator[ScoreLine]:
    for suite in suites:
        for name in suite.task_names():
            measured = [_scores(result, name) for result in results]
            printed = [
                {
                    key: ScoreRecord(key=key, metric=key, value=value, items=0)
                    for key, value in scores.get(name, {}).items()
                }
                for scores in published
            ]
            partial = [bool(shortfall(result.tasks.get(name))) for result in results]
            # Keys of published scores only are left out: nothing was measured beside them.
            fields = {key: score.field for scores in measured for key, score in scores.items()}
            for key, field in fields.items():
                yield ScoreLine(
                    suite=suite.name,
                    task=name,
                    title=tasks[name].title,
                    format=tasks[name].format.value,
                    group=_column(suite, tasks[name], key),
                    key=key,
                    field=field,
                    scores=tuple(scores.get(key) for scores in (*measured, *printed)),
                    partial=(*partial, *(False for _ in printed)),
                )


def _column(suite: SuiteSpec, task: TaskSpec, key: str) -> str | None:
    """The column that a score of the task enters; None where it enters none."""
    # The metric of ``f1_macro@64-shot`` or ``map[Art]``.
    metric = key.partition("@")[0].partition("[")[0]
    for column in suite.columns:
        if task.name in column.tasks and column.metric in (None, metric):
            return column.name
    return None


def _scores(result: Result, task: str) -> dict[str, ScoreRecord]:
    """A finished task's scores by key."""
    record = result.tasks.get(task)
    finished = record and record.status == "ok"
    return {score.key: score for score in record.scores} if record and finished else {}


def task_lines(
    results: Sequence[Result],
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    published: Sequence[leaderboard.PublishedScore] = (),
    model_titles: Mapping[str, str] | None = None,
) -> tuple[tuple[leaderboard.Row, ...], tuple[NumberLine, ...]]:
    """Every number that enters an average, and the systems whose numbers they are, in their order:
    the results, and published systems of whose tasks anything is known."""
    titles = unique_titles(results)
    measured = [
        replace(leaderboard.measured_row(result, suites, tasks), title=title)
        for title, result in zip(titles, results, strict=True)
    ]
    _, systems, printed = _published(published, suites, model_titles or {})
    lines = tuple(_number_lines(results, suites, tasks, printed))
    return (*measured, *systems), lines


def _number_lines(
    results: Sequence[Result],
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    published: Sequence[leaderboard.TaskScores] = (),
) -> Iterator[NumberLine]:
    for suite in suites:
        for name in suite.task_names():
            scores = [
                {key: score.value for key, score in _scores(result, name).items()}
                for result in results
            ]
            scores += [dict(printed.get(name, {})) for printed in published]
            by_result = [
                leaderboard.task_numbers(tasks[name], values, suite.readings) for values in scores
            ]
            for metric in dict.fromkeys(metric for numbers in by_result for metric in numbers):
                column = _column(suite, tasks[name], metric)
                # The plot's rows are what enters the averages, and nothing else.
                if column is None:
                    continue
                values = [numbers.get(metric) for numbers in by_result]
                yield NumberLine(
                    title=tasks[name].title,
                    group=column,
                    metric=metric,
                    values=tuple(None if value is None else float(value) for value in values),
                )


def _readings(suites: Sequence[SuiteSpec]) -> Iterator[Reading]:
    default = Readings()
    for suite in suites:
        for name, value in suite.readings:
            constant = name == "author_disambiguation_constant"
            # The constant means nothing where author disambiguation is measured or left out.
            if constant and suite.readings.author_disambiguation != "constant":
                continue
            yield Reading(suite.title, name, str(value), value == getattr(default, name))
