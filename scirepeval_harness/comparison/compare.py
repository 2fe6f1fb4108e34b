"""The comparison of two systems: per task and score, per format and group, and the averages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.comparison.pairs import Pair, make_pair, paired_draws, paired_p
from scirepeval_harness.comparison.records import Comparison, Difference, Mismatch, Summary, Verdict
from scirepeval_harness.comparison.systems import System, by_reason, mismatches
from scirepeval_harness.errors import NotComparableError
from scirepeval_harness.results.leaderboard import row, row_draws
from scirepeval_harness.results.record import TaskRecord
from scirepeval_harness.statistics.bootstrap import interval
from scirepeval_harness.statistics.permutation import difference_draws, holm, p_of_draws
from scirepeval_harness.tasks.spec import Column, SuiteSpec, TaskSpec

ALPHA = 0.05


@dataclass
class _Found:
    """What the tasks gave so far."""

    differences: list[Difference] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)
    draws: dict[str, tuple[Draws, Draws]] = field(default_factory=dict)


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
    found = examine(base, other, suites, tasks, seed=seed, allow_mismatch=allow_mismatch)
    refused = [entry for entry in found.mismatches if not entry.missing]
    if refused and not allow_mismatch:
        names = list(dict.fromkeys(entry.task for entry in refused))
        reasons = [
            f"{reason} ({', '.join(own[:3])}{', ...' if len(own) > 3 else ''})"
            for reason, own in by_reason(refused).items()
        ]
        raise NotComparableError(
            f"{_count(len(names), 'task')} cannot be compared: {'; '.join(reasons[:5])}",
            where=f"{base.title} and {other.title}",
            fix="Run both alike, or pass --allow-mismatch to compare them all the same",
        )
    return found


def examine(
    base: System,
    other: System,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
    *,
    seed: int,
    allow_mismatch: bool,
) -> Comparison:
    """As `compare`, but what may not be compared is left out and listed, and nothing refused."""
    found = _Found()
    for suite, name in _tasks_of(base, other, suites):
        reasons = mismatches(base, other, name, suite)
        found.mismatches += reasons
        if any(entry.missing for entry in reasons) or (reasons and not allow_mismatch):
            continue
        _compare_task(found, base, other, suite, tasks[name], seed, allow_mismatch)
    common: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    for entry in found.differences:
        a, b = common.setdefault(entry.task, ({}, {}))
        a[entry.key], b[entry.key] = entry.a, entry.b
    parts = summaries(base, other, suites, tasks, common, found.draws)
    scores, averages = _corrected(found.differences, parts.averages)
    return Comparison(
        base=base.title,
        other=other.title,
        tasks=scores,
        formats=parts.formats,
        groups=tuple(entry for entry in averages if entry.name in parts.groups),
        averages=averages,
        mismatches=(*found.mismatches, *parts.mismatches),
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _tasks_of(
    base: System, other: System, suites: Sequence[SuiteSpec]
) -> Iterator[tuple[SuiteSpec, str]]:
    """Tasks that either system has, in the suites' order; beside a published row, those of it,
    which are what its authors chose to print."""
    printed = [system for system in (base, other) if system.published]
    known = {name for system in printed or (base, other) for name in system.scores}
    known |= {name for system in (base, other) for name in system.records if not printed}
    for suite in suites:
        yield from ((suite, name) for name in suite.task_names() if name in known)


def _compare_task(
    found: _Found,
    base: System,
    other: System,
    suite: SuiteSpec,
    task: TaskSpec,
    seed: int,
    allow_mismatch: bool,
) -> None:
    pair = make_pair(base, other, task.name)
    if isinstance(pair, str) and not (base.published or other.published):
        found.mismatches.append(Mismatch(task.name, pair))
        if not allow_mismatch:
            return
    a, b = base.scores[task.name], other.scores[task.name]
    for system, own, others in ((base, a, b), (other, b, a)):
        found.mismatches += [
            Mismatch(task.name, f"{key} only in {system.title}", missing=True)
            for key in own
            if key not in others
        ]
    draws = None if isinstance(pair, str) else paired_draws(pair, base, other, seed)
    if draws is not None:
        found.draws[task.name] = draws
    record = other.records.get(task.name) or base.records.get(task.name)
    for key in (key for key in a if key in b):
        found.differences.append(
            Difference(
                suite=suite.name,
                task=task.name,
                title=task.title,
                format=task.format.value,
                group=suite.group_of(task.name),
                key=key,
                a=a[key],
                b=b[key],
                difference=b[key] - a[key],
                interval=_interval(draws, key),
                p_value=None if isinstance(pair, str) else _p_value(pair, key, seed),
                p_holm=None,
                items=_items(record, key),
                verdict="unknown",
            )
        )


def _interval(draws: tuple[Draws, Draws] | None, key: str) -> tuple[float, float] | None:
    if draws is None or key not in draws[0] or key not in draws[1]:
        return None
    return interval(difference_draws(draws[0][key], draws[1][key]))


def _p_value(pair: Pair, key: str, seed: int) -> float:
    score = next(score for score in pair.record.scores if score.key == key)
    return paired_p(pair, score, seed)


def _items(record: TaskRecord | None, key: str) -> int:
    scores = record.scores if record is not None else ()
    return next((score.items for score in scores if score.key == key), 0)


def _corrected(
    scores: Sequence[Difference], averages: Sequence[Summary]
) -> tuple[tuple[Difference, ...], tuple[Summary, ...]]:
    """With p-values corrected over all tested scores and averages together, so that the chance of
    any false finding among them is bounded; and verdicts on the scores."""
    tested = [entry.p_value for entry in scores if entry.p_value is not None]
    tested += [entry.p_value for entry in averages if entry.p_value is not None]
    corrected = iter(holm(tested))
    judged = tuple(
        entry
        if entry.p_value is None
        else replace(entry, p_holm=(p := next(corrected)), verdict=verdict(entry.difference, p))
        for entry in scores
    )
    means = tuple(
        entry if entry.p_value is None else replace(entry, p_holm=next(corrected))
        for entry in averages
    )
    return judged, means


def verdict(difference: float, p_holm: float) -> Verdict:
    """What the test says of a difference at 5%."""
    if p_holm > ALPHA or difference == 0:
        return "same"
    return "better" if difference > 0 else "worse"


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
    base: System,
    other: System,
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
        formats=tuple(_corrected_formats(formats)),
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
    name: str, base: System, other: System, suite: SuiteSpec, tasks: Mapping[str, TaskSpec]
) -> Summary | Mismatch:
    """A printed average against the other side's, which must be whole or printed too."""
    values: list[float] = []
    need = row(suite, tasks, {})[name].need
    for system in (base, other):
        if name in system.columns:
            values.append(system.columns[name])
            continue
        cell = row(suite, tasks, system.scores)[name]
        if cell.value is None or cell.partial:
            reason = f"{system.title} has {cell.have} of the {cell.need} numbers"
            return Mismatch(name, reason, missing=True)
        values.append(cell.value)
    a, b = values
    return Summary(name, a, b, b - a, None, need, need)


def _corrected_formats(entries: Sequence[Summary]) -> list[Summary]:
    """With p-values corrected over all that were tested."""
    corrected = iter(holm([entry.p_value for entry in entries if entry.p_value is not None]))
    return [
        entry if entry.p_value is None else replace(entry, p_holm=next(corrected))
        for entry in entries
    ]
