"""Intervals of averages: tasks resampled by themselves, then averaged as the scores are."""

from __future__ import annotations

import numpy as np
import pytest

from scirepeval_harness.results.leaderboard import row, row_draws
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

SUITE = SuiteSpec.model_validate(
    {
        "name": "small",
        "title": "Small",
        "task_set": "small",
        "columns": [
            {"name": "In", "tasks": ["same-author", "drsm"]},
            {"name": "Out", "tasks": ["scidocs-cite"]},
            {"name": "All", "pools": ["In", "Out"]},
        ],
    }
)
SCORES = {
    "same-author": {"map": 80.0},
    "drsm": {"f1_macro": 60.0, "f1_macro@64-shot": 50.0, "f1_macro@24-shot": 40.0},
    "scidocs-cite": {"map": 90.0, "ndcg": 94.0},
}


@pytest.fixture(scope="module")
def tasks() -> dict[str, TaskSpec]:
    return dict(load_registry().tasks)


def test_an_average_is_drawn_as_it_is_scored(tasks: dict[str, TaskSpec]) -> None:
    draws = {
        "same-author": {"map": np.array([79.0, 81.0])},
        "drsm": {
            "f1_macro": np.array([58.0, 62.0]),
            "f1_macro@64-shot": np.array([49.0, 52.0]),
            "f1_macro@24-shot": np.array([40.0, 42.0]),
        },
    }
    found = row_draws(SUITE, tasks, SCORES, draws)
    drsm = np.array([(58 + 49 + 40) / 3, (62 + 52 + 42) / 3])
    assert found["In"] == pytest.approx((np.array([79.0, 81.0]) + drsm) / 2)
    assert found["Out"] == pytest.approx(92.0), "what has no draws is held fixed"
    assert found["All"] == pytest.approx((np.array([79.0, 81.0]) + drsm + 90 + 94) / 4)


def test_the_interval_of_an_average_of_independent_tasks_is_narrower(
    tasks: dict[str, TaskSpec],
) -> None:
    random = np.random.default_rng(0)
    draws = {
        "same-author": {"map": 80 + random.normal(size=4000)},
        "scidocs-cite": {name: 92 + random.normal(size=4000) for name in ("map", "ndcg")},
    }
    scores = {name: own for name, own in SCORES.items() if name != "drsm"}
    cells = row(SUITE, tasks, scores, draws)
    assert (cells["In"].have, cells["In"].need) == (1, 2)
    low, high = cells["All"].interval or (0.0, 0.0)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(3), rel=0.06)
    assert row(SUITE, tasks, scores)["All"].interval is None
