"""Means over tasks of both systems, and the intervals of their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.comparison.records import Mismatch, Summary
from scirepeval_harness.comparison.subjects import Subject
from scirepeval_harness.leaderboard.aggregate import row, row_draws
from scirepeval_harness.specs.suite import Column, SuiteSpec
from scirepeval_harness.specs.task import TaskSpec
from scirepeval_harness.statistics.holm import holm
from scirepeval_harness.statistics.interval import interval
from scirepeval_harness.statistics.paired import difference_draws, p_of_draws

Draws = Mapping[str, NDArray[np.float64]]
Common = Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]
"""Task -> the scores by key that both systems have: those of the base, those of the other."""
PairedDraws = Mapping[str, tuple[Draws, Draws]]


@dataclass(frozen=True)
class Summaries:
    """Means by format and by column, the latter not yet corrected, since they are so together
    with the scores; ``groups`` names the columns that list tasks, ``mismatches`` those that could
    not be compared."""

    formats: tuple[Summary, ...]
    groups: tuple[str, ...]
    averages: tuple[Summary, ...]
    mismatches: tuple[Mismatch, ...]


def summaries(
    base: Subject,
    other: Subject,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    common: Common,
    draws: PairedDraws,
) -> Summaries:
    """Means over the scores that both have, reduced as the leaderboard does.

    An average that a published row prints is taken as printed, against the whole average of the
    other side.
    """
    averages: list[Summary] = []
    lost: list[Mismatch] = []
    printed = {**base.columns, **other.columns}
    for suite in suites:
        averages += [
            entry for entry in _means(suite, tasks, common, draws) if entry.name not in printed
        ]
        for column in suite.columns:
            if column.name in printed:
                entry = _as_printed(column.name, base, other, suite, tasks)
                (averages if isinstance(entry, Summary) else lost).append(entry)  # type: ignore[arg-type]
    own = {column.name for suite in suites for column in suite.columns if column.tasks}
    order = [column.name for suite in suites for column in suite.columns]
    averages.sort(key=lambda entry: order.index(entry.name))
    formats = _means(by_format(suites, tasks), tasks, common, draws) if suites else []
    return Summaries(
        formats=tuple(_corrected(formats)),
        groups=tuple(name for name in order if name in own),
        averages=tuple(averages),
        mismatches=tuple(lost),
    )


def by_format(suites: Sequence[SuiteSpec], tasks: Mapping[str, TaskSpec]) -> SuiteSpec:
    """A suite with a column a format, under the readings of the first suite."""
    members: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for suite in suites for name in suite.task_names()):
        members.setdefault(tasks[name].format.value, []).append(name)
    columns = tuple(Column(name=name, tasks=tuple(own)) for name, own in members.items())
    return suites[0].model_copy(update={"columns": columns, "unlisted": ()})


def _means(
    suite: SuiteSpec, tasks: Mapping[str, TaskSpec], common: Common, draws: PairedDraws
) -> list[Summary]:
    """One summary a column of which both have numbers."""
    sides = [{name: pair[side] for name, pair in common.items()} for side in (0, 1)]
    cells = [row(suite, tasks, scores) for scores in sides]
    resampled = [
        row_draws(suite, tasks, sides[side], {name: pair[side] for name, pair in draws.items()})
        for side in (0, 1)
    ]
    whole = _with_draws(suite, common, draws)
    found = []
    for name, cell in cells[0].items():
        a, b = cell.value, cells[1][name].value
        if a is None or b is None or not whole[name][0]:
            continue
        first, second = (part[name] for part in resampled)
        between = None
        if whole[name][1] and isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
            between = difference_draws(first, second)
        found.append(
            Summary(
                name=name,
                a=a,
                b=b,
                difference=b - a,
                interval=None if between is None else interval(between),
                numbers=cell.have,
                need=cell.need,
                p_value=None if between is None else p_of_draws(b - a, between),
            )
        )
    return found


def _with_draws(
    suite: SuiteSpec, common: Common, draws: PairedDraws
) -> dict[str, tuple[bool, bool]]:
    """For each column, whether any of its tasks is in both, and whether all those have draws.

    A score held fixed would make the interval too narrow.
    """
    by_name = {column.name: column for column in suite.columns}
    found = {}
    for column in suite.columns:
        pools = [by_name[name] for name in column.pools] or [column]
        names = [task for pool in pools for task in pool.tasks if common.get(task, ({},))[0]]
        found[column.name] = (bool(names), all(name in draws for name in names))
    return found


def _as_printed(
    name: str, base: Subject, other: Subject, suite: SuiteSpec, tasks: Mapping[str, TaskSpec]
) -> Summary | Mismatch:
    """A printed average against the other side's, which must be whole or printed too."""
    values: list[float] = []
    need = row(suite, tasks, {})[name].need
    for subject in (base, other):
        if name in subject.columns:
            values.append(subject.columns[name])
            continue
        cell = row(suite, tasks, subject.scores)[name]
        if cell.value is None or cell.partial:
            reason = f"{subject.title} has {cell.have} of the {cell.need} numbers"
            return Mismatch(name, reason, missing=True)
        values.append(cell.value)
    a, b = values
    return Summary(name, a, b, b - a, None, need, need)


def _corrected(entries: Sequence[Summary]) -> list[Summary]:
    """With p-values corrected over all that were tested."""
    corrected = iter(holm([entry.p_value for entry in entries if entry.p_value is not None]))
    return [
        entry if entry.p_value is None else replace(entry, p_holm=next(corrected))
        for entry in entries
    ]
