from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from scirepeval_harness.errors import CoverageError, ModelError
from scirepeval_harness.evaluations import scorers
from scirepeval_harness.evaluations.scorers import (
    EuclideanScorer,
    euclidean_scorer,
    ranker_scorer,
    read_as,
)
from scirepeval_harness.model.base import Identity
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from tests.support.tables import Table


def test_scores_are_minus_the_euclidean_distance() -> None:
    score = euclidean_scorer(Table({"q": [0, 0], "a": [3, 4], "b": [0, 1]}))
    assert score("q", ["a", "b", "q"]).tolist() == [-5.0, -1.0, 0.0]


def test_close_vectors_keep_their_digits() -> None:
    # ||a||^2 + ||b||^2 - 2ab in float32 or float64 would give 0 or noise here.
    base = np.full(64, 1000.0, dtype=np.float32)
    near = base.copy()
    near[0] = np.nextafter(base[0], np.float32(2000.0))
    score = euclidean_scorer(Table({"q": base, "a": near}))
    assert score("q", ["a"])[0] == -(float(near[0]) - 1000.0)


@pytest.mark.parametrize("dimensions", [1, 7, 33, 768])
def test_equal_vectors_tie_exactly_wherever_they_stand(dimensions: int) -> None:
    random = np.random.default_rng(dimensions)
    same = random.normal(size=dimensions)
    vectors = {f"d{i}": same if i % 3 == 0 else random.normal(size=dimensions) for i in range(500)}
    vectors["q"] = random.normal(size=dimensions)
    pool = [f"d{i}" for i in range(500)]
    found = euclidean_scorer(Table(vectors))("q", pool)
    assert len(set(found[::3].tolist())) == 1
    assert len(set(found.tolist())) > 300


def test_all_pools_at_once_equal_one_call_a_query_across_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    vectors = {str(i): random.normal(size=5) for i in range(40)}
    pools = {
        str(q): tuple(str(c) for c in random.choice(40, 1 + q % 7, replace=False))
        for q in range(20)
    }
    monkeypatch.setattr(scorers, "CHUNK_BYTES", 3 * 8 * 5)
    scorer = EuclideanScorer(Table(vectors))
    together = scorer.score_all(pools)
    assert list(together) == list(pools)
    for query, pool in pools.items():
        assert together[query].tolist() == scorer(query, pool).tolist()
        expected = [-math.dist(np.float32(vectors[query]), np.float32(vectors[c])) for c in pool]
        assert together[query] == pytest.approx(expected, abs=1e-12)
    assert scorer.score_all({}) == {}


def test_each_vector_is_read_once() -> None:
    table = Table({"q": [0.0], "r": [1.0], "a": [2.0]})
    EuclideanScorer(table).score_all({"q": ("a", "r"), "r": ("a", "q")})
    assert sorted(table.asked) == ["a", "q", "r"]


def test_float16_rounds_the_vectors_and_nothing_else() -> None:
    table = Table({"q": [0.0], "a": [1.0001], "b": [1.0]})
    assert euclidean_scorer(table, width="float16")("q", ["a", "b"]).tolist() == [-1.0, -1.0]
    wide = euclidean_scorer(table)("q", ["a", "b"])
    assert wide[0] < wide[1]
    assert read_as(table, "float16").take(["a"]).dtype == np.float32
    assert read_as(table, "float32") is table


def test_vectors_that_cannot_be_used_are_refused_by_name() -> None:
    big = Table({"q": [0.0], "a": [70000.0]})
    assert euclidean_scorer(big)("q", ["a"]).tolist() == [-70000.0]
    with pytest.raises(ModelError, match=r"document a: .*float16.*Read the vectors as float32"):
        euclidean_scorer(big, width="float16")("q", ["a"])
    with pytest.raises(CoverageError, match="document b"):
        euclidean_scorer(big)("q", ["b"])


class Overlap:
    """A ranker that counts common words."""

    name = "overlap"

    def identity(self, role: Role) -> Identity:
        return Identity(self.name, role, {})

    def prepare(self, documents: Sequence[Document]) -> None: ...

    def score(self, query: Document, candidates: Sequence[Document]) -> NDArray[np.float64]:
        words = set(query.parts[0].split())
        return np.array([float(len(words & set(c.parts[0].split()))) for c in candidates])


def test_a_ranker_scores_texts() -> None:
    queries = {"1": Document("1", ("deep graph model",))}
    candidates = {"1": Document("1", ("soil",)), "2": Document("2", ("graph model",))}
    score = ranker_scorer(Overlap(), queries, candidates)
    assert score("1", ["1", "2"]).tolist() == [0.0, 2.0], "a query and a candidate may share an id"
    with pytest.raises(CoverageError, match="candidate 3: the candidate has no document"):
        score("1", ["3"])
    with pytest.raises(CoverageError, match="query 9: the query has no document"):
        score("9", ["1"])
