from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from scirepeval_harness.evaluations.metrics import KENDALLTAU
from scirepeval_harness.statistics.bootstrap import accuracy_of_counts, f1_of_counts


@given(pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_f1_from_counts_is_scikit_learn_s(pairs: list[tuple[int, int]]) -> None:
    truth, said = (np.array(side) for side in zip(*pairs, strict=True))
    classes = np.arange(4)
    counts = [np.array([[(own == k).sum() for k in classes]], dtype=float) for own in (said, truth)]
    hits = np.array([[((truth == k) & (said == k)).sum() for k in classes]], dtype=float)
    macro = f1_of_counts(hits, *counts, "f1_macro", present_only=True)
    assert macro[0] == pytest.approx(f1_score(truth, said, average="macro", zero_division=0))
    one = f1_of_counts(hits, *counts, "f1", present_only=True)
    wanted = f1_score(truth, said, labels=[1], average="macro", zero_division=0)
    assert one[0] == pytest.approx(wanted)


def test_accuracy_needs_the_whole_label_set() -> None:
    truth = np.array([[1, 0], [0, 1], [1, 1]], dtype=float)
    said = np.array([[1, 0], [0, 0], [1, 1]], dtype=float)
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 3.0, 1.0]])
    assert accuracy_of_counts(weights, truth, said) == pytest.approx([2 / 3, 1 / 4])


def test_tau_of_constants_is_zero() -> None:
    assert KENDALLTAU.on_resample(np.ones(5), np.arange(5.0)) == 0.0
    assert KENDALLTAU.on_resample(np.arange(5.0), np.arange(5.0)) == pytest.approx(1.0)
