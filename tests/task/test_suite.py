"""The rules of a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from scirepeval_harness.task.spec import HubTable, Readings, SuiteSpec


def suite(*columns: dict[str, Any], **changes: Any) -> SuiteSpec:
    raw = {"name": "toy", "title": "Toy", "task_set": "own", "columns": columns, **changes}
    return SuiteSpec.model_validate(raw)


IN = {"name": "In", "tasks": ("a", "b")}
OUT = {"name": "Out", "tasks": ("c", "a")}


def test_tasks_come_in_column_order_each_once_then_the_unlisted() -> None:
    made = suite(IN, OUT, {"name": "All", "pools": ("In", "Out")}, unlisted=("d",))
    assert made.task_names() == ("a", "b", "c", "d")
    assert [made.group_of(name) for name in "abcd"] == ["In", "In", "Out", None]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([IN, IN], "columns.1.name: 'In' is used twice"),
        ([IN, {"name": "All", "pools": ("Inn",)}], "columns.1.pools: 'Inn' is no column"),
        ([IN, {"name": "All", "pools": ("All",)}], "columns.1.pools: 'All' is no column"),
        (
            [IN, {"name": "All", "pools": ("In",)}, {"name": "More", "pools": ("All",)}],
            "columns.2.pools: 'All' is no column with tasks",
        ),
        ([{"name": "In", "tasks": ("a", "a")}], "columns.0.tasks: 'a' is listed twice"),
        ([{"name": "In"}], "either tasks or pools"),
    ],
)
def test_columns_that_make_no_average(columns: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        suite(*columns)


def test_a_tables_own_revision_comes_before_the_suites() -> None:
    made = suite(IN, revisions={"org/data": "abc"})
    assert made.revision_of(HubTable(repo="org/data", config="c")) == "abc"
    assert made.revision_of(HubTable(repo="org/data", config="c", revision="own")) == "own"
    assert made.revision_of(HubTable(repo="org/other", config="c")) is None


def test_the_folder_is_known_but_no_part_of_the_record(tmp_path: Path) -> None:
    plain = suite(IN)
    placed = plain.at(tmp_path)
    assert (plain.folder, placed.folder) == (None, tmp_path)
    assert placed.model_dump() == plain.model_dump()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 100.5])
def test_the_constant_for_author_disambiguation_is_a_score(value: float) -> None:
    with pytest.raises(ValueError, match="author_disambiguation_constant"):
        Readings(author_disambiguation_constant=value)
