from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.evaluations.metrics import accuracy, f1, f1_macro, kendalltau
from tests.probes import oracles

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


def test_hand_computed_values() -> None:
    truth = np.array([1, 1, 1, 0, 0, 0])
    prediction = np.array([1, 1, 0, 1, 0, 0])
    assert f1(truth, prediction) == pytest.approx(2 / 3)
    assert accuracy(truth, prediction) == pytest.approx(4 / 6)
    # Class 0: tp 2, fp 1, fn 1, so both classes have F1 2/3.
    assert f1_macro(truth, prediction) == pytest.approx(2 / 3)
    assert kendalltau(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])) == pytest.approx(4 / 6)


def test_class_predicted_but_absent_counts_in_the_macro_mean() -> None:
    assert f1_macro(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 2])) == pytest.approx((6 / 7) / 2)


def test_empty_label_column_counts_as_zero() -> None:
    truth = np.array([[1, 0], [1, 0], [0, 0]])
    assert f1_macro(truth, truth) == pytest.approx(0.5)
    assert accuracy(truth, np.array([[1, 0], [1, 1], [0, 0]])) == pytest.approx(2 / 3)


def test_f1_without_any_positive_is_zero() -> None:
    assert f1(np.zeros(3, dtype=int), np.zeros(3, dtype=int)) == 0.0


@given(labels)
def test_single_label_f1_equals_loops_and_sklearn(pairs: list[tuple[int, int]]) -> None:
    truth, prediction = (np.array(side) for side in zip(*pairs, strict=True))
    assert f1_macro(truth, prediction) == pytest.approx(
        oracles.f1_macro_of(truth.tolist(), prediction.tolist())
    )
    assert f1_macro(truth, prediction) == pytest.approx(
        f1_score(truth, prediction, average="macro", zero_division=0)
    )
    binary = (truth > 2).astype(int), (prediction > 2).astype(int)
    assert f1(*binary) == pytest.approx(f1_score(*binary, zero_division=0))


@given(st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=1, max_size=20))
def test_multilabel_f1_equals_loops_and_sklearn(rows: list[list[int]]) -> None:
    both = np.array(rows)
    truth, prediction = both[:, :3], both[:, 3:]
    assert f1_macro(truth, prediction) == pytest.approx(
        oracles.f1_macro_of_matrix(truth.tolist(), prediction.tolist())
    )
    assert f1_macro(truth, prediction) == pytest.approx(
        f1_score(truth, prediction, average="macro", zero_division=0)
    )


@given(labels)
def test_kendall_tau_equals_pair_counts(pairs: list[tuple[int, int]]) -> None:
    x, y = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    if len(set(x)) < 2 or len(set(y)) < 2:
        with pytest.raises(ProbeError, match="undefined"):
            kendalltau(x, y)
    else:
        assert kendalltau(x, y) == pytest.approx(oracles.tau_b_of(x, y), abs=1e-12)


@pytest.mark.parametrize("bad", [np.array([0, 1, 2]), np.array([[0], [1], [1]])])
def test_binary_f1_refuses_other_labels(bad: np.ndarray) -> None:
    with pytest.raises(ProbeError, match="f1_macro"):
        f1(bad, bad)
