"""The tests against scipy's permutation test, and f1 and tau against other libraries' values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from scirepeval_harness.statistics.permutation import (
    b_cubed_p,
    f1_p,
    permutation_p,
    permutations_for,
    ranks,
    sign_flip_p,
    swaps,
    tau_contributions,
)


def scipy_p(a: np.ndarray, b: np.ndarray, difference: Callable[..., float], count: int) -> float:
    """Exchanges the two systems' outputs item by item; outputs may be of any shape."""
    rows = np.arange(len(a))
    both = np.stack([a, b])

    def statistic(first: np.ndarray, second: np.ndarray) -> float:
        return difference(both[first.astype(int), rows], both[second.astype(int), rows])

    zeros, ones = np.zeros(len(a)), np.ones(len(a))
    return float(
        stats.permutation_test(
            (zeros, ones),
            statistic,
            permutation_type="samples",
            n_resamples=count,
            rng=9,
        ).pvalue
    )


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[labels]


def test_small_samples_agree_with_all_arrangements_counted_one_by_one() -> None:
    values = np.array([0.4, -0.1, 0.3, 0.2, 0.25, -0.05, 0.1])
    signs = np.array([[1 - 2 * (n >> k & 1) for k in range(7)] for n in range(128)])
    exact = (np.abs(signs @ values) >= abs(values.sum()) - 1e-12).mean()
    assert sign_flip_p(values, seed=1, permutations=40_000) == pytest.approx(exact, abs=0.01)


def test_means_over_queries_agree_with_scipy() -> None:
    random = np.random.default_rng(4)
    a = random.beta(2, 2, 60)
    b = a + random.normal(0.03, 0.1, 60)
    theirs = scipy_p(a, b, lambda x, y: float(y.mean() - x.mean()), 4000)
    assert sign_flip_p((b - a) / 60, seed=1) == pytest.approx(theirs, abs=0.02)


def test_equal_systems_give_1_and_the_least_p_counts_the_observed_arrangement() -> None:
    assert sign_flip_p(np.zeros(50), seed=1) == 1.0
    assert sign_flip_p(np.full(200, 0.01), seed=1, permutations=999) == pytest.approx(1 / 1000)


def test_the_seed_decides_the_swaps_and_each_is_a_fair_coin() -> None:
    first, again = (np.concatenate(list(swaps(13, 3000, 5))) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (3000, 13)
    assert np.abs(first.mean(axis=0) - 0.5).max() < 0.05
    values = np.random.default_rng(0).normal(0.1, 1, 40)
    assert sign_flip_p(values, seed=5) == sign_flip_p(values, seed=5)


def test_large_tasks_get_fewer_permutations_but_enough_for_a_hundred_tests() -> None:
    assert permutations_for(1000) == 10_000
    assert permutations_for(40_000) == 5_000
    assert permutations_for(10**7) == 2_000
    assert 100 / (permutations_for(10**7) + 1) <= 0.05


@pytest.mark.parametrize(("metric", "average"), [("f1_macro", "macro"), ("f1", "binary")])
def test_f1_agrees_with_scipy_on_scikit_learns_values(metric: str, average: str) -> None:
    random = np.random.default_rng(6)
    classes = 2 if metric == "f1" else 4
    truth = random.integers(0, classes, 80)
    a = np.where(random.uniform(size=80) < 0.6, truth, random.integers(0, classes, 80))
    b = np.where(random.uniform(size=80) < 0.25, truth, a)

    def difference(x: np.ndarray, y: np.ndarray) -> float:
        return float(f1_score(truth, y, average=average) - f1_score(truth, x, average=average))

    ours = f1_p(
        one_hot(truth, classes), [one_hot(a, classes)], [one_hot(b, classes)], metric, seed=1
    )
    assert ours == pytest.approx(scipy_p(a, b, difference, 1500), abs=0.03)
    assert ours < 0.6


def test_few_shot_iterations_are_exchanged_together() -> None:
    random = np.random.default_rng(8)
    truth = random.integers(0, 3, 50)
    a = np.stack([random.integers(0, 3, 50) for _ in range(4)], axis=1)
    b = np.where(random.uniform(size=(50, 1)) < 0.2, truth[:, None], a)

    def difference(x: np.ndarray, y: np.ndarray) -> float:
        parts = [
            f1_score(truth, y[:, k], average="macro") - f1_score(truth, x[:, k], average="macro")
            for k in range(4)
        ]
        return float(np.mean(parts))

    ours = f1_p(
        one_hot(truth, 3),
        [one_hot(a[:, k], 3) for k in range(4)],
        [one_hot(b[:, k], 3) for k in range(4)],
        "f1_macro",
        seed=1,
    )
    assert ours == pytest.approx(scipy_p(a, b, difference, 500), abs=0.04)


def test_ranks_share_the_mean_place() -> None:
    values = np.array([3.0, 1.0, 3.0, 2.0, 3.0])
    assert ranks(values).tolist() == stats.rankdata(values).tolist()


def test_the_contributions_to_tau_give_every_mixed_difference() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 9, 25).astype(float)
    a, b = random.normal(size=25), np.round(random.normal(size=25), 1)

    def pairs(values: np.ndarray) -> float:
        order = np.sign(truth[:, None] - truth) * np.sign(values[:, None] - values)
        return float(order.sum() / 2)

    own = tau_contributions(truth, a, b)
    first, second = ranks(a), ranks(b)
    for swapped in next(swaps(25, 20, 1)):
        x, y = np.where(swapped, second, first), np.where(swapped, first, second)
        assert own @ (1 - 2 * swapped) == pytest.approx(pairs(y) - pairs(x))


