"""The rows of a leaderboard: from the scores of tasks to averages, and averages as published."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import SpecError
from scirepeval_harness.evaluations.base import Number
from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.record import TaskRecord, shortfall
from scirepeval_harness.statistics.bootstrap import interval
from scirepeval_harness.task.spec import Column, Readings, SuiteSpec, TaskSpec

TaskScores = Mapping[str, Mapping[str, float]]
"""Task name -> score key -> score x 100."""
TaskDraws = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Task name -> score key -> resampled scores x 100, as many in every task."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a column over the ``have`` numbers that are there of the ``need`` that it takes.

    ``interval`` is the 95% bootstrap interval of ``value`` under resampling within tasks.
    """

    value: float | None
    have: int
    need: int
    interval: tuple[float, float] | None = None

    @property
    def partial(self) -> bool:
        return self.have < self.need


def row(
    suite: SuiteSpec,
    tasks: Mapping[str, TaskSpec],
    scores: TaskScores,
    draws: TaskDraws | None = None,
) -> dict[str, Mean]:
    """One mean per column of the suite, with intervals where draws are given.

    A column of tasks is the mean of its numbers; a pooling column the mean of all numbers of the
    columns that it pools, which for SciRepEval is (7 x In-Train + 20 x Out-of-Train) / 27.
    """
    resampled = row_draws(suite, tasks, scores, draws) if draws else {}
    return {
        name: _mean_of_column(numbers, resampled.get(name))
        for name, numbers in _numbers(suite, tasks, scores).items()
    }


def row_draws(
    suite: SuiteSpec, tasks: Mapping[str, TaskSpec], scores: TaskScores, draws: TaskDraws
) -> dict[str, Number | None]:
    """Draws of each column's mean: every task resampled by itself, then averaged as in `row`.

    A score without draws (a constant, or a number that another program printed) is held fixed; a
    column of which nothing was resampled is a float, one without any number None.
    """
    merged: dict[str, Mapping[str, Number]] = {
        name: {**values, **draws.get(name, {})} for name, values in scores.items()
    }
    return {
        name: _mean_of_present(numbers) for name, numbers in _numbers(suite, tasks, merged).items()
    }


def _numbers(
    suite: SuiteSpec, tasks: Mapping[str, TaskSpec], scores: Mapping[str, Mapping[str, Number]]
) -> dict[str, list[Number | None]]:
    """The numbers of each column, in the order of the suite's columns.

    A pooling column holds the numbers of the columns that it pools, not their means: so an average
    weighs every task alike, not every column.
    """
    numbers: dict[str, list[Number | None]] = {}
    # Columns of tasks first: a pooling column may stand before those that it pools.
    for column in sorted(suite.columns, key=lambda column: bool(column.pools)):
        numbers[column.name] = [n for name in column.pools for n in numbers[name]]
        for name in column.tasks:
            of_task = task_numbers(tasks[name], scores.get(name, {}), suite.readings)
            numbers[column.name] += [
                value for metric, value in of_task.items() if column.metric in (None, metric)
            ]
    return {column.name: numbers[column.name] for column in suite.columns}


def task_numbers(
    task: TaskSpec, scores: Mapping[str, Number], readings: Readings
) -> dict[str, Number | None]:
    """The numbers with which a task enters the averages, by metric; None where one is missing.

    Rankings count once per metric; a supervised task once, over its full and few-shot scores;
    reviewer matching once, over its four (docs/protocol.md); an evaluation that the protocol does
    not know once, with the mean of its scores of the full setting.
    """
    return EVALUATIONS.get(task.evaluation).numbers(task, scores, readings)


def _mean_of_present(values: Sequence[Number | None]) -> Number | None:
    present = [value for value in values if value is not None]
    # Not numpy's mean: draws are arrays and fixed scores floats, which add up to an array.
    return sum(present[1:], present[0]) / len(present) if present else None


def _mean_of_column(numbers: Sequence[Number | None], draws: Number | None) -> Mean:
    have = sum(number is not None for number in numbers)
    mean = _mean_of_present(numbers)
    return Mean(
        None if mean is None else float(mean),
        have,
        len(numbers),
        None if draws is None or isinstance(draws, float) else interval(draws),
    )


