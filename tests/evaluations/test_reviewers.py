from __future__ import annotations

import math

import numpy as np
import pytest

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations import scorers as module
from scirepeval_harness.evaluations.scorers import reviewer_run
from tests.support.tables import Table

# Angles to "q" in degrees.
ANGLES = {"q": 0, "p0": 0, "p60": 60, "p90": 90, "p180": 180, "p120": 120}
TABLE = Table(
    {
        name: (5 * math.cos(math.radians(angle)), 5 * math.sin(math.radians(angle)))
        for name, angle in ANGLES.items()
    }
)


def score(*papers: str) -> float:
    return reviewer_run({"q": {"r": 1}}, {"r": papers}, TABLE)["q"]["r"]


def test_mean_of_the_three_highest_similarities() -> None:
    assert score("p180", "p60", "p120", "p0", "p90") == pytest.approx((1 + 0.5 + 0) / 3)


def test_fewer_than_three_papers_give_their_mean() -> None:
    assert score("p60", "p120") == pytest.approx(0, abs=1e-6)
    assert score("p60") == pytest.approx(0.5)


def test_a_paper_listed_twice_counts_twice() -> None:
    assert score("p0", "p0", "p60", "p90") == pytest.approx((1 + 1 + 0.5) / 3)


def test_a_vector_of_zeros_has_similarity_zero() -> None:
    table = Table({"q": [1, 0], "zero": [0, 0], "p": [1, 0]})
    run = reviewer_run(
        {"q": {"r": 0, "s": 0}, "zero": {"r": 0}}, {"r": ["zero"], "s": ["p"]}, table
    )
    assert run == {"q": {"r": 0.0, "s": pytest.approx(1.0)}, "zero": {"r": 0.0}}


def test_reviewers_with_equal_best_papers_tie_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    vectors = {f"p{i}": random.normal(size=37) for i in range(60)}
    vectors |= {f"copy{i}": vectors[f"p{i}"] for i in range(3)}
    vectors |= {f"q{i}": random.normal(size=37) for i in range(9)}
    people = {f"r{i}": [f"p{j}" for j in range(i, 60, 6)] for i in range(6)}
    people["twin"] = [*reversed(people["r0"][1:]), "copy0"]
    qrels = {f"q{i}": dict.fromkeys(people, 0) for i in range(9)}
    run = reviewer_run(qrels, people, Table(vectors))
    assert all(row["twin"] == row["r0"] for row in run.values())
    assert all(len(set(row.values())) == 6 for row in run.values())
    monkeypatch.setattr(module, "CHUNK_VALUES", 1)
    small = reviewer_run(qrels, people, Table(vectors))
    assert small.keys() == run.keys()
    for query, row in run.items():
        assert small[query] == pytest.approx(row, abs=1e-12)


def test_only_the_reviewers_of_a_paper_are_ranked_in_its_order() -> None:
    run = reviewer_run(
        {"q": {"s": 0, "r": 1}, "p0": {"r": 1}}, {"r": ["p0"], "s": ["p60"], "t": ["p90"]}, TABLE
    )
    assert [list(row) for row in run.values()] == [["s", "r"], ["r"]]


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"reviewer r: .*without papers"):
        score()
    with pytest.raises(DataError, match=r"reviewer s: .*without papers"):
        reviewer_run({"q": {"s": 1}}, {"r": ["p0"]}, TABLE)
    with pytest.raises(DataError, match=r"query q: .*no reviewers"):
        reviewer_run({"q": {}}, {"r": ["p0"]}, TABLE)
