"""Task definitions for ranking tests."""

from __future__ import annotations

from scirepeval_harness.roles import Format
from scirepeval_harness.task.spec import TaskSpec


def ranking_task(*metrics: str, evaluation: str = "ranking") -> TaskSpec:
    return TaskSpec(
        name="toy", title="Toy", format=Format.PROXIMITY, evaluation=evaluation, metrics=metrics
    )