def column_tasks(suite: SuiteSpec, column: Column) -> list[str]:
    """The tasks whose numbers enter a column, its own or those of the columns that it pools."""
    pooled = [entry for entry in suite.columns if entry.name in column.pools] or [column]
    return [name for entry in pooled for name in entry.tasks]


def columns_of(suites: Sequence[SuiteSpec]) -> list[str]:
    """The columns of all suites, in order."""
    return [column.name for suite in suites for column in suite.columns]


AVERAGE = "Average"


def with_columns(
    suites: Sequence[SuiteSpec], results: Sequence[Result], tasks: Mapping[str, TaskSpec]
) -> list[SuiteSpec]:
    """The suites, each of which has columns for the results' tasks.

    Where no column of a suite lists any of its tasks that were run, it gets one a format and an
    average over all of their numbers, as :func:`task_numbers` counts them; a name that another
    suite has too is followed by the suite's own.
    """
    made = [_with_columns(suite, results, tasks) for suite in suites]
    names = columns_of(made)
    twice = {name for name in names if names.count(name) > 1}
    return [
        own if own is suite else _named_apart(own, twice)
        for suite, own in zip(suites, made, strict=True)
    ]


def _with_columns(
    suite: SuiteSpec, results: Sequence[Result], tasks: Mapping[str, TaskSpec]
) -> SuiteSpec:
    run = [name for name in suite.task_names() if any(name in own.tasks for own in results)]
    if not run or any(suite.group_of(name) for name in run):
        return suite
    columns = format_columns(run, tasks)
    average = Column(name=AVERAGE, pools=tuple(column.name for column in columns))
    rest = tuple(name for name in suite.task_names() if name not in run)
    return suite.model_copy(update={"columns": (*columns, average), "unlisted": rest})


def format_columns(names: Iterable[str], tasks: Mapping[str, TaskSpec]) -> tuple[Column, ...]:
    """A column per format of the named tasks, in the order in which the formats come."""
    formats: dict[str, list[str]] = {}
    for name in names:
        formats.setdefault(tasks[name].format.value, []).append(name)
    return tuple(Column(name=name, tasks=tuple(listed)) for name, listed in formats.items())


def _named_apart(suite: SuiteSpec, twice: Container[str]) -> SuiteSpec:
    names = {c.name: f"{c.name} ({suite.name})" for c in suite.columns if c.name in twice}
    columns = tuple(
        column.model_copy(
            update={
                "name": names.get(column.name, column.name),
                "pools": tuple(names.get(name, name) for name in column.pools),
            }
        )
        for column in suite.columns
    )
    return suite.model_copy(update={"columns": columns})


@dataclass(frozen=True)
class Row:
    """One system's averages by column. ``partial`` tells that a task was scored on a part of its
    documents or queries, so that the averages are not those of others. ``notes`` are footnotes:
    partial coverage, failed tasks, the published source."""

    title: str
    means: Mapping[str, Mean]
    published: bool = False
    notes: tuple[str, ...] = ()
    partial: bool = False


def measured_row(
    result: Result,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    *,
    intervals: bool = False,
) -> Row:
    """The row of a result. Tasks that failed count as missing; incomplete coverage is noted.

    Args:
        intervals: give each average its interval, for which the draws of every task are read.
    """
    done = {name: record for name, record in result.tasks.items() if record.status == "ok"}
    scores = {
        name: {score.key: score.value for score in record.scores} for name, record in done.items()
    }
    draws = _draws(result) if intervals else {}
    fixed = _not_resampled(done) if intervals else {}
    means: dict[str, Mean] = {}
    for suite in suites:
        means |= row(suite, tasks, scores, draws)
        for column in suite.columns:
            # Held fixed, a score would make the interval of its average too narrow.
            if fixed.keys() & set(column_tasks(suite, column)):
                means[column.name] = replace(means[column.name], interval=None)
    notes = list(result.remarks)
    notes += [
        f"{name} {missing}" for name, record in done.items() if (missing := shortfall(record))
    ]
    partial = any(shortfall(record) for record in done.values())
    others = {name: record for name, record in result.tasks.items() if name not in done}
    for status in dict.fromkeys(record.status for record in others.values()):
        own = {name: record for name, record in others.items() if record.status == status}
        if status == "outdated":
            notes += [f"left out: {name}, {record.error}" for name, record in own.items()]
        else:
            notes.append(f"{status}: {', '.join(own)}")
    limits = {record.settings["limit"] for record in done.values() if record.settings["limit"]}
    if limits:
        notes.append(f"limited to {', '.join(map(str, sorted(limits)))} queries or rows a task")
    notes += [
        f"no interval for {name} ({', '.join(keys)}), which cannot be resampled, nor for its means"
        for name, keys in fixed.items()
    ]
    return Row(result.run.model.title, means, notes=tuple(notes), partial=partial)


