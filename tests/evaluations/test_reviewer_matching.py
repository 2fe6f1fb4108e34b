from __future__ import annotations

import math

import pytest

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations.base import Outcome
from scirepeval_harness.evaluations.reviewer_matching import ReviewerSet, evaluate_reviewer_matching
from tests.support.ranking_tasks import ranking_task
from tests.support.tables import Table

TASK = ranking_task("P_1", "P_2", evaluation="reviewer_matching")
# Reviewer k has one paper, at k * 10 degrees from paper "x" and (90 - 10 k) from "y".
REVIEWERS = {f"r{k}": (f"p{k}",) for k in range(4)}
TABLE = Table(
    {f"p{k}": (math.cos(math.radians(10 * k)), math.sin(math.radians(10 * k))) for k in range(4)}
    | {"x": (2.0, 0.0), "y": (0.0, 3.0)}
)


def evaluate(hard: dict[str, dict[str, int]], soft: dict[str, dict[str, int]]) -> Outcome:
    return evaluate_reviewer_matching(TASK, ReviewerSet({}, REVIEWERS, hard, soft), TABLE)


def test_one_run_scored_against_hard_and_soft_labels() -> None:
    # x ranks r0 r1 r2 r3, y ranks r3 r2 r1 r0.
    hard = {"x": {"r0": 1, "r1": 0, "r2": 0, "r3": 0}, "y": {"r0": 1, "r1": 0, "r2": 0, "r3": 0}}
    soft = {"x": {"r0": 1, "r1": 1, "r2": 0, "r3": 0}, "y": {"r0": 1, "r1": 0, "r2": 1, "r3": 0}}
    outcome = evaluate(hard, soft)
    assert {score.key: score.value for score in outcome.scores} == {
        "hard_P_1": 50.0,
        "hard_P_2": 25.0,
        "soft_P_1": 50.0,
        "soft_P_2": 75.0,
    }
    rows = outcome.items
    assert rows["metric"].unique().tolist() == ["hard_P_1", "hard_P_2", "soft_P_1", "soft_P_2"]
    assert rows["item"].tolist() == ["x", "y"] * 4
    assert rows["value"].tolist() == [1, 0, 0.5, 0, 1, 0, 1, 0.5]
    assert outcome.notes["hard"] == {"queries": 2, "pairs": 8, "queries_without_relevant": 0}
    assert outcome.notes["soft_papers_not_ranked"] == 0


def test_differences_between_the_label_sets_are_counted() -> None:
    hard = {"x": {"r1": 1, "r2": 0}}
    soft = {"x": {"r0": 1, "r2": 1}, "y": {"r0": 1}}
    outcome = evaluate(hard, soft)
    scores = {score.key: score.value for score in outcome.scores}
    assert scores["soft_P_1"] == 0.0, "r1 is first and has no soft label"
    assert scores["soft_P_2"] == 50.0, "r2 is second; r0 is not ranked"
    assert outcome.notes["soft_papers_not_ranked"] == 1
    assert outcome.notes["soft_pairs_not_ranked"] == 2
    assert outcome.notes["hard_pairs_without_soft_label"] == 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match=r"task toy: .*no paper in common"):
        evaluate({"x": {"r1": 1}}, {"y": {"r1": 1}})
    with pytest.raises(DataError, match="no paper in common"):
        evaluate({}, {})
    with pytest.raises(DataError, match="no reviewer of the labels is listed"):
        evaluate({"x": {"r9": 1}}, {"x": {"r9": 1}})
