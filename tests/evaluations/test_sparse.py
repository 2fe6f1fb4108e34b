"""Sparse vectors: the same scores as written out, and no dense copy of a large collection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, random_array

from scirepeval_harness.evaluations import probe_scores, scorers
from scirepeval_harness.evaluations.base import VectorTable
from scirepeval_harness.probes import reference
from scirepeval_harness.probes.problem import Kind
from scirepeval_harness.vectors.encode import TaskVectors


def matrix(rows: int, seed: int) -> csr_matrix:
    made = random_array((rows, 40), density=0.2, format="csr", dtype=np.float32, rng=seed)
    return csr_matrix(made)


def table() -> tuple[TaskVectors, NDArray[np.float32]]:
    first, second = matrix(30, 1), matrix(50, 2)
    parts = ((30, first.__getitem__), (50, second.__getitem__))
    rows = {str(row): row for row in range(80)}
    whole = np.concatenate([first.toarray(), second.toarray()])
    return TaskVectors(rows, parts, 80, 0, sparse=True), whole


def test_rows_of_several_parts_in_the_order_asked_for() -> None:
    vectors, whole = table()
    ids = ["70", "3", "45", "3", "29", "30"]
    wanted = whole[[int(key) for key in ids]]
    assert vectors.take(ids).tolist() == wanted.tolist()
    assert vectors.take_sparse(ids).toarray().tolist() == wanted.tolist()
    half = scorers.read_as(vectors, "float16")
    assert scorers.is_sparse(half)
    assert half.take_sparse(ids).toarray().tolist() == half.take(ids).tolist()


class Counted:
    """A table that notes how many rows are taken at a time."""

    def __init__(self, table: VectorTable) -> None:
        self.table, self.taken = table, list[int]()

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        self.taken.append(len(ids))
        return self.table.take(ids)


def test_pools_are_scored_in_parts_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = {str(query): [str((query * 7 + k) % 80) for k in range(9)] for query in range(40)}
    whole = scorers.euclidean_scorer(table()[0]).score_all(pools)
    monkeypatch.setattr(scorers, "PART_ROWS", 25)
    counted = Counted(table()[0])
    parts = scorers.euclidean_scorer(counted).score_all(pools)
    assert max(counted.taken) <= 25 < sum(counted.taken)
    assert {key: row.tobytes() for key, row in parts.items()} == {
        key: row.tobytes() for key, row in whole.items()
    }


@pytest.mark.parametrize("kind", ["single", "multi", "regression"])
@pytest.mark.parametrize("grid", [True, False])
def test_probes_on_compressed_rows_give_the_dense_answer(kind: Kind, grid: bool) -> None:
    x, tests = matrix(120, 3), matrix(60, 4)
    draw = np.random.default_rng(5)
    signal = x.toarray() @ draw.normal(size=(40, 3)) + 0.1 * draw.normal(size=(120, 3))
    labels: dict[Kind, NDArray[np.generic]] = {
        "single": signal.argmax(axis=1),
        "multi": (signal > 0).astype(np.int64),
        "regression": signal[:, 0],
    }
    y = labels[kind]
    dense = reference.fit(kind, x.toarray(), y, tests.toarray(), grid=grid, seed=42)
    sparse = reference.fit(kind, x, y, tests, grid=grid, seed=42)
    assert (sparse.chosen_c, sparse.fits, sparse.unconverged) == (
        dense.chosen_c,
        dense.fits,
        dense.unconverged,
    )
    if kind == "regression":
        np.testing.assert_allclose(sparse.predictions, dense.predictions, rtol=1e-12, atol=1e-12)
    else:
        assert sparse.predictions.tolist() == dense.predictions.tolist()


def test_only_what_would_fill_memory_stays_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ["1", "2", "3"]
    assert isinstance(probe_scores.probe_rows(table()[0], ids), np.ndarray)
    monkeypatch.setattr(probe_scores, "WRITTEN_OUT", 100)
    assert not isinstance(probe_scores.probe_rows(table()[0], ids), np.ndarray)