def ordered(rows: Sequence[Row], column: str | None = None) -> tuple[Row, ...]:
    """Rows by a column's mean, the highest first; by none, in the order given, measured ones before
    published ones. A row of partial data or numbers never stands above a whole one."""

    def place(row: Row) -> tuple[float, ...]:
        if column is None:
            return row.published, row.partial or any(mean.partial for mean in row.means.values())
        mean = row.means.get(column)
        if mean is None or mean.value is None:
            return 2, 0.0
        return row.partial or mean.partial, -mean.value

    return tuple(sorted(rows, key=place))


def _not_resampled(done: Mapping[str, TaskRecord]) -> dict[str, list[str]]:
    """Score keys without an interval, of tasks that have other scores with one or items."""
    by_task = {
        name: [s.key for s in record.scores if s.interval is None and s.field is None]
        for name, record in done.items()
        if record.item_kind is not None
    }
    return {name: keys for name, keys in by_task.items() if keys}


def _draws(result: Result) -> TaskDraws:
    """The draws of every task that has intervals."""
    tables = {
        name: result.draws(name)
        for name, record in result.tasks.items()
        if any(score.interval for score in record.scores)
    }
    return {name: {k: t[k].to_numpy() for k in t.columns} for name, t in tables.items()}


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One number. ``level`` is ``column`` for an average as printed, ``task`` for a task's score;
    ``name`` the column or task; ``task_set`` the version of the task list that it belongs to."""

    system: str
    title: str
    level: str
    name: str
    key: str
    value: float
    kind: str
    task_set: str
    source: str


def read_published(folder: Path) -> tuple[PublishedScore, ...]:
    """All published numbers below ``folder``; raises SpecError for a malformed file."""
    scores: list[PublishedScore] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            # From 2: the header is line 1.
            for number, row in enumerate(csv.DictReader(lines), 2):
                try:
                    value = float(row.pop("value"))
                    scores.append(PublishedScore(value=value, **row))
                except (KeyError, TypeError, ValueError) as error:
                    raise SpecError(
                        f"not a published score ({error})",
                        where=f"{path}:{number}",
                        fix="See results/README.md for the columns",
                    ) from error
    return tuple(scores)


def published_rows(
    scores: Sequence[PublishedScore], task_set: str, titles: Mapping[str, str]
) -> tuple[Row, ...]:
    """Rows of the averages as printed, of one task set only: v1 and v2 lists do not compare.

    Args:
        titles: our title of each registered model, by its name.
    """
    # By title: a system may be printed in several rows, and most rows name no system of ours.
    by_title: dict[str, list[PublishedScore]] = {}
    for score in scores:
        if score.level == "column" and score.task_set == task_set:
            by_title.setdefault(score.title, []).append(score)
    return tuple(
        Row(
            titles.get(printed[0].system, title),
            {score.name: Mean(score.value, 1, 1) for score in printed},
            published=True,
            notes=tuple(dict.fromkeys(f"published in {score.source}" for score in printed)),
        )
        for title, printed in by_title.items()
    )


def task_scores(scores: Sequence[PublishedScore], title: str) -> dict[str, dict[str, float]]:
    """A title's scores by task and score key, as the aggregation takes them."""
    by_task: dict[str, dict[str, float]] = {}
    for score in scores:
        if score.title == title and score.level == "task":
            by_task.setdefault(score.name, {})[score.key] = score.value
    return by_task
