"""The report as plain values for JSON, every number at full precision."""

from __future__ import annotations

import json
from typing import Any

from scirepeval_harness.comparison.outputs.gate_json import comparison_values
from scirepeval_harness.leaderboard.aggregate import Cell
from scirepeval_harness.leaderboard.render import columns_of
from scirepeval_harness.report.content import Execution, Report, Score


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
