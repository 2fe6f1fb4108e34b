from __future__ import annotations

import math

import numpy as np
import pytest

from scirepeval_harness.errors import CoverageError, DataError, SpecError
from scirepeval_harness.evaluations import trec
from scirepeval_harness.evaluations.trec import MAX_GRADE, measure

ALL = ("map", "ndcg", "ndcg_cut_3", "recip_rank", "recall_5", "P_5", "P_10")


def one(qrels: dict[str, int], run: dict[str, float], *metrics: str) -> dict[str, float]:
    return measure({"q": qrels}, {"q": run}, metrics)["q"]


def test_values_worked_out_by_hand() -> None:
    # Ranking: a(2) b(0) c(1) d(0) e(1)
    found = one(
        {"a": 2, "b": 0, "c": 1, "d": 0, "e": 1},
        {"a": 5.0, "b": 4.0, "c": 3.0, "d": 2.0, "e": 1.0},
        *ALL,
    )
    ideal = 2 + 1 / math.log2(3) + 1 / 2
    assert found["map"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert found["ndcg"] == pytest.approx((2 + 1 / 2 + 1 / math.log2(6)) / ideal)
    assert found["ndcg_cut_3"] == pytest.approx((2 + 1 / 2) / ideal)
    assert found["recip_rank"] == 1.0
    assert found["recall_5"] == 1.0
    assert found["P_5"] == pytest.approx(3 / 5)
    assert found["P_10"] == pytest.approx(3 / 10), "divides by 10 although there are five"


def test_metrics_of_several_cuts_in_one_call() -> None:
    found = one({"a": 0, "b": 1}, {"a": 2.0, "b": 1.0}, "P_1", "P_2", "recall_1", "recall_2")
    assert found == {"P_1": 0.0, "P_2": 0.5, "recall_1": 0.0, "recall_2": 1.0}


def test_ties_go_to_the_later_id_in_byte_order() -> None:
    tied = {"10": 1.0, "9": 1.0}
    assert one({"10": 0, "9": 1}, tied, "recip_rank")["recip_rank"] == 1.0
    assert one({"10": 1, "9": 0}, tied, "recip_rank")["recip_rank"] == 0.5
    accents = {"z": 1.0, "é": 1.0}
    assert one({"z": 0, "é": 1}, accents, "recip_rank")["recip_rank"] == 1.0


@pytest.mark.parametrize(
    ("level", "gap", "tied"), [(-1.0, 1e-9, True), (-1.0, 1e-6, False), (-10.0, 1e-7, True)]
)
def test_scores_that_agree_in_single_precision_are_tied(
    level: float, gap: float, tied: bool
) -> None:
    # "a" is better by the gap, but "b" wins a tie.
    found = one({"a": 1, "b": 0}, {"a": level + gap, "b": level}, "recip_rank")
    assert found["recip_rank"] == (0.5 if tied else 1.0)


def test_a_query_without_relevant_candidates_scores_zero_and_stays() -> None:
    found = measure(
        {"q1": {"a": 0, "b": 0}, "q2": {"a": 1}}, {"q1": {"a": 1, "b": 2}, "q2": {"a": 1}}, ALL
    )
    assert list(found) == ["q1", "q2"]
    assert set(found["q1"].values()) == {0.0}


def test_a_negative_grade_is_not_relevant_and_gains_nothing() -> None:
    assert one({"a": -1, "b": 1}, {"a": 1.0, "b": 2.0}, "map", "ndcg") == {"map": 1.0, "ndcg": 1.0}


def test_negative_grades_never_reach_trec_eval(monkeypatch: pytest.MonkeyPatch) -> None:
    # It may hang for ever when a query has no other grades; seen with "ndcg", depending on what
    # stood in memory before.
    seen: list[dict[str, dict[str, int]]] = []
    real = trec.pytrec_eval.RelevanceEvaluator

    def spy(grades: dict[str, dict[str, int]], metrics: set[str]) -> object:
        seen.append(grades)
        return real(grades, metrics)

    monkeypatch.setattr(trec.pytrec_eval, "RelevanceEvaluator", spy)
    assert one({"a": -1, "b": -2}, {"a": 1.0, "b": 2.0}, "ndcg") == {"ndcg": 0.0}
    assert seen == [{"q": {"a": 0, "b": 0}}]


def test_numpy_grades_and_scores_are_accepted() -> None:
    run = {"a": np.float32(1.0), "b": np.float64(2.0)}
    assert one({"a": np.int64(1), "b": 0}, run, "map")["map"] == 0.5  # type: ignore[dict-item]


def test_queries_keep_the_order_of_the_labels() -> None:
    qrels = {query: {"a": 1} for query in ("3", "1", "2")}
    run = {query: {"a": 0.0} for query in ("1", "2", "3", "unlabelled")}
    assert list(measure(qrels, run, ["map"])) == ["3", "1", "2"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused_by_name(bad: float) -> None:
    with pytest.raises(DataError, match=r"query q7, candidate x.*finite"):
        measure({"q7": {"x": 1}}, {"q7": {"x": bad}}, ["map"])


def test_missing_queries_and_candidates_are_refused() -> None:
    with pytest.raises(CoverageError, match=r"query q2.*no scores"):
        measure({"q1": {"a": 1}, "q2": {"a": 1}}, {"q1": {"a": 1.0}}, ["map"])
    with pytest.raises(CoverageError, match="1 of 2 candidates have no score, the first is b"):
        one({"a": 1, "b": 0}, {"a": 1.0}, "map")
    with pytest.raises(DataError, match="no label, the first is c"):
        one({"a": 1}, {"a": 1.0, "c": 2.0}, "map")


def test_unlabelled_candidates_count_as_not_relevant_when_allowed() -> None:
    qrels, run = {"q": {"a": 1, "b": 1}}, {"q": {"a": 1.0, "c": 2.0}}
    found = measure(qrels, run, ["map", "P_5"], same_candidates=False)["q"]
    assert found == {"map": pytest.approx(0.25), "P_5": pytest.approx(0.2)}


def test_empty_pools_bad_grades_and_bad_ids_are_refused() -> None:
    with pytest.raises(DataError, match="query q: the query has no candidates"):
        one({}, {}, "map")
    with pytest.raises(DataError, match=r"0\.5 is not a whole number"):
        one({"a": 0.5}, {"a": 1.0}, "map")  # type: ignore[dict-item]
    with pytest.raises(DataError, match="at most"):
        one({"a": MAX_GRADE + 1}, {"a": 1.0}, "map")
    for bad in ("a\0b", "\ud800"):
        with pytest.raises(DataError, match="NUL or half of a surrogate"):
            one({bad: 1}, {bad: 1.0}, "map")


@pytest.mark.parametrize("bad", ["MAP", "P_0", "recall", "ndcg_5", "gm_map", "map "])
def test_unknown_metrics_are_refused(bad: str) -> None:
    with pytest.raises(SpecError, match="ranking metrics"):
        one({"a": 1}, {"a": 1.0}, bad)
