from __future__ import annotations

import math

import numpy as np
import pytest

from scirepeval_harness.errors import ProbeError
from scirepeval_harness.probes.problem import multilabel_samples, single_label_samples
from scirepeval_harness.task.spec import FewShot
from tests.probes import oracles


@pytest.mark.parametrize(("rows", "size", "iterations"), [(200, 16, 5), (130, 64, 50), (90, 7, 3)])
def test_single_label_samples_are_the_small_folds(rows: int, size: int, iterations: int) -> None:
    labels = np.random.default_rng(rows).choice(4, rows, p=[0.5, 0.3, 0.15, 0.05])
    got = single_label_samples(labels, FewShot(sample_size=size, iterations=iterations))
    folds = oracles.stratified_folds(labels.tolist(), math.ceil(rows / size))
    assert [rows.tolist() for rows in got] == folds[:iterations]


def test_fewer_folds_than_iterations_use_all() -> None:
    labels = np.arange(40) % 2
    got = single_label_samples(labels, FewShot(sample_size=10, iterations=50))
    assert len(got) == 4
    assert sorted(np.concatenate(got).tolist()) == list(range(40))


def test_rare_class_is_missing_from_some_samples() -> None:
    labels = np.array([0] * 30 + [1] * 28 + [2] * 2)
    got = single_label_samples(labels, FewShot(sample_size=10, iterations=6))
    assert sum(2 in labels[rows] for rows in got) == 2


@pytest.mark.parametrize(
    ("labels", "size", "message"),
    [
        ([0, 1] * 5, 10, "samples of 10"),
        ([0, 1, 2, 3, 4, 5], 1, "need 6 folds"),
        ([0] * 20 + [1], 5, "single class"),
    ],
)
def test_impossible_single_label_samples(labels: list[int], size: int, message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        single_label_samples(np.array(labels), FewShot(sample_size=size, iterations=9))


@pytest.mark.parametrize(("size", "seed"), [(5, 42), (10, 42), (10, 7)])
def test_multilabel_samples_are_seeded_draws(size: int, seed: int) -> None:
    labels = (np.random.default_rng(1).random((3000, 6)) < 0.05).astype(int)
    got = multilabel_samples(labels, FewShot(sample_size=size, iterations=4), seed)
    want = [oracles.positives_drawn(labels, size, seed + k) for k in range(4)]
    assert [rows.tolist() for rows in got] == want
    assert got[0].tolist() != sorted(got[0].tolist()), "the order of a set, not of the rows"


def test_multilabel_samples_leave_the_global_generator_alone() -> None:
    labels = np.ones((20, 2), dtype=int)
    np.random.seed(3)
    before = np.random.get_state()[1].tolist()
    multilabel_samples(labels, FewShot(sample_size=2, iterations=2), 42)
    assert np.random.get_state()[1].tolist() == before


def test_too_few_positives() -> None:
    labels = np.zeros((30, 3), dtype=int)
    labels[:20, :2] = 1
    with pytest.raises(ProbeError, match=r"1 classes \(the first has index 2\).*as few as 0"):
        multilabel_samples(labels, FewShot(sample_size=5, iterations=2), 42)
