"""What a report says, as plain values; how it looks is the business of the modules beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scirepeval_harness.comparison.records import Comparison
from scirepeval_harness.report.gate import comparison_values
from scirepeval_harness.report.leaderboard import columns_of
from scirepeval_harness.results.leaderboard import Cell, Row
from scirepeval_harness.tasks.spec import SuiteSpec


@dataclass(frozen=True)
class System:
    """A column of the tables by task: a result, or a published row with scores of tasks."""

    title: str
    published: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """One score x 100 with its 95% interval, where it has one. ``partial``: of a task that was
    scored on a part of its documents or queries."""

    value: float
    interval: tuple[float, float] | None = None
    items: int = 0
    partial: bool = False


@dataclass(frozen=True)
class ScoreLine:
    """One score key of one task in every system. ``field`` is set for a part of a task."""

    suite: str
    task: str
    title: str
    format: str
    group: str | None
    key: str
    field: str | None
    scores: tuple[Score | None, ...]


@dataclass(frozen=True)
class NumberLine:
    """A number with which a task enters the averages, in every result."""

    title: str
    group: str | None
    metric: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class FormatLine:
    """The mean over the tasks of a format, in every result."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Reading:
    """How an open point of the protocol was read in a suite."""

    suite: str
    name: str
    value: str
    default: bool


@dataclass(frozen=True)
class Gap:
    """A task that was not scored, or not on all of its documents or queries."""

    system: str
    task: str
    status: str
    documents: tuple[int, int] | None
    queries: tuple[int, int] | None
    reason: str


@dataclass(frozen=True)
class Execution:
    """What a run file says of the run. ``seconds`` are by phase, summed over the tasks."""

    system: str
    created_at: str
    status: str
    harness_version: str
    commit: str | None
    seconds: Mapping[str, float]
    total_seconds: float | None
    documents_encoded: int
    documents_cached: int
    hardware: Mapping[str, str]
    packages: Mapping[str, str]
    signature: str
    task_signatures: Mapping[str, str]
    settings: Mapping[str, str]
    command: str

    @property
    def documents_per_second(self) -> float | None:
        """Documents encoded in a second of the encoding phase, which for the first task includes
        loading the model; None where every vector came from the store, or nothing is encoded."""
        seconds = self.seconds.get("encode", 0.0)
        return self.documents_encoded / seconds if self.documents_encoded and seconds else None


@dataclass(frozen=True)
class Report:
    """Everything that any form of a report shows."""

    suites: tuple[SuiteSpec, ...]
    rows: tuple[Row, ...]
    systems: tuple[System, ...]
    scores: tuple[ScoreLine, ...]
    results: tuple[str, ...]
    """Titles of the results, in the order of the values of ``numbers`` and ``formats``."""
    numbers: tuple[NumberLine, ...]
    formats: tuple[FormatLine, ...]
    readings: tuple[Reading, ...]
    comparisons: tuple[Comparison, ...]
    gaps: tuple[Gap, ...]
    warnings: tuple[str, ...]
    executions: tuple[Execution, ...]

    @property
    def synthetic(self) -> bool:
        """Whether any of the data is made, so that scores say nothing about real papers."""
        return any(suite.synthetic for suite in self.suites)

    @property
    def partly_covered(self) -> frozenset[str]:
        """Results with a task that was scored on a part of its documents or queries, so that their
        means are not those of others."""
        return frozenset(gap.system for gap in self.gaps if gap.status == "ok")

    @property
    def name(self) -> str:
        """The suites' titles."""
        return ", ".join(suite.title for suite in self.suites)


def report_values(report: Report) -> dict[str, Any]:
    """Leaderboard, scores, comparisons and circumstances."""
    return {
        "synthetic": report.synthetic,
        "suites": [
            {
                "name": suite.name,
                "title": suite.title,
                "version": suite.version,
                "task_set": suite.task_set,
                "synthetic": suite.synthetic,
                "readings": suite.readings.model_dump(mode="json"),
            }
            for suite in report.suites
        ],
        "columns": columns_of(report.suites),
        "leaderboard": [
            {
                "model": row.title,
                "published": row.published,
                "notes": list(row.notes),
                "cells": {name: _cell(cell) for name, cell in row.cells.items()},
            }
            for row in report.rows
        ],
        "formats": {
            line.name: {
                title: _cell(cell) for title, cell in zip(report.results, line.cells, strict=True)
            }
            for line in report.formats
        },
        "tasks": [
            {
                "suite": line.suite,
                "task": line.task,
                "title": line.title,
                "format": line.format,
                "group": line.group,
                "key": line.key,
                "field": line.field,
                "scores": {
                    system.title + (" (published)" if system.published else ""): _score(score)
                    for system, score in zip(report.systems, line.scores, strict=True)
                    if score is not None
                },
            }
            for line in report.scores
        ],
        "comparisons": [comparison_values(entry) for entry in report.comparisons],
        "warnings": list(report.warnings),
        "runs": [_execution(entry) for entry in report.executions],
    }


def report_json(report: Report) -> str:
    """The values as JSON. Only ASCII: a name may hold half of a surrogate pair, or characters that
    turn the direction of writing."""
    values = report_values(report)
    return json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "value": cell.value,
        "interval": cell.interval,
        "numbers": cell.have,
        "numbers_needed": cell.need,
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "value": score.value,
        "interval": score.interval,
        "items": score.items,
        "partial": score.partial,
    }


def _execution(entry: Execution) -> dict[str, Any]:
    return {
        "model": entry.system,
        "created_at": entry.created_at,
        "status": entry.status,
        "harness_version": entry.harness_version,
        "commit": entry.commit,
        "seconds": {**entry.seconds, "total": entry.total_seconds},
        "documents_encoded": entry.documents_encoded,
        "documents_cached": entry.documents_cached,
        "documents_per_second": entry.documents_per_second,
        "hardware": dict(entry.hardware),
        "packages": dict(entry.packages),
        "settings": dict(entry.settings),
        "signature": entry.signature,
        "task_signatures": dict(entry.task_signatures),
        "command": entry.command,
    }
