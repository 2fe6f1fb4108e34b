"""A number an item: of queries, blocks and rows, and two systems side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scirepeval_harness.comparison.items import ItemValues, item_values, side_by_side
from scirepeval_harness.errors import HarnessError
from scirepeval_harness.evaluations.base import Outcome, Score
from scirepeval_harness.results.folder import Result, load_result
from tests.support.made_results import made_task, queries, query_task, suite_of, write_result

TASK = query_task("t", metrics=("map", "ndcg"))
SUITE = suite_of(TASK)


def result_of(folder: Path, kind: str, rows: dict[str, Any], *scores: Score) -> Result:
    made = made_task(SUITE, TASK, Outcome(scores, kind, pd.DataFrame(rows)), "m", {})
    return load_result(write_result(folder, "m", made))


def values_of(result: Result, **what: Any) -> ItemValues:
    return item_values(result, result.tasks["t"], **what)


def test_queries_by_the_first_metric_or_another(tmp_path: Path) -> None:
    rows = {
        "field": ["", "", "", ""],
        "item": ["a", "b", "a", "b"],
        "metric": ["map", "map", "ndcg", "ndcg"],
        "value": [0.5, 0.25, 0.125, 1.0],
    }
    result = result_of(tmp_path, "queries", rows, Score("map", 37.5), Score("ndcg", 56.25))
    found = values_of(result)
    assert found.measure == "map"
    assert found.worst_first()["item"].tolist() == ["b", "a"]
    assert found.worst_first()["value"].tolist() == [25, 50]
    assert values_of(result, metric="ndcg").worst_first()["item"].tolist() == ["a", "b"]
    with pytest.raises(HarnessError, match="unknown metric 'P_5'"):
        values_of(result, metric="P_5")
    with pytest.raises(HarnessError, match="has no settings"):
        values_of(result, setting="8-shot")


def test_blocks_by_their_f1(tmp_path: Path) -> None:
    rows = {
        "field": ["kisti"] * 4,
        "item": ["x", "y", "x", "y"],
        "metric": ["b3_precision"] * 2 + ["b3_recall"] * 2,
        "value": [1.0, 0.0, 0.5, 0.0],
        "weight": [3, 2, 3, 2],
    }
    found = values_of(result_of(tmp_path, "blocks", rows, Score("b3_f1", 60)))
    assert found.measure == "b3_f1"
    assert found.frame.set_index("item")["value"].to_dict() == pytest.approx({"x": 200 / 3, "y": 0})


def test_classes_by_what_both_name(tmp_path: Path) -> None:
    """In full, and as the mean over the iterations of a few-shot setting; a row may stand twice."""
    rows = {
        "setting": ["full"] * 3 + ["8-shot"] * 4,
        "iteration": [0, 0, 0, 0, 0, 1, 1],
        "item": ["a", "b", "a", "a", "b", "a", "b"],
        "truth": [[0, 1], [2], [1], [0], [2], [0], [2]],
        "prediction": [[1], [2], [0], [0], [1], [1], [2]],
    }
    result = result_of(tmp_path, "classes", rows, Score("f1_macro", 50))
    full = values_of(result)
    assert (full.measure, full.lower_is_better) == ("agreement", False)
    assert full.worst_first()[["item", "copy", "value"]].values.tolist() == [
        ["a", 1, 0.0],
        ["a", 0, 50.0],
        ["b", 0, 100.0],
    ]
    few = values_of(result, setting="8-shot")
    assert few.frame.set_index("item")["value"].to_dict() == {"a": 50.0, "b": 50.0}
    with pytest.raises(HarnessError, match="unknown setting '9-shot'"):
        values_of(result, setting="9-shot")


def test_numbers_by_their_error_where_more_is_worse(tmp_path: Path) -> None:
    rows = {
        "setting": ["full"] * 2,
        "iteration": [0, 0],
        "item": ["a", "b"],
        "truth": [2000.0, 1990.0],
        "prediction": [2001.5, 1960.0],
    }
    found = values_of(result_of(tmp_path, "values", rows, Score("kendalltau", 50)))
    assert found.lower_is_better
    assert found.worst_first()["item"].tolist() == ["b", "a"]
    assert found.worst_first()["value"].tolist() == [30, 1.5]


def test_two_systems_by_the_items_of_both(tmp_path: Path) -> None:
    made = [queries(SUITE, TASK, values) for values in ([0.1, 0.9, 0.5], [0.4, 0.4])]
    one, two = (
        values_of(load_result(write_result(tmp_path, f"m{place}", task)))
        for place, task in enumerate(made)
    )
    both = side_by_side("t", one, two)
    assert both.frame["item"].tolist() == ["q0", "q1"]
    assert both.frame["difference"].tolist() == pytest.approx([-30, 50])
    assert both.worst_first("difference")["item"].tolist() == ["q0", "q1"]
    with pytest.raises(HarnessError, match="items of another kind"):
        side_by_side("t", one, replace(two, measure="error"))
    with pytest.raises(HarnessError, match="no item is in both"):
        side_by_side("t", one, replace(two, frame=two.frame.assign(item="other")))


def test_what_has_no_items_is_refused(tmp_path: Path) -> None:
    made = queries(SUITE, TASK, [0.1])
    for record, message in (
        ({"item_kind": None}, "no items are kept"),
        ({"status": "failed", "scores": ()}, "failed"),
        ({"item_kind": "triples"}, "items of kind 'triples'"),
    ):
        result = load_result(write_result(tmp_path, "m", made.with_record(**record)))
        with pytest.raises(HarnessError, match=message):
            values_of(result)
