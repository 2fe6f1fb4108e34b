from __future__ import annotations

import math

import numpy as np
import pytest

from scirepeval_harness.errors import CoverageError, DataError, ModelError
from scirepeval_harness.evaluations.ranking import RankingSet, evaluate_ranking
from scirepeval_harness.evaluations.scorers import euclidean_scorer
from tests.support.ranking_tasks import ranking_task
from tests.support.tables import Table

TABLE = Table({"q": [0.0], "r": [10.0], "a": [1.0], "b": [2.0], "c": [30.0]})
QRELS = {"r": {"b": 0, "c": 0}, "q": {"a": 0, "b": 2, "c": 1}}


def test_scores_items_and_notes() -> None:
    task = ranking_task("map", "ndcg")
    outcome = evaluate_ranking(task, RankingSet({}, {}, QRELS), euclidean_scorer(TABLE))
    # q ranks a(0) b(2) c(1); r has nothing relevant and stays in the mean.
    average_precision = (1 / 2 + 2 / 3) / 2
    gain = (2 / math.log2(3) + 1 / 2) / (2 + 1 / math.log2(3))
    assert [score.key for score in outcome.scores] == ["map", "ndcg"]
    assert outcome.scores[0].value == pytest.approx(100 * average_precision / 2)
    assert outcome.scores[1].value == pytest.approx(100 * gain / 2)
    assert outcome.kind == "queries"
    assert list(outcome.items.columns) == ["field", "item", "metric", "value"]
    assert outcome.items["item"].tolist() == ["r", "q", "r", "q"], "the order of the labels"
    assert outcome.items["metric"].tolist() == ["map", "map", "ndcg", "ndcg"]
    assert set(outcome.items["field"]) == {""}
    assert outcome.items["value"].tolist() == pytest.approx([0, average_precision, 0, gain])
    assert outcome.notes == {
        "scorer": {"score": "minus euclidean distance", "vector_width": "float32"},
        "queries": 2,
        "pairs": 5,
        "queries_without_relevant": 1,
    }


def test_a_score_is_the_mean_of_its_items_at_full_precision() -> None:
    random = np.random.default_rng(1)
    vectors = {str(i): random.normal(size=4) for i in range(50)}
    qrels = {
        str(q): {str(c): int(random.integers(0, 3)) for c in random.choice(50, 9, replace=False)}
        for q in range(30)
    }
    outcome = evaluate_ranking(
        ranking_task("map", "P_5"), RankingSet({}, {}, qrels), euclidean_scorer(Table(vectors))
    )
    for score in outcome.scores:
        values = outcome.items.query("metric == @score.metric")["value"]
        assert score.value == pytest.approx(100 * values.mean(), abs=1e-12)
        assert score.value != round(score.value, 4)


def test_a_part_of_the_data_gives_no_score() -> None:
    task, scorer = ranking_task("map"), euclidean_scorer(TABLE)
    with pytest.raises(CoverageError, match="document z"):
        evaluate_ranking(task, RankingSet({}, {}, {"q": {"a": 1, "z": 0}}), scorer)
    with pytest.raises(DataError, match="task toy: the labels hold no queries"):
        evaluate_ranking(task, RankingSet({}, {}, {}), scorer)
    with pytest.raises(DataError, match="query r: the query has no candidates"):
        evaluate_ranking(task, RankingSet({}, {}, {"q": {"a": 1}, "r": {}}), scorer)
    with pytest.raises(ModelError, match="not a finite number"):
        evaluate_ranking(
            task, RankingSet({}, {}, {"q": {"a": 1}}), lambda query, pool: np.array([math.nan])
        )
