from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scirepeval_harness.task.tables import sample_rows


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=200),
    limit=st.integers(1, 220),
    seed=st.integers(0, 99),
)
def test_rows_keep_their_order_and_classes_their_share(
    labels: list[int], limit: int, seed: int
) -> None:
    values = np.array(labels)
    rows = sample_rows(values, limit, seed, stratified=True)
    assert len(rows) == min(limit, len(labels))
    assert (np.diff(rows) > 0).all()
    share = len(rows) / len(labels)
    for label in set(labels):
        wanted = share * labels.count(label)
        # Classes take turns at their own pace: a prefix is off by less than the number of classes.
        assert abs((values[rows] == label).sum() - wanted) < 1 + len(set(labels)) / 2


def test_the_seed_decides_and_nothing_else() -> None:
    labels = np.zeros(100)
    one, two, other = (sample_rows(labels, 10, seed, stratified=False) for seed in (1, 1, 2))
    assert one.tolist() == two.tolist() != other.tolist()


def test_several_labels_go_by_the_first() -> None:
    matrix = np.array([[1, 1]] * 90 + [[0, 1]] * 10)
    rows = sample_rows(matrix, 20, 42, stratified=True)
    assert (rows >= 90).sum() == 2
