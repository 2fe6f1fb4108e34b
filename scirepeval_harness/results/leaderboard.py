"""From the scores of tasks to the cells of a leaderboard row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scirepeval_harness.evaluations.base import NOT_RESAMPLED, Number
from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.results.folder import Result
from scirepeval_harness.statistics.bootstrap import interval
from scirepeval_harness.tasks.spec import Column, Readings, SuiteSpec, TaskSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


TaskScores = Mapping[str, Mapping[str, float]]
"""Task name -> score key -> score x 100."""
TaskDraws = Mapping[str, Mapping[str, "NDArray[np.float64]"]]
"""Task name -> score key -> resampled scores x 100, as many in every task."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A column's mean over the ``have`` numbers that are there of the ``need`` that it takes.

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
) -> dict[str, Cell]:
    """One cell a column of the suite, with intervals where draws are given.

    A column of tasks is the mean of its numbers; a pooling column the mean of all numbers of the
    columns that it pools, which for SciRepEval is (7 x In-Train + 20 x Out-of-Train) / 27.
    """
    resampled = row_draws(suite, tasks, scores, draws) if draws else {}
    return {
        name: _cell(numbers, resampled.get(name))
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
        name: {**own, **draws.get(name, {})} for name, own in scores.items()
    }
    return {
        name: _mean_of_present(numbers) for name, numbers in _numbers(suite, tasks, merged).items()
    }


def _numbers(
    suite: SuiteSpec, tasks: Mapping[str, TaskSpec], scores: Mapping[str, Mapping[str, Number]]
) -> dict[str, list[Number | None]]:
    """The numbers of each column, in the order of the suite's columns."""
    numbers = {
        column.name: _column_numbers(column, tasks, scores, suite.readings)
        for column in suite.columns
        if column.tasks
    }
    pooled = {
        column.name: [number for name in column.pools for number in numbers[name]]
        for column in suite.columns
        if column.pools
    }
    everything = numbers | pooled
    return {column.name: everything[column.name] for column in suite.columns}


def task_numbers(
    task: TaskSpec, scores: Mapping[str, Number], readings: Readings
) -> dict[str, Number | None]:
    """The numbers with which a task enters the averages, by metric; None where one is missing.

    Rankings count once a metric; a supervised task once, over its full and few-shot scores;
    reviewer matching once, over its four (docs/protocol.md).
    """
    return EVALUATIONS.get(task.evaluation).numbers(task, scores, readings)


def _mean_of_present(values: Sequence[Number | None]) -> Number | None:
    present = [value for value in values if value is not None]
    return sum(present[1:], present[0]) / len(present) if present else None


def _column_numbers(
    column: Column,
    tasks: Mapping[str, TaskSpec],
    scores: Mapping[str, Mapping[str, Number]],
    readings: Readings,
) -> list[Number | None]:
    found: list[Number | None] = []
    for name in column.tasks:
        numbers = task_numbers(tasks[name], scores.get(name, {}), readings)
        found += [v for metric, v in numbers.items() if column.metric in (None, metric)]
    return found


def _cell(numbers: Sequence[Number | None], draws: Number | None) -> Cell:
    have = sum(number is not None for number in numbers)
    mean = _mean_of_present(numbers)
    return Cell(
        None if mean is None else float(mean),
        have,
        len(numbers),
        None if draws is None or isinstance(draws, float) else interval(draws),
    )


@dataclass(frozen=True)
class Row:
    """One system. ``notes`` are footnotes: partial coverage, failed tasks, the published source."""

    title: str
    cells: Mapping[str, Cell]
    published: bool = False
    notes: tuple[str, ...] = ()


def measured_row(
    result: Result,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    *,
    intervals: bool = False,
) -> Row:
    """The row of a result. Tasks that failed count as missing; incomplete coverage is noted.

    Args:
        intervals: give each cell its interval, for which the draws of every task are read.
    """
    done = {name: record for name, record in result.tasks.items() if record.status == "ok"}
    scores = {
        name: {score.key: score.value for score in record.scores} for name, record in done.items()
    }
    draws = _draws(result) if intervals else {}
    fixed = {name for name, record in done.items() if record.notes.get(NOT_RESAMPLED)}
    cells: dict[str, Cell] = {}
    for suite in suites:
        cells |= row(suite, tasks, scores, draws)
        for column in suite.columns:
            pools = [own for own in suite.columns if own.name in column.pools] or [column]
            if fixed & {task for pool in pools for task in pool.tasks}:
                # A score held fixed would make the interval of the mean too narrow.
                cells[column.name] = replace(cells[column.name], interval=None)
    notes = [f"no interval for means with {name}: not resampled" for name in sorted(fixed)]
    notes += [
        f"{name} scored on {record.coverage}"
        for name, record in done.items()
        if record.coverage is not None and not record.coverage.complete
    ]
    failed = [name for name, record in result.tasks.items() if record.status != "ok"]
    if failed:
        notes.append(f"failed: {', '.join(failed)}")
    limits = {record.settings["limit"] for record in done.values() if record.settings["limit"]}
    if limits:
        notes.append(f"limited to {', '.join(map(str, sorted(limits)))} queries or rows a task")
    return Row(result.run.model.title, cells, notes=tuple(notes))


def _draws(result: Result) -> TaskDraws:
    """The draws of every task that has intervals."""
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, record in result.tasks.items():
        if any(score.interval for score in record.scores):
            table = result.draws(name)
            found[name] = {key: table[key].to_numpy() for key in table.columns}
    return found
