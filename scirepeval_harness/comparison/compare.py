"""The comparison of two systems: per task and score, per format and group, and the averages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.comparison.pairs import Pair, make_pair, paired_draws, paired_p
from scirepeval_harness.comparison.records import Comparison, Difference, Mismatch, Summary, Verdict
from scirepeval_harness.comparison.systems import System, by_reason, harmless, mismatches
from scirepeval_harness.errors import NotComparableError
from scirepeval_harness.options import LAST_SEED, check_bounds
from scirepeval_harness.results.leaderboard import (
    column_tasks,
    columns_of,
    format_columns,
    row,
    row_draws,
)
from scirepeval_harness.statistics.bootstrap import interval
from scirepeval_harness.statistics.permutation import difference_draws, holm, p_of_draws
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

ALPHA = 0.05
NOT_RESAMPLED = "a metric that cannot be resampled"
Draws = Mapping[str, NDArray[np.float64]]
PairedDraws = Mapping[str, tuple[Draws, Draws]]
"""Task -> draws x 100 by score key, those of the base and those of the other system."""
Common = Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]
"""Task -> the scores by key that both systems have: those of the base, those of the other."""
Tested = TypeVar("Tested", bound=Difference | Summary)


def compare(
    base: System,
    other: System,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    *,
    seed: int,
    allow_mismatch: bool,
) -> Comparison:
    """How ``other`` differs from ``base`` on the tasks of the suites that both have.

    Args:
        tasks: all registered tasks, by name.
        seed: of the permutations, and of draws where those in the results cannot be used.
        allow_mismatch: compare also what differs in data or protocol; the reasons stay listed.

    Raises:
        NotComparableError: a task differs in data, version, limit, probe, precision or coverage.
        StorageError: items or draws that cannot be read.
    """
    comparison = examine(base, other, suites, tasks, seed=seed, allow_mismatch=allow_mismatch)
    refused = [entry for entry in comparison.mismatches if not entry.missing]
    if refused and not allow_mismatch:
        count = len({entry.task for entry in refused})
        # Three tasks and five reasons: one line, even where a whole benchmark differs.
        reasons = [
            f"{reason} ({', '.join(tasks_of[:3])}{', ...' if len(tasks_of) > 3 else ''})"
            for reason, tasks_of in by_reason(refused).items()
        ]
        raise NotComparableError(
            f"{count} task{'s' if count > 1 else ''} cannot be compared: {'; '.join(reasons[:5])}",
            where=f"{base.title} and {other.title}",
            fix="Run both alike, or pass --allow-mismatch to compare them all the same",
        )
    return comparison


def examine(
    base: System,
    other: System,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    *,
    seed: int,
    allow_mismatch: bool,
) -> Comparison:
    """As `compare`, but what may not be compared is left out and listed, and nothing refused.

    Raises:
        UsageError: a seed that is none.
    """
    check_bounds("seed", seed, 0, LAST_SEED)
    differences: list[Difference] = []
    left_out: list[Mismatch] = []
    apart: list[Mismatch] = []
    draws: dict[str, tuple[Draws, Draws]] = {}
    for suite, name in _tasks_of(base, other, suites):
        reasons = mismatches(base, other, name, suite)
        left_out += reasons
        # With --allow-mismatch reasons stay listed beside the numbers; what is not there stays out.
        if any(entry.missing for entry in reasons) or (reasons and not allow_mismatch):
            continue
        pair = make_pair(base, other, tasks[name])
        if isinstance(pair, str) and not (base.published or other.published):
            left_out.append(Mismatch(name, pair))
            if not allow_mismatch:
                continue
        left_out += _keys_of_one(base, other, name)
        apart += harmless(base, other, name)
        if not isinstance(pair, str):
            draws[name] = paired_draws(pair, base, other, seed)
        differences += _differences(base, other, suite, tasks[name], pair, draws.get(name), seed)
    common: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    for entry in differences:
        a, b = common.setdefault(entry.task, ({}, {}))
        a[entry.key], b[entry.key] = entry.a, entry.b
    averages, not_whole = _averages(base, other, suites, tasks, common, draws)
    # All scores and averages are one family of tests, so that the chance of any false finding
    # among them is bounded; the formats, which say the same again, are another.
    family: list[Difference | Summary] = [*differences, *averages]
    corrected = _corrected(family)
    scores = [entry for entry in corrected if isinstance(entry, Difference)]
    averages = [entry for entry in corrected if isinstance(entry, Summary)]
    formats = _means(by_format(suites, tasks), tasks, common, draws) if suites else []
    of_tasks = {column.name for suite in suites for column in suite.columns if column.tasks}
    return Comparison(
        base=base.title,
        other=other.title,
        tasks=tuple(replace(e, verdict=verdict(e.difference, e.p_holm)) for e in scores),
        formats=tuple(_corrected(formats)),
        groups=tuple(entry for entry in averages if entry.name in of_tasks),
        averages=tuple(averages),
        mismatches=(*left_out, *not_whole),
        harmless=tuple(apart),
    )


def _tasks_of(
    base: System, other: System, suites: Sequence[SuiteSpec]
) -> Iterator[tuple[SuiteSpec, str]]:
    """Tasks that either system has, in the suites' order; beside a published row, those of it,
    which are what its authors chose to print."""
    printed = [system for system in (base, other) if system.published]
    known = {name for system in printed or (base, other) for name in system.scores}
    # Tasks that failed have a record and no score: they are listed as missing, not passed over.
    known |= {name for system in (base, other) for name in system.records if not printed}
    for suite in suites:
        yield from ((suite, name) for name in suite.task_names() if name in known)


def _keys_of_one(base: System, other: System, task: str) -> Iterator[Mismatch]:
    """The scores that only one of the two has."""
    for system, against in ((base, other), (other, base)):
        for key in system.scores[task]:
            if key not in against.scores[task]:
                yield Mismatch(task, f"{key} only in {system.title}", missing=True)


def _differences(
    base: System,
    other: System,
    suite: SuiteSpec,
    task: TaskSpec,
    pair: Pair | str,
    draws: tuple[Draws, Draws] | None,
    seed: int,
) -> Iterator[Difference]:
    """The difference of every score that both have; ``pair`` is the reason where items differ."""
    a, b = base.scores[task.name], other.scores[task.name]
    record = other.records.get(task.name) or base.records.get(task.name)
    items = {score.key: score.items for score in record.scores} if record is not None else {}
    for key in (key for key in a if key in b):
        between, p_value, untested = None, None, pair if isinstance(pair, str) else None
        if not isinstance(pair, str):
            score = next(score for score in pair.record.scores if score.key == key)
            p_value = paired_p(pair, score, seed)
            untested = NOT_RESAMPLED if p_value is None else None
        if draws is not None and key in draws[0] and key in draws[1]:
            between = interval(difference_draws(draws[0][key], draws[1][key]))
        yield Difference(
            suite=suite.name,
            task=task.name,
            title=task.title,
            format=task.format.value,
            group=suite.group_of(task.name),
            key=key,
            a=a[key],
            b=b[key],
            difference=b[key] - a[key],
            interval=between,
            p_value=p_value,
            # Not known before all of the scores are tested, and so is the verdict.
            p_holm=None,
            items=items.get(key, 0),
            verdict="unknown",
            untested=untested,
        )


def _corrected(entries: Iterable[Tested]) -> list[Tested]:
    """With p-values corrected over all of the entries that were tested."""
    entries = list(entries)
    p_holm = iter(holm([entry.p_value for entry in entries if entry.p_value is not None]))
    return [e if e.p_value is None else replace(e, p_holm=next(p_holm)) for e in entries]


def verdict(difference: float, p_holm: float | None) -> Verdict:
    """What the test says of a difference at 5%; ``unknown`` where there was none."""
    if p_holm is None:
        return "unknown"
    if p_holm > ALPHA or difference == 0:
        return "same"
    return "better" if difference > 0 else "worse"


def _averages(
    base: System,
    other: System,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    common: Common,
    draws: PairedDraws,
) -> tuple[list[Summary], list[Mismatch]]:
    """Means by column over the scores that both have, reduced as the leaderboard does, and the
    columns that could not be compared.

    An average that a published row prints is taken as printed, against the whole average of the
    other side.
    """
    averages: list[Summary] = []
    not_whole: list[Mismatch] = []
    printed = {**base.columns, **other.columns}
    for suite in suites:
        averages += [e for e in _means(suite, tasks, common, draws) if e.name not in printed]
        for column in suite.columns:
            if column.name in printed:
                entry = _as_printed(column.name, base, other, suite, tasks)
                if isinstance(entry, Summary):
                    averages.append(entry)
                else:
                    not_whole.append(entry)
    order = columns_of(suites)
    # Printed averages were added after the others of their suite.
    return sorted(averages, key=lambda entry: order.index(entry.name)), not_whole


def by_format(suites: Sequence[SuiteSpec], tasks: Mapping[str, TaskSpec]) -> SuiteSpec:
    """A suite with a column per format, under the readings of the first suite."""
    names = dict.fromkeys(name for suite in suites for name in suite.task_names())
    columns = format_columns(names, tasks)
    return suites[0].model_copy(update={"columns": columns, "unlisted": ()})


def _means(
    suite: SuiteSpec, tasks: Mapping[str, TaskSpec], common: Common, draws: PairedDraws
) -> Iterator[Summary]:
    """One summary per column of which both have numbers."""
    sides = [{name: pair[side] for name, pair in common.items()} for side in (0, 1)]
    means = [row(suite, tasks, scores) for scores in sides]
    resampled = [
        row_draws(suite, tasks, sides[side], {name: pair[side] for name, pair in draws.items()})
        for side in (0, 1)
    ]
    for column in suite.columns:
        name = column.name
        members = [task for task in column_tasks(suite, column) if common.get(task, ({},))[0]]
        a, b = means[0][name].value, means[1][name].value
        if a is None or b is None or not members:
            continue
        first, second = (draws_of[name] for draws_of in resampled)
        between = None
        # A score held fixed would make the interval too narrow.
        whole = all(_resampled(common[task][0], draws.get(task)) for task in members)
        if whole and isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
            between = difference_draws(first, second)
        yield Summary(
            name=name,
            a=a,
            b=b,
            difference=b - a,
            interval=None if between is None else interval(between),
            numbers=means[0][name].have,
            need=means[0][name].need,
            p_value=None if between is None else p_of_draws(b - a, between),
            untested=None if whole or not draws.keys() >= set(members) else NOT_RESAMPLED,
        )


def _resampled(keys: Iterable[str], draws: tuple[Draws, Draws] | None) -> bool:
    """Whether all scores of a task have draws in both systems."""
    return draws is not None and all(key in draws[0] and key in draws[1] for key in keys)


def _as_printed(
    name: str, base: System, other: System, suite: SuiteSpec, tasks: Mapping[str, TaskSpec]
) -> Summary | Mismatch:
    """A printed average against the other side's, which must be whole or printed too."""
    values: list[float] = []
    need = row(suite, tasks, {})[name].need
    for system in (base, other):
        if name in system.columns:
            values.append(system.columns[name])
            continue
        mean = row(suite, tasks, system.scores)[name]
        if mean.value is None or mean.partial:
            reason = f"{system.title} has {mean.have} of the {mean.need} numbers"
            return Mismatch(name, reason, missing=True)
        values.append(mean.value)
    a, b = values
    return Summary(name, a, b, b - a, None, need, need)
