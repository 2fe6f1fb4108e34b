from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scirepeval_harness.evaluations.clustering import b_cubed, f1
from tests.oracle import clusters as oracle


def test_values_worked_out_by_hand() -> None:
    # True {a b c} {d}, predicted {a b} {c d}.
    precision, recall = b_cubed(["x", "x", "x", "y"], [7, 7, 3, 3])
    assert precision.tolist() == [1, 1, 0.5, 0.5]
    assert recall.tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1])
    assert f1(0.75, 2 / 3) == pytest.approx(12 / 17)


def test_extremes() -> None:
    precision, recall = b_cubed(["x", "y", "x", "y"], [0, 0, 0, 0])
    assert precision.tolist() == [0.5] * 4
    assert recall.tolist() == [1.0] * 4
    precision, recall = b_cubed(["x", "y", "x", "y"], [0, 1, 2, 3])
    assert precision.tolist() == [1.0] * 4
    assert recall.tolist() == [0.5] * 4
    assert f1(0.0, 0.0) == 0.0
    with pytest.raises(ValueError, match="2 true clusters for 1"):
        b_cubed(["x", "y"], [0])


@given(st.lists(st.tuples(st.sampled_from("abcé1"), st.integers(-2, 5)), min_size=1, max_size=40))
def test_against_loops_over_pairs(rows: list[tuple[str, int]]) -> None:
    truth, predicted = [row[0] for row in rows], [row[1] for row in rows]
    precision, recall = b_cubed(truth, predicted)
    expected = oracle.b_cubed(truth, predicted)
    assert precision.tolist() == pytest.approx(expected[0], abs=1e-12)
    assert recall.tolist() == pytest.approx(expected[1], abs=1e-12)
