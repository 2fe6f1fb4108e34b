from __future__ import annotations

from pathlib import Path

import pytest

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations.citation_pools import CitationPools, evaluate_citation_pools
from scirepeval_harness.evaluations.exchange import exchange_scorer, pairs_of, write_scores
from scirepeval_harness.evaluations.scorers import euclidean_scorer
from tests.support.ranking_tasks import ranking_task
from tests.support.tables import Table

TASK = ranking_task("map", "recall_5", evaluation="citation_pools")
TABLE = Table({f"d{k}": [float(k)] for k in range(10)} | {"q": [0.0], "r": [9.0], "s": [0.0]})
DATA = CitationPools(
    {},
    {
        "Art": {"q": {"d1": 1, "d2": 0, "d3": 1}, "r": {"d1": 1, "d2": 0, "d3": 0}},
        "Music": {"s": {"d1": 0, "d2": 0, "d3": 1}},
    },
)


def test_the_number_is_the_unweighted_mean_of_the_rounded_fields() -> None:
    outcome = evaluate_citation_pools(TASK, DATA, euclidean_scorer(TABLE))
    scores = {score.key: score.value for score in outcome.scores}
    # Art: q (1 + 2/3) / 2, r 1/3; Music: s 1/3. A mean over all queries would be 50.0.
    assert list(scores) == [
        "map",
        "recall_5",
        "map[Art]",
        "map[Music]",
        "recall_5[Art]",
        "recall_5[Music]",
    ]
    assert scores["map[Art]"] == 58.3333
    assert scores["map[Music]"] == 33.3333
    assert scores["map"] == pytest.approx((58.3333 + 33.3333) / 2, abs=1e-12)
    assert scores["recall_5"] == 100.0
    rows = outcome.items
    assert rows["field"].tolist() == ["Art"] * 4 + ["Music"] * 2
    art = rows.query("field == 'Art' and metric == 'map'")
    assert art["item"].tolist() == ["q", "r"]
    assert art["value"].tolist() == pytest.approx([5 / 6, 1 / 3], abs=1e-15), "not rounded"
    assert outcome.notes["fields"]["Music"]["queries"] == 1  # type: ignore[index]


def test_scores_through_the_exchange_form_are_the_same(tmp_path: Path) -> None:
    scorer = euclidean_scorer(TABLE)
    direct = evaluate_citation_pools(TASK, DATA, scorer)
    pools = pairs_of(DATA)
    run = {q: dict(zip(pool, scorer(q, pool).tolist(), strict=True)) for q, pool in pools.items()}
    write_scores(tmp_path / "scores.json", run)
    again = evaluate_citation_pools(TASK, DATA, exchange_scorer(tmp_path / "scores.json", DATA))
    assert again.scores == direct.scores
    assert again.items.equals(direct.items)


def test_empty_pools_are_refused() -> None:
    scorer = euclidean_scorer(TABLE)
    with pytest.raises(DataError, match="no fields"):
        evaluate_citation_pools(TASK, CitationPools({}, {}), scorer)
    with pytest.raises(DataError, match="field Art: the field has no queries"):
        evaluate_citation_pools(TASK, CitationPools({}, {"Art": {}}), scorer)
    with pytest.raises(DataError, match="query q: the query has no candidates"):
        evaluate_citation_pools(TASK, CitationPools({}, {"Art": {"q": {}}}), scorer)
