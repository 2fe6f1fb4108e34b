"""From the scores of tasks to the cells of a leaderboard row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from scirepeval_harness.specs.suite import Column, Readings, SuiteSpec
from scirepeval_harness.specs.task import Evaluation, TaskSpec

TaskScores = Mapping[str, Mapping[str, float]]
"""Task name -> score key -> score x 100."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A column's mean over the ``have`` numbers that are there of the ``need`` that it takes."""

    value: float | None
    have: int
    need: int

    @property
    def partial(self) -> bool:
        return self.have < self.need


def row(suite: SuiteSpec, tasks: Mapping[str, TaskSpec], scores: TaskScores) -> dict[str, Cell]:
    """One cell a column of the suite.

    A column of tasks is the mean of its numbers; a pooling column the mean of all numbers of the
    columns that it pools, which for SciRepEval is (7 x In-Train + 20 x Out-of-Train) / 27.
    """
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
    return {column.name: _cell(everything[column.name]) for column in suite.columns}


def task_numbers(
    task: TaskSpec, scores: Mapping[str, float], readings: Readings
) -> dict[str, float | None]:
    """The numbers with which a task enters the averages, by metric; None where one is missing.

    Rankings count once a metric; a supervised task once, over its full and few-shot scores;
    reviewer matching once, over its four (docs/protocol.md).
    """
    match task.evaluation:
        case Evaluation.RANKING | Evaluation.CITATION_POOLS:
            return {metric: scores.get(metric) for metric in task.metrics}
        case Evaluation.REVIEWER_MATCHING:
            kinds = {"hard_only": ("hard",), "soft_only": ("soft",)}
            wanted = kinds.get(readings.reviewer_matching, ("hard", "soft"))
            keys = [f"{kind}_{metric}" for kind in wanted for metric in task.metrics]
            return {"mean": _mean([scores.get(key) for key in keys])}
        case Evaluation.AUTHOR_DISAMBIGUATION:
            if readings.author_disambiguation == "excluded":
                return {}
            if readings.author_disambiguation == "constant":
                return {"constant": readings.author_disambiguation_constant}
            return {metric: scores.get(metric) for metric in task.metrics}
        case Evaluation.PROBE:
            return {
                metric: _probe_number(task, metric, scores, readings) for metric in task.metrics
            }


def _probe_number(
    task: TaskSpec, metric: str, scores: Mapping[str, float], readings: Readings
) -> float | None:
    full = scores.get(metric)
    shots = [scores.get(f"{metric}@{shot.setting}") for shot in task.few_shot]
    if not shots:
        return full
    if readings.few_shot == "full_and_mean_of_few_shot":
        return _mean([full, _mean(shots)])
    return _mean([full, *shots])


def _mean(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return fmean(present) if len(present) == len(values) else None


def _column_numbers(
    column: Column, tasks: Mapping[str, TaskSpec], scores: TaskScores, readings: Readings
) -> list[float | None]:
    found: list[float | None] = []
    for name in column.tasks:
        numbers = task_numbers(tasks[name], scores.get(name, {}), readings)
        found += [v for metric, v in numbers.items() if column.metric in (None, metric)]
    return found


def _cell(numbers: list[float | None]) -> Cell:
    present = [number for number in numbers if number is not None]
    return Cell(fmean(present) if present else None, len(present), len(numbers))