def test_tau_agrees_with_scipy_on_scipys_tau() -> None:
    random = np.random.default_rng(5)
    truth = random.normal(size=90)
    a, b = truth + random.normal(0, 2.0, 90), truth + random.normal(0, 1.4, 90)

    def difference(x: np.ndarray, y: np.ndarray) -> float:
        first, second = (stats.kendalltau(truth, z).statistic for z in (x, y))
        return float(second - first)

    theirs = scipy_p(ranks(a), ranks(b), difference, 1500)
    ours = sign_flip_p(tau_contributions(truth, a, b), seed=1)
    assert ours == pytest.approx(theirs, abs=0.03)
    assert sign_flip_p(tau_contributions(truth, 100 * a, b), seed=1) == ours, "scale is no matter"


def test_b_cubed_agrees_with_scipy() -> None:
    random = np.random.default_rng(2)
    size, a = random.integers(1, 30, 20).astype(float), random.beta(5, 2, (20, 2))
    b = np.clip(a + random.normal(0.02, 0.08, (20, 2)), 0, 1)

    def f1(rows: np.ndarray) -> float:
        p, r = size @ rows / size.sum()
        return float(2 * p * r / (p + r))

    theirs = scipy_p(a, b, lambda x, y: f1(y) - f1(x), 4000)
    assert b_cubed_p([(size, a, b)], seed=1) == pytest.approx(theirs, abs=0.03)


def test_the_test_holds_its_level_for_means_f1_and_tau() -> None:
    random = np.random.default_rng(7)
    found: dict[str, list[float]] = {"mean": [], "f1": [], "tau": []}
    for trial in range(300):
        truth = random.integers(0, 3, 40)
        a, b = (
            np.where(random.uniform(size=40) < 0.6, truth, random.integers(0, 3, 40))
            for _ in range(2)
        )
        found["mean"].append(sign_flip_p(random.normal(size=40), seed=trial, permutations=400))
        found["f1"].append(
            f1_p(
                one_hot(truth, 3),
                [one_hot(a, 3)],
                [one_hot(b, 3)],
                "f1_macro",
                seed=trial,
                permutations=400,
            )
        )
        x, y = (truth + random.normal(0, s, 40) for s in (2.0, 2.0))
        found["tau"].append(
            sign_flip_p(
                tau_contributions(truth.astype(float), x, 7 * y), seed=trial, permutations=400
            )
        )
    for kind, values in found.items():
        assert 0.02 <= np.mean(np.array(values) <= 0.05) <= 0.085, kind


def test_no_items_is_no_difference() -> None:
    assert permutation_p(lambda swapped: swapped.sum(axis=1), 0, seed=1) == 1.0
