"""Leaderboard rows from results: cells of every suite, and what must stand beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scirepeval_harness.leaderboard.aggregate import Cell, TaskDraws, row
from scirepeval_harness.records.read import Result
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import TaskSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
    cells: dict[str, Cell] = {}
    for suite in suites:
        cells |= row(suite, tasks, scores, draws)
    notes = [
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
