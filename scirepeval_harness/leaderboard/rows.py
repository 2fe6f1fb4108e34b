"""Leaderboard rows from results: cells of every suite, and what must stand beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scirepeval_harness.leaderboard.aggregate import Cell, row
from scirepeval_harness.records.read import Result
from scirepeval_harness.specs.suite import SuiteSpec
from scirepeval_harness.specs.task import TaskSpec


@dataclass(frozen=True)
class Row:
    """One system. ``notes`` are footnotes: partial coverage, failed tasks, the published source."""

    title: str
    cells: Mapping[str, Cell]
    published: bool = False
    notes: tuple[str, ...] = ()


def measured_row(result: Result, suites: Sequence[SuiteSpec], tasks: Mapping[str, TaskSpec]) -> Row:
    """The row of a result. Tasks that failed count as missing; incomplete coverage is noted."""
    done = {name: record for name, record in result.tasks.items() if record.status == "ok"}
    scores = {
        name: {score.key: score.value for score in record.scores} for name, record in done.items()
    }
    cells: dict[str, Cell] = {}
    for suite in suites:
        cells |= row(suite, tasks, scores)
    notes = [
        f"{name} scored on {record.coverage.documents_found} of "
        f"{record.coverage.documents_needed} documents"
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
