"""The ranking evaluators against plain loops, on generated cases with every awkward property."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scirepeval_harness.evaluations.base import Outcome
from scirepeval_harness.evaluations.citation_pools import CitationPools, evaluate_citation_pools
from scirepeval_harness.evaluations.ranking import RankingSet, evaluate_ranking
from scirepeval_harness.evaluations.reviewer_matching import ReviewerSet, evaluate_reviewer_matching
from scirepeval_harness.evaluations.scorers import euclidean_scorer
from scirepeval_harness.evaluations.trec import measure
from tests.oracle import ranking as oracle
from tests.support.ranking_tasks import ranking_task
from tests.support.tables import Table

METRICS = ("map", "ndcg", "recall_5", "P_5", "P_10", "ndcg_cut_3", "recip_rank")
# Whole numbers as text (with "9" after "10"), a leading zero, case, accents, underscores, a slash.
IDS = ["1", "2", "9", "10", "01", "a", "B", "é", "a_b", "hep-ph/93", "-1", "ß"]


def vectors_of_ids() -> st.SearchStrategy[dict[str, list[float]]]:
    """Few coordinates, halves of small integers: many ties and duplicates, exact distances."""
    row = st.lists(st.integers(-3, 3).map(lambda n: n / 2), min_size=2, max_size=2)
    return st.fixed_dictionaries(dict.fromkeys(IDS, row))


def labels(lowest: int = 0, highest: int = 3) -> st.SearchStrategy[dict[str, dict[str, int]]]:
    """Queries and candidates from the same ids; all grades of a query may be 0."""
    grades = st.dictionaries(st.sampled_from(IDS), st.integers(lowest, highest), min_size=1)
    return st.dictionaries(st.sampled_from(IDS), grades, min_size=1, max_size=6)


def assert_scores(outcome: Outcome, expected: Mapping[str, float]) -> None:
    found = {score.key: score.value for score in outcome.scores}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-6), key


@settings(max_examples=300, deadline=None)
@given(vectors=vectors_of_ids(), qrels=labels())
def test_ranking(vectors: dict[str, list[float]], qrels: dict[str, dict[str, int]]) -> None:
    outcome = evaluate_ranking(
        ranking_task(*METRICS), RankingSet({}, {}, qrels), euclidean_scorer(Table(vectors))
    )
    expected = {name: oracle.ranking_score(name, vectors, qrels) for name in METRICS}
    assert_scores(outcome, expected)


@settings(max_examples=150, deadline=None)
@given(
    scores=st.dictionaries(
        st.sampled_from(IDS),
        # Neighbours in float64 and float32 around one value, and wild ones.
        st.one_of(
            st.sampled_from([-1.0, -1.0 + 1e-9, -1.0 - 1e-8, -1.0 + 6e-8, -1.0 + 1e-6]),
            st.floats(-1e30, 1e30),
        ),
        min_size=1,
    ),
    data=st.data(),
)
def test_ties_of_arbitrary_scores(scores: dict[str, float], data: st.DataObject) -> None:
    grades = {item: data.draw(st.integers(-1, 3)) for item in scores}
    found = measure({"q": grades}, {"q": scores}, METRICS)["q"]
    for name in METRICS:
        assert found[name] == pytest.approx(oracle.value(name, scores, grades), abs=1e-9), name


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    hard=labels(0, 1),
    data=st.data(),
    lists=st.lists(st.lists(st.integers(0, 14), min_size=1, max_size=6), min_size=12, max_size=12),
)
def test_reviewer_matching(
    seed: int, hard: dict[str, dict[str, int]], data: st.DataObject, lists: list[list[int]]
) -> None:
    random = np.random.default_rng(seed)
    # Few papers, so that reviewers share them; three of the papers have equal vectors.
    rows = {f"p{k}": random.normal(size=5).astype(np.float32).tolist() for k in range(15)}
    rows["p1"] = rows["p2"] = rows["p0"]
    rows |= {item: random.normal(size=5).astype(np.float32).tolist() for item in IDS}
    rows["1"] = rows["p0"]
    people = {name: tuple(f"p{k}" for k in papers) for name, papers in zip(IDS, lists, strict=True)}
    soft = {
        paper: {name: max(grade, data.draw(st.integers(0, 1))) for name, grade in names.items()}
        for paper, names in hard.items()
    }
    outcome = evaluate_reviewer_matching(
        ranking_task("P_5", "P_10", "map", evaluation="reviewer_matching"),
        ReviewerSet({}, people, hard, soft),
        Table(rows),
    )
    expected = oracle.reviewer_scores(["P_5", "P_10", "map"], hard, soft, people, rows)
    assert_scores(outcome, expected)


@settings(max_examples=100, deadline=None)
@given(vectors=vectors_of_ids(), data=st.data())
def test_citation_pools(vectors: dict[str, list[float]], data: st.DataObject) -> None:
    some = st.lists(st.sampled_from(IDS), max_size=4)
    names = ("bm25", "scincl", "specter", "graph", "most_cited", "random", "true")
    lists = st.fixed_dictionaries(dict.fromkeys(names, some)).filter(
        lambda found: any(found.values())
    )
    queries = st.dictionaries(st.sampled_from(IDS), lists, min_size=1, max_size=3)
    made = data.draw(st.dictionaries(st.sampled_from(["Art", "Music", "Law"]), queries, min_size=1))
    fields = {
        field: {query: oracle.pool(found) for query, found in rows.items()}
        for field, rows in made.items()
    }
    metrics = ("map", "ndcg", "recall_5")
    outcome = evaluate_citation_pools(
        ranking_task(*metrics, evaluation="citation_pools"),
        CitationPools({}, fields),
        euclidean_scorer(Table(vectors)),
    )
    assert_scores(outcome, oracle.citation_scores(metrics, fields, vectors))


@pytest.mark.parametrize("width", ["float32", "float16"])
def test_ranking_on_ordinary_vectors_in_either_width(width: str) -> None:
    random = np.random.default_rng(5)
    rows = {str(k): (random.normal(size=32) + 3).astype(np.float32).tolist() for k in range(300)}
    qrels = {
        str(q): {str(c): int(random.integers(0, 3)) for c in random.choice(300, 30, replace=False)}
        for q in range(0, 300, 7)
    }
    outcome = evaluate_ranking(
        ranking_task(*METRICS),
        RankingSet({}, {}, qrels),
        euclidean_scorer(Table(rows), width=width),  # type: ignore[arg-type]
    )
    rounding = oracle.half if width == "float16" else float
    assert_scores(
        outcome, {name: oracle.ranking_score(name, rows, qrels, rounding) for name in METRICS}
    )
