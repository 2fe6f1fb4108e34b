"""Weights and step counts are liblinear's, read through scikit-learn's estimators."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("numba")

from sklearn.svm import LinearSVC, LinearSVR

from scirepeval_harness.probes import liblinear, newton
from scirepeval_harness.probes.descent import Answer, TrainingVectors
from scirepeval_harness.probes.exact import (
    ITERATIONS,
    NO_ROWS,
    _alone,
    _regression,
    _separate,
    _separation,
)
from tests.probes.vectors import KINDS, vectors


@pytest.fixture(autouse=True)
def _silent():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_random_numbers_are_those_of_mt19937() -> None:
    state = liblinear.random_state(42)
    drawn = np.random.RandomState(42).randint(2**31 - 1)
    want = np.random.RandomState(drawn).randint(2**32, size=2000, dtype=np.uint32)
    assert [liblinear.draw(state) for _ in range(2000)] == want.tolist()


def test_draws_are_below_the_limit_and_even() -> None:
    state = liblinear.random_state(1)
    # Two thirds of 2^32 is where the plain product is most uneven, but the limit ends at 2^31.
    draws = np.array([liblinear.draw_below(state, 3) for _ in range(30_000)])
    assert np.abs(np.bincount(draws) / 10_000 - 1).max() < 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(30, 50), (200, 40), (90, 90)])
@pytest.mark.parametrize("cost", [1e-3, 1.0, 100.0])
def test_absolute_error(kind: str, n: int, d: int, cost: float) -> None:
    x = vectors(kind, n, d)
    y = np.round(x @ np.random.default_rng(1).normal(size=d), 1)  # with ties
    theirs = LinearSVR(C=cost, random_state=42).fit(x, y)
    found = _alone(_regression(TrainingVectors.of(x), y, 42, (np.arange(n), NO_ROWS)), cost)
    assert (found.passes >= ITERATIONS) == (theirs.n_iter_ >= theirs.max_iter)
    assert_close(found.weights[None], theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(30, 50), (200, 40)])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("cost", [0.01, 1.0, 100.0])
def test_hinge(kind: str, n: int, d: int, squared: bool, cost: float) -> None:
    """Three classes: the random numbers go on from one to the next."""
    x = vectors(kind, n, d)
    y = np.random.default_rng(2).integers(0, 3, n)
    theirs = LinearSVC(
        loss="squared_hinge" if squared else "hinge", dual=True, C=cost, random_state=42,
        max_iter=1000 if squared else 10_000,
    ).fit(x, y)  # fmt: skip
    found = _separate(TrainingVectors.of(x), y, 42, squared, (np.arange(n), NO_ROWS), cost)
    assert found.missed == (theirs.n_iter_ >= theirs.max_iter)
    assert_close(found.weights, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(30, 50), (200, 40), (45, 40)])
@pytest.mark.parametrize("regression", [True, False])
def test_values_of_c_that_go_together_end_where_each_does_alone(
    kind: str, n: int, d: int, regression: bool
) -> None:
    x, rows = vectors(kind, n, d), np.arange(n)
    y = np.round(x @ np.random.default_rng(1).normal(size=d), 1)
    data, fold = TrainingVectors.of(x), (rows[n // 3 :], rows[: n // 3])
    signs, random = np.where(y > 0, 1.0, -1.0)[fold[0]], liblinear.random_state(42)
    problem = (
        _regression(data, y, 42, fold) if regression else _separation(data, *fold, signs, random)
    )
    costs = [10.0, 1e-3, 1e4, 0.1, 1e3]
    branches = [problem.begin(costs)]
    found: dict[float, Answer] = {}
    ends = []
    while branches:
        ends.append(branches.pop().finish(branches.append))
        found |= dict(ends[-1])
    assert sorted(found) == sorted(costs)
    # The largest were never met, and the smallest were.
    assert max(map(len, ends)) > 1 < len(ends)
    for cost, answer in found.items():
        alone = _alone(problem, cost)
        assert answer.held_out.tolist() == alone.held_out.tolist()
        assert answer.weights.tolist() == alone.weights.tolist()
        assert answer.passes == alone.passes
        assert answer.random.tolist() == alone.random.tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(40, 40), (150, 37), (1200, 9)])
@pytest.mark.parametrize("costs", [[0.01], [1.0], [100.0], [0.01, 1.0, 100.0]])
def test_the_primal_equals_to_the_last_bit(kind: str, n: int, d: int, costs: list[float]) -> None:
    """Each class alone with one C, or classes and values of C through the rows together."""
    x = vectors(kind, n, d)
    y = np.random.default_rng(3).integers(0, 3, n)
    theirs = [LinearSVC(C=cost, dual=False, random_state=42).fit(x, y) for cost in costs]
    order = np.argsort(y, kind="stable")
    turned = newton.Turned.of(x, TrainingVectors.of(x).sizes, order)
    signs = np.array([np.where(y[order] == k, 1.0, -1.0) for k in range(3)])
    parts = [signs] if len(costs) > 1 else [signs[k : k + 1] for k in range(3)]
    found = [
        of_class
        for part in parts
        for of_class in newton.squared_hinge(turned, part, costs, tolerance=1e-4, limit=1000)
    ]
    for k, of_class in enumerate(found):
        for (weights, _), own in zip(of_class, theirs, strict=True):
            assert weights.tolist() == [*own.coef_[k].tolist(), own.intercept_[k]]
    steps = [[taken for _, taken in of_class] for of_class in found]
    assert np.max(steps, axis=0).tolist() == [own.n_iter_ for own in theirs]


def test_rows_out_of_reach_stay_beyond_the_margin() -> None:
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(200, 8)), rng.normal(size=8)
    values, lengths, reach = x @ weights, np.linalg.norm(x, axis=1), 0.3
    near = np.flatnonzero(newton._reachable(values, lengths, reach))
    far = np.setdiff1d(np.arange(200), near)
    assert 20 < len(far) < 180
    # The move that brings a row nearest to the margin is along the row itself.
    worst = (weights - reach * x / lengths[:, None]) * x
    assert worst.sum(1)[far].min() > 1.0
    assert worst.sum(1)[near].max() <= 1.0 + 1e-7


def assert_close(weights: np.ndarray, theirs: LinearSVC) -> None:
    wanted = np.c_[np.atleast_2d(theirs.coef_), theirs.intercept_]
    np.testing.assert_allclose(weights, wanted, rtol=0, atol=1e-11 * np.abs(wanted).max())
