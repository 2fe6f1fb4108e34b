"""What a row is made of where a suite says nothing of columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from scirepeval_harness.evaluations.base import Outcome, Score
from scirepeval_harness.results.folder import load_result
from scirepeval_harness.results.leaderboard import Row, measured_row, with_columns
from scirepeval_harness.task.spec import Column, FewShot, SuiteSpec, TaskSpec
from tests.support.made_results import MadeTask, made_task, queries, query_task, write_result

RANKED = query_task("ranked", metrics=("map", "ndcg"))
OTHER = query_task("other")
CLASSES = TaskSpec(
    name="classes",
    title="Classes",
    format="classification",  # type: ignore[arg-type]
    evaluation="probe",
    metrics=("f1_macro",),
    few_shot=(FewShot(sample_size=8, iterations=2), FewShot(sample_size=16, iterations=2)),
)
TASKS = {task.name: task for task in (RANKED, OTHER, CLASSES)}


def bare(*names: str, suite: str = "own") -> SuiteSpec:
    return SuiteSpec(name=suite, title=suite, task_set="own", unlisted=names)


def scored(suite: SuiteSpec, name: str, *values: float) -> MadeTask:
    """A task under its values: of queries, or the full score and those of the few-shot settings."""
    if name != "classes":
        return queries(suite, TASKS[name], values)
    settings = ("full", *(shot.setting for shot in CLASSES.few_shot))
    scores = tuple(Score("f1_macro", v, s) for v, s in zip(values, settings, strict=True))
    made = made_task(
        suite, CLASSES, Outcome(scores, "none", queries(suite, RANKED, [1]).items), "m", {}
    )
    return made.with_record(item_kind=None)


def rows(suites: Sequence[SuiteSpec], folder: Path, *runs: Sequence[MadeTask]) -> list[Row]:
    results = [
        load_result(write_result(folder, f"m{number}", *run)) for number, run in enumerate(runs)
    ]
    shown = with_columns(suites, results, TASKS)
    return [measured_row(result, shown, TASKS) for result in results]


def test_a_list_without_columns_has_a_mean_a_format_and_an_average(tmp_path: Path) -> None:
    """Four numbers: the ranking's two metrics, the other's one, and one of the classification,
    which is the mean of its full and few-shot scores."""
    suite = bare("ranked", "other", "classes", "never-run")
    run = [
        scored(suite, "ranked", 0.2, 0.4),
        scored(suite, "other", 0.9),
        scored(suite, "classes", 60, 50, 40),
    ]
    (row,) = rows([suite], tmp_path, run)
    assert list(row.means) == ["proximity", "classification", "Average"]
    means = {name: mean.value for name, mean in row.means.items()}
    assert means["proximity"] == pytest.approx((30 + 30 + 90) / 3)
    assert means["classification"] == pytest.approx(50)
    assert means["Average"] == pytest.approx((30 + 30 + 90 + 50) / 4)
    assert not any(mean.partial for mean in row.means.values())


def test_the_columns_are_those_of_all_tasks_that_any_result_has(tmp_path: Path) -> None:
    suite = bare("ranked", "other")
    whole = [scored(suite, "ranked", 0.2), scored(suite, "other", 0.9)]
    failed = scored(suite, "other", 0.9).with_record(status="failed", error="no", scores=())
    all_of_it, half, broken = rows([suite], tmp_path, whole, whole[:1], [whole[0], failed])
    assert not all_of_it.means["Average"].partial
    for row in (half, broken):
        assert (row.means["Average"].have, row.means["Average"].need) == (2, 3)


def test_a_suite_with_columns_keeps_them(tmp_path: Path) -> None:
    suite = bare("other").model_copy(update={"columns": (Column(name="Own", tasks=("ranked",)),)})
    (row,) = rows([suite], tmp_path / "in", [scored(suite, "ranked", 0.2)])
    assert list(row.means) == ["Own"]
    # A column that lists none of what was run would be an empty table.
    (row,) = rows([suite], tmp_path / "out", [scored(suite, "other", 0.2)])
    assert list(row.means) == ["proximity", "Average"]


def test_names_that_two_suites_have_are_told_apart(tmp_path: Path) -> None:
    one, two = bare("ranked", suite="one"), bare("classes", suite="two")
    run = [scored(one, "ranked", 0.2), scored(two, "classes", 60, 50, 40)]
    (row,) = rows([one, two], tmp_path, run)
    assert list(row.means) == ["proximity", "Average (one)", "classification", "Average (two)"]
    assert row.means["Average (two)"].value == pytest.approx(50)
