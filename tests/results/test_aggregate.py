from __future__ import annotations

import numpy as np
import pytest

from scirepeval_harness.results.leaderboard import Mean, row, row_draws, task_numbers
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import Column, Readings, SuiteSpec
from tests.support.made_results import query_task

TASKS = {name: query_task(name) for name in ("a", "b", "c")} | {
    "two": query_task("two", metrics=("map", "ndcg"))
}
SUITE = SuiteSpec(
    name="s", title="S", task_set="s",
    columns=(
        Column(name="In", tasks=("a", "b")),
        Column(name="Out", tasks=("c", "two")),
        Column(name="All", pools=("In", "Out")),
    ),
)  # fmt: skip
SCORES = {"a": {"map": 10.0}, "b": {"map": 20.0}, "c": {"map": 60.0},
          "two": {"map": 30.0, "ndcg": 90.0}}  # fmt: skip


def test_a_pooled_column_weighs_numbers_not_columns() -> None:
    found = row(SUITE, TASKS, SCORES)
    assert found["In"] == Mean(15.0, 2, 2)
    assert found["Out"] == Mean(60.0, 3, 3)
    assert found["All"] == Mean(42.0, 5, 5)


def test_what_is_missing_is_counted_and_never_taken_for_zero() -> None:
    found = row(SUITE, TASKS, {"a": SCORES["a"], "two": {"map": 30.0}})
    assert found["In"] == Mean(10.0, 1, 2)
    assert found["In"].partial
    assert found["Out"] == Mean(30.0, 1, 3)
    assert row(SUITE, TASKS, {})["All"] == Mean(None, 0, 5)


def test_draws_are_averaged_as_scores_are() -> None:
    draws = {"a": {"map": np.array([8.0, 12.0])}, "b": {"map": np.array([25.0, 15.0])}}
    found = row_draws(SUITE, TASKS, SCORES, draws)
    assert found["In"] == pytest.approx([16.5, 13.5])
    assert found["Out"] == 60.0, "nothing resampled: a plain number, without an interval"
    assert found["All"] == pytest.approx([42.6, 41.4])
    assert row(SUITE, TASKS, SCORES, draws)["Out"].interval is None


def test_a_few_shot_score_that_is_missing_makes_the_number_missing() -> None:
    drsm = load_registry().task("drsm")
    scores = {"f1_macro": 60.0, "f1_macro@64-shot": 50.0}
    assert task_numbers(drsm, scores, Readings()) == {"f1_macro": None}
    whole = {**scores, "f1_macro@24-shot": 40.0}
    assert task_numbers(drsm, whole, Readings()) == {"f1_macro": 50.0}
    other = Readings(few_shot="full_and_mean_of_few_shot")
    assert task_numbers(drsm, whole, other) == {"f1_macro": 52.5}
